"""`primacy compare`: its numbers against rows of the report's own tables, and what it refuses."""

import re
from pathlib import Path

import numpy as np
import pytest

from primacy.runs import cli
from primacy.runs.statistics import Bootstrap, Scores, difference
from primacy.tests.support.report_runs import write_run

TASKS = ("walker-run", "cheetah-run")


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    generator = np.random.default_rng(0)
    for name, level, remedies in (("a", 600, ["reset:every=2000"]), ("b", 300, [])):
        for task in TASKS:
            returns = {s: [0.0, level + 50 * generator.standard_normal()] for s in range(5)}
            folder = tmp_path / name / task
            write_run(folder, returns, [500, 1000], task=task, remedies=remedies)
    return tmp_path / "a", tmp_path / "b"


def finals(place: Path) -> Scores:
    rows = []
    for path in sorted(place.glob("*/evaluations.csv")):
        header, *lines = (line.split(",") for line in path.read_text().splitlines())
        at = [header.index(name) for name in ("seed", "env_step", "return_mean")]
        for line in lines:
            seed, step, score = (float(line[i]) for i in at)
            if step == 1000:
                rows.append((path.parent.name, int(seed), score / 1000))
    return Scores.from_rows(rows)


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert cli.main(["compare", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_the_difference_is_that_of_the_statistics(capsys, monkeypatch, places):
    monkeypatch.setenv("COLUMNS", "150")
    text = said(capsys, *places, "--resamples", "2000")
    a, b = (finals(place) for place in places)
    found = difference(a, b, "iqm", Bootstrap(resamples=2000))
    value, low, high = (float(x[0]) for x in (found.value, found.low, found.high))
    assert f"{value:.3f} [{low:.3f}, {high:.3f}]" in text
    assert "excludes 0: A is better" in text
    assert "P(A > B): 1.000" in text
    assert "2 tasks at step 1,000" in text
    assert "5 seeds" in text
    assert all(re.search(rf"{task} .*1\.00", text) for task in TASKS)


def test_the_other_way_round(capsys, places):
    assert "excludes 0: A is worse" in said(capsys, places[1], places[0])


def test_conditions_by_name(capsys, places):
    by_path = said(capsys, *places)
    by_name = said(capsys, "reset", "no reset", "--within", places[0].parent)
    assert by_name == by_path


def test_forks_of_one_run_are_compared_seed_by_seed(capsys, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("COLUMNS", "150")
    generator = np.random.default_rng(1)
    levels = 400 + 100 * generator.standard_normal(5)
    parent = {"parent": str(tmp_path / "parent"), "at": 500, "seeds": list(range(5))}
    for name, gain, remedies in (("a", 20, ["reset:every=2000"]), ("b", 0, [])):
        returns = {s: [v, v + gain + generator.standard_normal()] for s, v in enumerate(levels)}
        folder = tmp_path / name / "walker-run"
        write_run(folder, returns, [500, 1000], remedies=remedies, origin={"fork": parent})
    text = said(capsys, tmp_path / "a", tmp_path / "b", "--p-values")
    sides = (finals(tmp_path / "a"), finals(tmp_path / "b"))
    paired, alone = (
        difference(*sides, "iqm", Bootstrap(resamples=10_000), paired=p) for p in (True, False)
    )
    assert float(alone.low[0]) < 0 < float(paired.low[0])
    assert f"[{float(paired.low[0]):.3f}, {float(paired.high[0]):.3f}]" in text
    assert "share their history up to a fork" in text
    assert "A is better" in text
    assert "permutation" not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{both}", "{b}"), ("holds 2 conditions: no reset; reset", "--within")),
        (("{a}", "{a}"), ("the same condition", "more than their seeds")),
        (("{a}", "{none}"), ("no such file", "check the path")),
        (("rset", "no reset", "--within", "{both}"), ("'rset'", "no reset; reset")),
    ],
)
def test_what_is_refused(capsys, places, arguments, words):
    names = {"a": places[0], "b": places[1], "both": places[0].parent, "none": places[0] / "x"}
    assert cli.main(["compare", *(text.format(**names) for text in arguments)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert all(word in " ".join(lines) for word in words), lines
