"""Profiles, areas under curves and steps to a threshold; long tables."""

import numpy as np
import pytest
from scipy import stats

from primacy.runs.resampling import Bootstrap, draw_counts, draws
from primacy.runs.statistics import (
    BadScores,
    Scores,
    area_under_curve,
    difference,
    estimate,
    evaluate,
    profile,
    steps_to_threshold,
)
from primacy.tests.support.plain_statistics import drawn_tasks, scores_of

A = {"a": [0.1, 0.3, 0.2], "b": [0.9, 0.7, 1.1], "c": [1.2, 1.6, 0.4]}
THRESHOLDS = [0, 0.3, 0.4, 1, 1.6]


def test_check_values_of_the_profile():
    found = profile(scores_of(**A), THRESHOLDS, Bootstrap())
    assert found.value == pytest.approx([1, 0.6666666667, 0.5555555556, 0.3333333333, 0], abs=1e-10)
    assert (found.low >= 0).all()
    assert (found.high <= 1).all()
    assert found.low[0] == found.high[0] == 1


def test_the_profile_over_tasks_asks_for_their_means():
    # Means 0.2, 0.9, 1.0666...: a mean that equals the threshold is not above it.
    found = profile(scores_of(**A), [0.1, 0.9, 1.0, 2.0], Bootstrap(), over="tasks")
    assert found.value == pytest.approx([1, 1 / 3, 1 / 3, 0])
    assert profile(scores_of(a=[1, 2, 3]), 2.0, Bootstrap(), over="tasks").value[0] == 0


@pytest.mark.parametrize("over", ["runs", "tasks"])
@pytest.mark.parametrize("unit", ["runs", "tasks", "both"])
def test_the_interval_of_a_profile_is_that_of_its_resamples(over, unit):
    generator = np.random.default_rng(0)
    given_scores = scores_of(**{f"t{n}": generator.normal(n / 4, 1, 3 + n) for n in range(5)})
    levels = np.array([-0.5, 0.25, 1.0])
    how = Bootstrap("percentile", resamples=500, resample=unit)
    found = profile(given_scores, levels, how, over=over)
    (draw,) = next(draws((given_scores,), how))
    shares = []
    for resample in range(500):
        tasks = [
            given_scores.values[rows, :1] for _, rows in drawn_tasks(given_scores, draw, resample)
        ]
        pick = (
            (lambda t: (t > levels).mean(axis=0))
            if over == "runs"
            else (lambda t: t.mean() > levels)
        )
        shares.append(np.mean([pick(task) for task in tasks], axis=0))
    low, high = np.percentile(shares, [2.5, 97.5], axis=0)
    assert found.low == pytest.approx(low, abs=1e-5)
    assert found.high == pytest.approx(high, abs=1e-5)


@pytest.mark.parametrize("over", ["runs", "tasks"])
@pytest.mark.parametrize("interval", ["calibrated", "bca", "studentised", "basic"])
def test_profiles_have_every_interval(over, interval):
    generator = np.random.default_rng(1)
    given_scores = scores_of(**{f"t{n}": generator.normal(n / 8, 1, 6) for n in range(8)})
    found = profile(given_scores, [-9, 0.4, 9], Bootstrap(interval), over=over)
    assert (found.low[0], found.high[2]) == (1, 0)
    assert found.low[1] < found.value[1] < found.high[1]


def test_a_profile_of_pooled_runs_counts_runs():
    given_scores = scores_of(a=[0, 0, 0, 1], b=[1, 1, 0])
    assert profile(given_scores, 0.5, Bootstrap()).value[0] == pytest.approx((1 / 4 + 2 / 3) / 2)
    pooled = profile(given_scores.pooled(), 0.5, Bootstrap())
    assert pooled.value[0] == pytest.approx(3 / 7)


def test_the_area_of_a_run_is_its_trapezoid_mean():
    generator = np.random.default_rng(0)
    steps = np.array([0, 10, 15, 40])
    curves = {t: generator.normal(size=(4, 4)) for t in "ab"}
    found = area_under_curve(scores_of(**curves), steps)
    expected = np.concatenate([np.trapezoid(curves[t], steps, axis=1) / 40 for t in "ab"])
    assert found.values[:, 0] == pytest.approx(expected)
    assert found.seeds == scores_of(**curves).seeds
    straight = area_under_curve(scores_of(a=[[0, 1, 3], [2, 2, 2]]), [0, 1, 3])
    assert straight.values[:, 0] == pytest.approx([1.5, 2])
    better = Scores(found.seeds, found.values + 1)
    assert difference(better, found, "iqm", Bootstrap()).value[0] == pytest.approx(1)
    assert area_under_curve(scores_of(**curves).pooled(), steps).balance == "runs"


