"""Resamples of runs, tasks and both, against plain twins; and what a result depends on."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.runs.aggregates import AGGREGATES
from primacy.runs.errors import UserError
from primacy.runs.estimates import quantity
from primacy.runs.inference import resampled
from primacy.runs.resampling import BLOCK, Bootstrap, draws
from primacy.runs.statistics import Scores, difference, estimate, evaluate
from primacy.tests.support.plain_statistics import aggregate, drawn_tasks, scores_of, trimmed

ALL = tuple(AGGREGATES)


def some_scores(sizes, seed, checkpoints=None):
    generator = np.random.default_rng(seed)
    shape = () if checkpoints is None else (checkpoints,)
    return scores_of(
        **{
            f"t{number}": generator.normal(generator.normal(0.7, 0.5), 0.4, (size, *shape))
            for number, size in enumerate(sizes)
        }
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 7), min_size=1, max_size=6),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["runs", "tasks", "both"]),
)
def test_every_aggregate_equals_its_plain_twin_on_every_kind_of_resample(sizes, seed, unit):
    given_scores = some_scores(sizes, seed)
    (draw,) = next(draws((given_scores,), Bootstrap(resample=unit, resamples=1, seed=seed)))
    share = given_scores.cut / len(given_scores.values)
    flat = given_scores.values[:, 0]
    for name in ALL:
        iqm = AGGREGATES[name].statistic(given_scores.design, given_scores.values, np.float64)
        found = iqm.value[:, None] + iqm.deviations(draw)
        quick = quantity(given_scores, name).deviations(draw) + iqm.value[:, None]
        for resample in (0, 1, BLOCK - 1):
            tasks = [flat[rows].tolist() for _, rows in drawn_tasks(given_scores, draw, resample)]
            expected = aggregate(name, tasks, share)
            assert found[0, resample] == pytest.approx(expected, abs=1e-5), name
            assert quick[0, resample] == pytest.approx(expected, abs=1e-5), name


@pytest.mark.parametrize("unit", ["tasks", "both"])
def test_tasks_are_drawn_with_replacement_and_bring_as_many_runs_as_they_have(unit):
    given_scores = some_scores([3, 5, 2, 4], 0)
    (draw,) = next(draws((given_scores,), Bootstrap(resample=unit, resamples=1)))
    assert (draw.multiplicity.sum(axis=0) == 4).all()
    assert draw.multiplicity.mean(axis=1) == pytest.approx([1] * 4, abs=0.2)
    assert draw.multiplicity.max() >= 3
    for number, rows in enumerate(given_scores.design.blocks):
        size = rows.stop - rows.start
        assert (draw.counts[rows].sum(axis=0) == draw.multiplicity[number] * size).all()
        together = (draw.counts[rows] == draw.multiplicity[number]).all()
        assert together == (unit == "tasks")


def test_both_sides_of_a_difference_are_resampled_on_the_same_tasks():
    given_scores = some_scores([4] * 6, 1)
    sides = (given_scores, given_scores)
    left, right = next(draws(sides, Bootstrap(resample="both", resamples=1)))
    assert np.array_equal(left.multiplicity, right.multiplicity)
    assert not np.array_equal(left.counts, right.counts)
    shifted = Scores(given_scores.seeds, given_scores.values + 1)
    found = difference(shifted, given_scores, "mean", Bootstrap(resample="tasks"))
    assert (found.low[0], found.high[0]) == pytest.approx((1, 1), abs=1e-6)


def test_resampled_tasks_answer_for_the_spread_of_tasks():
    generator = np.random.default_rng(5)
    means = generator.normal(0, 1, 12)
    given_scores = scores_of(
        **{f"t{n}": mean + generator.normal(0, 0.01, 5) for n, mean in enumerate(means)}
    )
    width = {}
    for unit in ("runs", "tasks", "both"):
        found = estimate(given_scores, ("mean",), Bootstrap("percentile", resample=unit))["mean"]
        width[unit] = found.high[0] - found.low[0]
    assert width["runs"] < 0.01
    expected = 2 * 1.96 * means.std() / np.sqrt(12)
    assert width["tasks"] == pytest.approx(expected, rel=0.15)
    assert width["both"] == pytest.approx(expected, rel=0.15)
    wider = estimate(given_scores, ("mean",), Bootstrap(resample="tasks"))["mean"]
    # sqrt(12/11) x the 97.5% quantile of Student's t at 11 degrees / 1.96
    assert wider.factor[0] == pytest.approx(1.0444659 * 2.2009852 / 1.96, rel=1e-6)


def test_the_iqm_of_uneven_seeds_cuts_weight_not_runs():
    given_scores = some_scores([2, 5, 9, 3], 3)
    weights = np.repeat(1 / given_scores.sizes, given_scores.sizes)
    share = given_scores.cut / len(given_scores.values)
    expected = trimmed(given_scores.values[:, 0], weights, share)
    assert evaluate(given_scores, "iqm")[0] == pytest.approx(expected, abs=1e-12)


def test_pooled_runs_count_equally():
    given_scores = scores_of(a=[0, 1, 2, 3], b=[10, 20])
    assert evaluate(given_scores.pooled(), "iqm")[0] == pytest.approx(4.0, abs=1e-12)
    assert evaluate(given_scores, "iqm")[0] == pytest.approx(7.3125, abs=1e-12)
    assert evaluate(given_scores.pooled().only(("a",)), "mean")[0] == 1.5
    assert given_scores.pooled().only(("a",)).balance == "runs"
    wide = scores_of(a=range(9), b=[10, 20, 30])
    found = estimate(wide.pooled(), ("iqm",), Bootstrap("percentile"))["iqm"]
    drawn = next(draws((wide,), Bootstrap()))[0].counts
    flat = wide.values[:, 0]
    for resample in range(5):
        repeated = np.sort(np.repeat(flat, drawn[:, resample]))
        expected = repeated[3:-3].mean()
        moved = quantity(wide.pooled(), "iqm").deviations(next(draws((wide,), Bootstrap()))[0])
        assert found.value[0] + moved[0, resample] == pytest.approx(expected, abs=1e-5)


def test_the_optimality_gap_uses_the_given_gamma():
    given_scores = Scores({"a": (0, 1)}, np.array([[50.0], [150.0]]), gamma=100.0)
    assert evaluate(given_scores, "optimality_gap")[0] == 25.0


@pytest.mark.parametrize(
    "choices",
    [
        {"interval": "bca", "resample": "tasks"},
        {"interval": "studentised", "resample": "both"},
        {"interval": "bca", "band": "simultaneous"},
        {"fewest": 1},
        {"resamples": 0},
    ],
)
def test_choices_that_do_not_go_together_are_refused(choices):
    with pytest.raises(UserError) as refused:
        Bootstrap(**choices)
    assert refused.value.hint


def test_pooled_runs_have_no_tasks_to_resample():
    given_scores = some_scores([3, 4, 5], 0).pooled()
    with pytest.raises(UserError, match="no tasks to resample"):
        estimate(given_scores, ("iqm",), Bootstrap(resample="both"))


def test_too_few_tasks_have_no_interval_when_tasks_are_resampled():
    found = estimate(some_scores([5, 5], 0), ("iqm",), Bootstrap(resample="tasks"))["iqm"]
    assert np.isnan(found.low[0])
    assert found.note == "2 tasks to resample: no interval"
    one_seed = estimate(some_scores([1] * 8, 0), ("iqm",), Bootstrap(resample="tasks"))["iqm"]
    assert np.isfinite(one_seed.low[0])
    assert one_seed.note == ""


def test_two_seeds_have_an_interval_on_request():
    given_scores = some_scores([2, 2, 2], 0)
    assert np.isnan(estimate(given_scores, ("mean",), Bootstrap())["mean"].low[0])
    found = estimate(given_scores, ("mean",), Bootstrap(fewest=2))["mean"]
    assert found.low[0] < found.value[0] < found.high[0]


@pytest.mark.parametrize("unit", ["runs", "tasks", "both"])
def test_fewer_resamples_are_the_first_of_more(unit):
    given_scores = some_scores([4, 6, 5], 2, checkpoints=3)
    more, fewer = (
        resampled(
            quantity(given_scores, "iqm"), (given_scores,), Bootstrap(resamples=r, resample=unit)
        )
        for r in (2 * BLOCK + 100, BLOCK + 7)
    )
    assert np.array_equal(more[:, : BLOCK + 7], fewer)


def test_a_result_is_the_same_whatever_the_number_of_threads():
    code = (
        "import numpy as np; from primacy.runs.statistics import *;"
        "values = np.random.default_rng(0).normal(size=(20, 40, 7));"
        "s = Scores.of({str(t): dict(enumerate(v)) for t, v in enumerate(values)});"
        "found = estimate(s, tuple(AGGREGATES), Bootstrap());"
        "print([e.low.tobytes().hex() + e.high.tobytes().hex() for e in found.values()])"
    )
    outputs = set()
    for threads in ("1", "4"):
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = os.environ | dict.fromkeys(names, threads)
        result = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        outputs.add(result.stdout)
    assert len(outputs) == 1
