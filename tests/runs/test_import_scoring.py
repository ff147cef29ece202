"""At which step and over which evaluations a score is taken, and what is said about short files."""

import pytest

from primacy.runs.errors import UserError
from primacy.runs.import_options import ImportOptions
from primacy.runs.import_results import results
from primacy.runs.report_tables import numbers
from primacy.runs.scoring import Scoring, reset_windows
from primacy.runs.statistics import Bootstrap
from primacy.tests.support.foreign_results import Curves, text_tree
from primacy.tests.support.report_runs import write_run

STEPS = [100, 200, 300, 400]
RAGGED = [
    Curves("a", "walker-run", STEPS, {0: [1.0, 2.0, 3.0, 4.0], 1: [5.0, 6.0, 7.0]}),
    Curves("b", "walker-run", STEPS, {0: [10.0, 20.0, 30.0, 40.0]}),
    Curves("b", "hopper-hop", STEPS, {0: [10.0, 20.0, 30.0, 40.0]}),
]


def scored(study):
    """(condition, task) -> seed -> score."""
    return {(c.label, t): seeds for c in study.conditions for t, seeds in c.finals.items()}


def read(tmp_path, curves=RAGGED, **options):
    study = results([text_tree(tmp_path, curves)], ImportOptions(**options))
    return scored(study), " ".join(study.notes), study


def test_by_default_at_the_last_step_all_share_and_who_is_short_is_named(tmp_path):
    found, notes, study = read(tmp_path)
    assert found["a", "walker-run"] == {0: 3, 1: 7}
    assert found["b", "walker-run"] == {0: 30}
    assert found["b", "hopper-hop"] == {0: 40}
    assert "walker-run: all numbers are taken at env step 300" in notes
    assert "some went on to 400. Those that end there: a." in notes
    assert "a on walker-run: 1 of 4 evaluation steps are not shared by all seeds" in notes
    assert "a/walker-run/1.txt (seed 1, walker-run) at 300." in notes
    assert "hopper-hop was not run under: a." in notes


def test_at_a_step_a_short_file_is_left_out_and_named(tmp_path):
    found, notes, study = read(tmp_path, at="400")
    assert found["a", "walker-run"] == {0: 4}
    assert found["b", "walker-run"] == {0: 40}
    assert "1 runs have no evaluation at env step 400 and are left out" in notes
    assert "a/walker-run/1.txt (seed 1, walker-run) ends at 300" in notes
    assert study.experiments[0].steps == {"walker-run": 400, "hopper-hop": 400}
    assert read(tmp_path, at="2e2")[0]["a", "walker-run"] == {0: 2, 1: 6}


def test_at_a_step_that_a_run_skips(tmp_path):
    curves = [RAGGED[1], Curves("a", "walker-run", [100, 300, 400], {0: [1.0, 2.0, 3.0]})]
    found, notes, _ = read(tmp_path, curves, at="200")
    assert found == {("b", "walker-run"): {0: 20}}
    assert "a/walker-run/0.txt (seed 0, walker-run)" in notes


def test_at_the_last_step_of_each(tmp_path):
    found, notes, _ = read(tmp_path, at="last")
    assert found["a", "walker-run"] == {0: 4, 1: 7}
    assert found["b", "walker-run"] == {0: 40}
    assert "2 different ones from 300 to 400" in notes
    assert "Those that end early: " in notes
    assert "all numbers are taken" not in notes
    assert read(tmp_path, at="last", last=2)[0]["a", "walker-run"] == {0: 3.5, 1: 6.5}


def test_the_last_step_of_each_where_none_is_shared(tmp_path):
    curves = [Curves("a", "walker-run", [s], {i: [float(s)]}) for i, s in enumerate((7, 9))]
    found, notes, study = read(tmp_path, curves, at="last")
    assert found == {("a", "walker-run"): {0: 7, 1: 9}}
    assert "2 different ones from 7 to 9" in notes
    assert study.experiments[0].steps == {"walker-run": 9}


def test_the_mean_of_the_last_evaluations(tmp_path):
    found, notes, _ = read(tmp_path, last=2)
    assert found["a", "walker-run"] == {0: 2.5, 1: 6.5}
    assert found["b", "hopper-hop"] == {0: 35}
    assert "means of the last 2 evaluations" in notes
    assert read(tmp_path, last=99)[0]["b", "hopper-hop"] == {0: 25}


def test_smoothing_is_of_curves_and_not_of_scores(tmp_path):
    found, notes, study = read(tmp_path, RAGGED[1:2], smooth=3)
    assert found["b", "walker-run"] == {0: 40}
    rows = numbers(study, Bootstrap()).curves
    assert [row["mean"] for row in rows] == [10, 15, 20, 30]
    assert "Curves are means of 3 evaluations" in notes


@pytest.mark.parametrize(
    ("resets", "window"),
    [
        ([200], (200, 400)),
        ([150, 300], (150, 300)),
        ([150, 250], (250, 400)),
        ([300], (0, 300)),
        ([100, 200, 300, 400], (300, 400)),
        ([50, 500], (50, 400)),
    ],
)
def test_the_last_full_reset_period(tmp_path, resets, window):
    """An evaluation at a reset's step was taken before the reset."""
    returns = {0: [1.0, 2.0, 3.0, 4.0]}
    write_run(tmp_path / "a", returns, STEPS, remedies=["reset:every=1"], resets=resets)
    write_run(tmp_path / "b", {0: [10.0, 20.0, 30.0, 40.0]}, STEPS)
    study = results([tmp_path], ImportOptions(since_reset=True))
    inside = [r for s, r in zip(STEPS, returns[0], strict=True) if window[0] < s <= window[1]]
    (task,) = study.experiments[0].tasks
    assert scored(study)["reset", task] == {0: sum(inside) / len(inside)}
    plain = [
        10 * r for s, r in zip(STEPS, returns[0], strict=True) if s > 400 - window[1] + window[0]
    ]
    assert scored(study)["no reset", task] == {0: sum(plain) / len(plain)}
    first, last = window[0] + 1, window[1]
    assert any(
        f"reset: scores are means over env steps {first} to {last}" in n for n in study.notes
    )


def test_reset_periods_of_results_without_events(tmp_path):
    found, _, _ = read(tmp_path, since_reset=True, reset_every=150)
    assert found["b", "hopper-hop"] == {0: 25}
    # Both end at 300, a multiple of 150: the period after 150.
    assert found["b", "walker-run"] == {0: 25}
    with pytest.raises(UserError, match="no evaluation in the reset period after env step 360"):
        read(tmp_path, RAGGED[1:2], since_reset=True, reset_every=30, at="400")


def test_a_condition_without_resets_is_averaged_over_as_many_steps(tmp_path):
    write_run(tmp_path / "a", {0: [1, 2, 3, 4]}, STEPS, remedies=["reset:every=1"], resets=[150])
    (run,) = results([tmp_path], ImportOptions()).runs
    windows = reset_windows({"a": [run], "b": []}, 400, Scoring(since_reset=True))
    assert windows == {"a": (150, 400), "b": (150, 400)}
