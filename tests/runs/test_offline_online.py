"""Metrics of runs that go from data to env steps: by hand, and in the report."""

import math
from typing import Any

import numpy as np
import pytest

from primacy.runs.offline_online import at_switch, first_reached, initial_drop, regret
from primacy.runs.report import ReportOptions, make
from primacy.runs.report_comparisons import compare
from primacy.runs.report_page import html, report_markdown
from primacy.runs.report_study import study
from primacy.runs.report_tables import numbers
from primacy.runs.report_words import findings
from primacy.runs.results import read_runs
from primacy.runs.statistics import Bootstrap
from primacy.tests.support.report_runs import write_run

HOW = Bootstrap(resamples=200)
STEPS = [0, 10_000, 20_000, 50_000, 60_000, 70_000, 80_000]
X = np.array(STEPS, dtype=float)


def test_the_drop_is_from_the_switch_to_the_least_of_the_next_50000_steps():
    scores = np.array([70.0, 60, 40, 45, 10, 90, 90])
    assert at_switch(X, scores) == 70
    assert initial_drop(X, scores) == 30
    assert initial_drop(X, scores - np.array([50, 0, 0, 0, 0, 0, 0])) == -20
    assert math.isnan(initial_drop(X[1:], scores[1:]))
    assert math.isnan(initial_drop(X[:1], scores[:1]))


def test_a_level_is_reached_by_the_mean_of_five_online_evaluations():
    scores = np.array([100.0, 0, 50, 100, 50, 50, 100])
    # Means of five from 10,000 on: 50 at 70,000, then 70.
    assert first_reached(X, scores, 50) == 70_000
    assert first_reached(X, scores, 50.01) == 80_000
    assert first_reached(X, scores, 90) == math.inf
    assert first_reached(X[:5], np.full(5, 100.0), 50) == math.inf
    assert first_reached(X, np.full(7, 90.0), 90) == 70_000


def test_regret_is_the_share_of_failures():
    assert regret(np.array([1.0, 0, 0, 1, 0])) == pytest.approx(0.6)
    assert math.isnan(regret(np.array([])))


def runs(root):
    """Two conditions on AntMaze, one with an offline phase, and that phase itself."""
    common: dict[str, Any] = {
        "task": "antmaze-umaze-v2",
        "replay_ratio": "1",
        "offline_data": "d.npz",
    }
    tuned = {s: [0.7, 0.6, 0.4 - 0.1 * s, 0.5, 0.9, 0.9, 0.9] for s in range(3)}
    # An episode that ended with the switch is no online one.
    episodes = [(s, t, float(t > 100 * (s + 1))) for s in range(3) for t in (0, 100, 200, 300, 400)]
    write_run(root / "A", tuned, STEPS, episodes=episodes, label="A", offline_updates=10, **common)
    scratch = {s: [0.0, 0.1, 0.9, 0.9, 0.9, 1.0] for s in range(3)}
    write_run(root / "F", scratch, STEPS[1:], label="F", offline_updates=0, **common)
    phase = {s: [0.7] for s in range(3)}
    write_run(root / "o", phase, [0], label="o", offline_updates=10, **{**common, "env_steps": 0})
    return root


def test_the_report_has_them_and_leaves_the_offline_phase_out(tmp_path):
    found = study(read_runs([runs(tmp_path)]))
    assert sorted(c.label for c in found.conditions) == ["A", "F"]
    assert any("offline phases" in note and "o (antmaze" in note for note in found.notes)
    rows = {(r["condition"], r["metric"]): r for r in numbers(found, HOW).offline_to_online}
    assert rows["A", "initial_drop"]["values"] == "30 40 50"
    assert rows["A", "initial_drop"]["value"] == pytest.approx(40)
    assert rows["A", "score_at_switch"]["value"] == pytest.approx(70)
    assert rows["A", "regret"]["values"] == "0.25 0.5 0.75"
    # Of the five evaluations from 10,000 on the means are 0.66, 0.64 and 0.62.
    assert rows["A", "env_steps_to_50"]["values"] == "70000 70000 70000"
    assert rows["A", "env_steps_to_90"]["value"] == math.inf
    assert rows["F", "env_steps_to_50"]["value"] == 70_000
    assert rows["F", "score_at_end"]["value"] == pytest.approx(100)
    for metric in ("score_at_switch", "initial_drop", "regret"):
        assert rows["F", metric]["seeds"] == 0
        assert math.isnan(rows["F", metric]["value"])


def test_pre_training_and_the_reset_at_the_switch_are_compared(tmp_path):
    phase = tmp_path / "offline"
    common: dict[str, Any] = {
        "task": "antmaze-umaze-v2",
        "at_switch": [],
        "warmup_policy": "random",
    }
    origin = {"fork": {"parent": str(phase.resolve()), "at": 0, "seeds": [0, 1, 2]}}
    tuned: dict[str, Any] = {"offline_updates": 10, "origin": origin}
    levels = {"B": 0.5, "D": 0.6, "E": 0.7, "H": 0.8}
    for label, own in {
        "B": {"offline_updates": 0},
        "D": {**tuned, "warmup_policy": "agent"},
        "E": {**tuned, "at_switch": ["reset"]},
        "H": {**tuned, "warmup_policy": "agent", "remedies": ["reset:every=9"]},
    }.items():
        returns = {s: [levels[label] + 0.01 * s] * 2 for s in range(3)}
        write_run(tmp_path / label, returns, [100, 200], label=label, **{**common, **own})
    found = study(read_runs([tmp_path]))
    pairs = {(p.a.label, p.b.label): (p.change, p.paired) for p in compare(found)}
    assert pairs == {
        ("E", "D"): ("at_switch", True),
        ("D", "B"): ("offline", False),
        ("E", "B"): ("afresh", False),
        ("H", "D"): ("remedies", True),
    }
    said = " ".join(findings(numbers(found, HOW))[0])
    assert "reset at the switch (E) raises" in said
    assert "pre-training (D instead of B)" in said
    assert "in D, adding reset (H) raises" in said


def test_offline_phases_alone_are_reported(tmp_path):
    found = study(read_runs([runs(tmp_path) / "o"]))
    assert [c.label for c in found.conditions] == ["o"]


@pytest.mark.parametrize(
    "page", [report_markdown, pytest.param(html, marks=pytest.mark.slow)], ids=["text", "html"]
)
def test_pages_have_the_table_only_where_there_is_an_offline_phase(tmp_path, page):
    folder = runs(tmp_path / "runs")
    for place, there in ((folder, True), (folder / "F", False)):
        found = page(make(ReportOptions((place,), tmp_path, resamples=100)))
        assert ("online regret" in found) is there
