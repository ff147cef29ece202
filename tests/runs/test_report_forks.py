"""Forks in a report: conditions of their own, paired where they share a history."""

from pathlib import Path

import numpy as np
import pytest

from primacy.runs.report_study import study
from primacy.runs.report_tables import numbers
from primacy.runs.report_words import findings
from primacy.runs.results import read_runs
from primacy.runs.statistics import Bootstrap, Scores, difference
from primacy.tests.support.report_runs import write_run

HOW = Bootstrap(resamples=500)
RESET = ["reset:every=2000"]
SEEDS = range(5)


def forked(parent: Path, at: int = 500) -> dict:
    return {"fork": {"parent": str(parent.resolve()), "at": at, "seeds": list(SEEDS)}}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    levels = {s: 100 * generator.standard_normal() + 400 for s in SEEDS}

    def returns(gain: float) -> dict[int, list[float]]:
        return {s: [v, v + gain + generator.standard_normal()] for s, v in levels.items()}

    parent = write_run(tmp_path / "parent", returns(0), [500, 1000])
    write_run(tmp_path / "plain", returns(0), [500, 1000], origin=forked(parent))
    reset = {"remedies": RESET, "origin": forked(parent)}
    write_run(tmp_path / "reset", returns(20), [500, 1000], **reset)
    return tmp_path


def finals(folder: Path) -> Scores:
    run = read_runs([folder])[0]
    last = run.evaluations[run.evaluations["env_step"] == 1000]
    rows = zip(last["seed"], last["return_mean"] / 1000, strict=True)
    return Scores.from_rows([(run.task, int(seed), float(score)) for seed, score in rows])


def test_forks_are_conditions_and_pairs(place: Path):
    read = study(read_runs([place]))
    assert [c.label for c in read.conditions] == [
        "no reset",
        "fork at 500",
        "fork at 500 + reset",
    ]
    found = numbers(read, HOW)
    pairs = {(p.a.label, p.b.label): (p.change, p.paired) for p in found.comparisons}
    assert pairs == {
        ("fork at 500", "no reset"): ("fork", True),
        ("fork at 500 + reset", "no reset"): ("fork", True),
        ("fork at 500 + reset", "fork at 500"): ("remedies", True),
    }


def test_a_paired_difference_is_that_of_the_statistics(place: Path):
    found = numbers(study(read_runs([place])), HOW)
    wanted = ("fork at 500 + reset", "fork at 500", "mean")
    row = next(r for r in found.differences if (r["a"], r["b"], r["aggregate"]) == wanted)
    a, b = finals(place / "reset"), finals(place / "plain")
    paired, alone = (difference(a, b, "mean", HOW, paired=p) for p in (True, False))
    assert row["design"] == "paired"
    assert (row["low"], row["high"]) == (paired.low[0], paired.high[0])
    gain = (alone.high[0] - alone.low[0]) / (paired.high[0] - paired.low[0])
    assert row["gain"] == pytest.approx(gain)
    assert gain > 10
    said = " ".join(findings(found)[0])
    assert "paired by the history that the seeds share" in said
    assert f"{gain:.1f} times as precise" in said


def test_forks_of_different_runs_or_steps_are_not_paired(place: Path, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    origin = forked(other / "gone")
    write_run(other / "a", {s: [1.0, 2.0 + s] for s in SEEDS}, [500, 1000], origin=origin)
    reset = {"remedies": RESET, "origin": forked(place / "parent")}
    write_run(other / "b", {s: [1.0, 2.0 + s] for s in SEEDS}, [500, 1000], **reset)
    found = numbers(study(read_runs([other])), HOW)
    assert {row["design"] for row in found.differences} == {"unpaired"}