@pytest.mark.parametrize(
    ("steps", "message"),
    [([1, 2], "2 steps for 3"), ([1, 3, 2], "ascend"), ([1, 1, 2], "ascend")],
)
def test_refused_grids(steps, message):
    curves = scores_of(a=np.ones((3, 3)))
    for refused in (
        lambda: area_under_curve(curves, steps),
        lambda: steps_to_threshold(curves, steps, 0.5, "mean", Bootstrap()),
    ):
        with pytest.raises(BadScores, match=message) as error:
            refused()
        assert error.value.hint


def test_one_step_has_no_area():
    with pytest.raises(BadScores, match="1 steps for 1"):
        area_under_curve(scores_of(a=[1, 2, 3]), [5])


def first(curve, steps, level):
    return next((step for step, y in zip(steps, curve, strict=True) if y >= level), np.inf)


def test_steps_to_a_threshold_of_every_resampled_curve():
    generator = np.random.default_rng(2)
    steps = [5, 10, 20, 40, 80]
    curves = np.linspace(0, 1, 5) + generator.normal(0, 0.15, (8, 5))
    given_scores = scores_of(a=curves)
    found = steps_to_threshold(given_scores, steps, 0.6, "iqm", Bootstrap("percentile"))
    assert found.value[0] == first(stats.trim_mean(curves, 0.25), steps, 0.6)
    reached = []
    for counts in draw_counts(given_scores, 2000, seed=0):
        for column in counts.T.astype(int):
            again = stats.trim_mean(np.repeat(curves, column, axis=0), 0.25)
            reached.append(first(again, steps, 0.6))
    reached = np.sort(reached)
    assert found.low[0] == reached[49]
    assert found.high[0] == reached[1950]
    assert found.low[0] < found.high[0]
    wider = steps_to_threshold(given_scores, steps, 0.6, "iqm", Bootstrap())
    assert wider.low[0] <= found.low[0]
    assert wider.high[0] >= found.high[0]
    assert wider.note == ""


def test_a_threshold_that_is_never_reached_is_infinitely_far():
    given_scores = scores_of(a=[[0, 1], [0, 1], [0, 1]])
    found = steps_to_threshold(given_scores, [1, 2], 5.0, "mean", Bootstrap())
    assert (found.value[0], found.low[0], found.high[0]) == (np.inf,) * 3
    some = scores_of(a=[[0, 0], [0, 0], [0, 9], [0, 0]])
    found = steps_to_threshold(some, [1, 2], 2.0, "mean", Bootstrap("percentile"))
    assert (found.value[0], found.low[0], found.high[0]) == (2, 2, np.inf)
    two = steps_to_threshold(scores_of(a=[[0, 1], [0, 1]]), [1, 2], 1, "mean", Bootstrap())
    assert (two.value[0], two.note) == (2, "2 seeds in a: no interval")
    assert np.isnan(two.low[0])
    said = steps_to_threshold(some, [1, 2], 2.0, "mean", Bootstrap("bca")).note
    assert said == "percentile interval: bca is not defined here"


def test_a_long_table_in_any_order():
    rows = [("b", 1, 4.0), ("a", 7, 1.0), ("b", 0, 3.0), ("a", 2, 0.0)]
    found = Scores.from_rows(rows)
    assert found.seeds == {"b": (0, 1), "a": (2, 7)}
    assert found.values[:, 0].tolist() == [3, 4, 0, 1]
    curves = Scores.from_rows([("a", 0, [1, 2]), ("a", 1, [3, 4])])
    assert evaluate(curves, "mean").tolist() == [2, 3]
    with pytest.raises(BadScores, match="seed 1 of b stands twice") as refused:
        Scores.from_rows([*rows, ("b", 1, 4.0)])
    assert refused.value.hint
    with pytest.raises(BadScores, match="no tasks"):
        Scores.from_rows([])
    with pytest.raises(BadScores, match="checkpoints"):
        Scores.of({"a": {0: [[1.0, 2.0]]}})


def test_a_transposed_table_cannot_be_written():
    """Names, not positions, say what a number is: 2 seeds of 3 tasks are not 3 seeds of 2."""
    values = np.arange(6.0).reshape(2, 3)
    rows = [(f"t{t}", s, values[s, t]) for s in range(2) for t in range(3)]
    found = Scores.from_rows(rows)
    assert estimate(found, ("median",), Bootstrap())["median"].value[0] == 2.5
    assert found.sizes.tolist() == [2, 2, 2]
