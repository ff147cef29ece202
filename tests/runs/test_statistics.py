"""Check values of the definitions, of the bootstrap and of its intervals, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from primacy.runs.statistics import (
    AGGREGATES,
    BLOCK,
    Bootstrap,
    Scores,
    calibration,
    difference,
    draw_counts,
    estimate,
    evaluate,
    probability_of_improvement,
    student_quantile,
)

ALL = tuple(AGGREGATES)
A = [[0.1, 0.9, 1.2], [0.3, 0.7, 1.6], [0.2, 1.1, 0.4]]
SQUARES = [[i * i / 10] for i in range(10)]


def scores(matrix):
    """Rows are runs and columns are tasks, as papers print them."""
    columns = np.asarray(matrix, dtype=float).T
    return Scores.of({f"task{t}": dict(enumerate(column)) for t, column in enumerate(columns)})


def uneven(**tasks):
    return Scores.of({task: dict(enumerate(values)) for task, values in tasks.items()})


def close(value, expected):
    return value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("matrix", "name", "expected"),
    [
        (A, "iqm", 0.68),
        (A, "median", 0.9),
        (A, "mean", 0.7222222222222222),
        (A, "optimality_gap", 0.37777777777777777),
        (SQUARES, "iqm", 2.316666666666667),
        (SQUARES, "median", 2.85),
        (SQUARES, "mean", 2.85),
        (SQUARES, "optimality_gap", 0.26),
        ([[0], [1], [5]], "iqm", 2.0),
        ([[0], [1], [5]], "mean", 2.0),
        ([[2]], "iqm", 2.0),
        ([[2]], "optimality_gap", 0.0),
        ([[1, 10], [2, 20], [3, 30], [4, 40]], "iqm", 9.25),
        ([[1, 10], [2, 20], [3, 30], [4, 40]], "median", 13.75),
        ([[1, 10], [2, 20], [3, 30], [4, 40]], "mean", 13.75),
        ([[0, 5], [1, 6], [2, 7], [3, 8], [4, 9]], "iqm", 4.5),
        ([[0, 5], [1, 6], [2, 7], [3, 8], [4, 9]], "optimality_gap", 0.1),
    ],
)
def test_check_values(matrix, name, expected):
    assert close(evaluate(scores(matrix), name)[0], expected)


def test_number_of_runs_cut_from_each_end():
    cuts = [scores([[0.0]] * n).cut for n in range(1, 14)]
    assert cuts == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ([[0, 0, 2], [1, 1, 0], [1, 2, 2]], (0.54, 0.6666666667, 0.6, 0.4333333333)),
        ([[2, 2, 2], [2, 0, 1], [2, 1, 0]], (0.66, 0.9, 0.7222222222, 0.3777777778)),
        ([[0, 0, 0]] * 3, (0.80, 0.9, 0.7333333333, 0.3333333333)),
    ],
)
def test_a_resample_is_a_vector_of_counts(drawn, expected):
    counts = [np.bincount(column, minlength=3) for column in np.array(drawn).T]
    resample = np.concatenate(counts).astype(float)[:, None]
    found = [evaluate(scores(A), name, resample)[0, 0] for name in ALL]
    assert found == pytest.approx(expected, abs=1e-10)


def test_uneven_seeds_balance_tasks():
    given_scores = uneven(a=[0, 1, 2, 3], b=[10, 20])
    assert given_scores.cut == 1
    assert close(evaluate(given_scores, "iqm")[0], 7.3125)
    assert close(evaluate(given_scores, "mean")[0], 8.25)


def test_probability_of_improvement():
    x, y = uneven(a=[1, 2, 3], b=[5, 5, 7]), uneven(a=[2, 0], b=[5, 5])
    assert close(probability_of_improvement(x, y), 0.7083333333333333)
    assert close(probability_of_improvement(x.only(("a",)), y), 0.75)
    assert close(probability_of_improvement(x, x), 0.5)


def test_jackknife_acceleration_comes_from_counts():
    counts = 1.0 - np.eye(4)
    means = evaluate(uneven(a=[1, 2, 4, 8]), "mean", counts)[0] * 4 / 3
    gaps = means.mean() - means
    acceleration = (gaps**3).sum() / (6 * (gaps**2).sum() ** 1.5)
    assert close(acceleration, 0.054733977874974894)


def test_calibration_of_the_iqm():
    given_scores = scores(A)
    winsorised = AGGREGATES["iqm"].drive(given_scores.design, given_scores.values)
    assert (winsorised.min(), winsorised.max()) == (0.3, 1.1)
    variances = [part.var(ddof=1) for part in np.split(winsorised, 3)]
    assert variances == pytest.approx([0, 0.04, 0.1633333333], abs=1e-10)
    assert np.sqrt(3 * sum(variances)) / 5 == pytest.approx(0.1562049935, abs=1e-10)
    assert student_quantile(np.array(2.924165029)) == pytest.approx(3.229650409, abs=1e-8)
    factor = calibration([(given_scores, winsorised)])
    assert factor == pytest.approx(2.018111110, abs=1e-8)


def test_calibration_with_uneven_seeds_weighs_each_task_by_its_own_seeds():
    given_scores = uneven(a=[0, 1, 2, 3], b=[10, 20, 40])
    parts = [(np.var([0, 1, 2, 3], ddof=1), 4), (np.var([10, 20, 40], ddof=1), 3)]
    share = [v / n for v, n in parts]
    degrees = sum(share) ** 2 / sum(s * s / (n - 1) for s, (_, n) in zip(share, parts, strict=True))
    seen = sum(v * (n - 1) / n**2 for v, n in parts)
    expected = np.sqrt(sum(share) / seen) * stats.t.ppf(0.975, degrees) / 1.96
    assert calibration([(given_scores, given_scores.values)]) == pytest.approx(expected, rel=1e-9)


@given(st.floats(1, 1e4))
def test_student_quantile_is_scipys(degrees):
    ours = student_quantile(np.array(degrees))
    assert ours == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-9)


def test_percentiles_are_linear():
    low, high = np.percentile(np.arange(1, 11), [2.5, 97.5])
    assert (low, high) == pytest.approx((1.225, 9.775))
    samples = estimate(scores(A), ("mean",), Bootstrap("percentile", resamples=700))["mean"]
    drawn = [evaluate(scores(A), "mean", c) for c in draw_counts(scores(A), 700, seed=0)]
    ends = np.percentile(np.concatenate(drawn, axis=1), [2.5, 97.5])
    assert (samples.low[0], samples.high[0]) == pytest.approx(tuple(ends))


@pytest.mark.parametrize("runs", [3, 24, 25, 300])
def test_counts_draw_every_seed_of_every_task_equally(runs):
    given_scores = uneven(a=range(runs), b=[1, 2, 3])
    counts = np.concatenate(list(draw_counts(given_scores, 2 * BLOCK + 7, seed=3)), axis=1)
    assert counts.shape == (runs + 3, 2 * BLOCK + 7)
    assert (counts[:runs].sum(axis=0) == runs).all()
    assert (counts[runs:].sum(axis=0) == 3).all()
    assert counts.mean(axis=1) == pytest.approx(1, abs=6 / np.sqrt(2 * BLOCK))
    drawn_once = stats.binom.pmf(1, runs, 1 / runs)
    assert (counts[:runs] == 1).mean() == pytest.approx(drawn_once, abs=0.05)


def test_tasks_and_conditions_are_drawn_independently():
    given_scores = uneven(a=range(5), b=range(5))
    first = np.concatenate(list(draw_counts(given_scores, BLOCK, seed=0)), axis=1)
    other = np.concatenate(list(draw_counts(given_scores, BLOCK, seed=0, stream=1)), axis=1)
    assert not np.array_equal(first[:5], first[5:])
    assert not np.array_equal(first, other)


def test_a_shorter_bootstrap_is_the_beginning_of_a_longer_one():
    def drawn(resamples):
        return np.concatenate(list(draw_counts(scores(A), resamples, seed=5)), axis=1)

    assert np.array_equal(drawn(3 * BLOCK)[:, : BLOCK + 9], drawn(BLOCK + 9))
    assert not np.array_equal(drawn(2 * BLOCK)[:, :BLOCK], drawn(2 * BLOCK)[:, BLOCK:])


def test_curves_draw_runs_once_and_equal_each_checkpoint_alone():
    values = np.random.default_rng(0).normal(size=(5, 4))
    curve = Scores.of({"a": dict(enumerate(values))})
    bands = estimate(curve, ALL, Bootstrap(resamples=800))
    for at in range(4):
        alone = estimate(uneven(a=values[:, at]), ALL, Bootstrap(resamples=800))
        for name in ALL:
            ours, single = bands[name], alone[name]
            assert close(ours.value[at], single.value[0])
            assert close(ours.low[at], single.low[0])
            assert close(ours.high[at], single.high[0])
    drawn = next(draw_counts(curve, BLOCK, seed=0))
    together = Scores.of({"a": dict(enumerate(values[:, :1] * [1, 2]))})
    same, doubled = evaluate(together, "iqm", drawn)
    assert doubled == pytest.approx(2 * same)


def test_the_calibrated_interval_widens_about_the_value():
    plain = estimate(scores(A), ("iqm",), Bootstrap("percentile"))["iqm"]
    wide = estimate(scores(A), ("iqm",), Bootstrap("calibrated"))["iqm"]
    assert wide.factor[0] == pytest.approx(2.018111110, abs=1e-8)
    assert close(wide.low[0], 0.68 + wide.factor[0] * (plain.low[0] - 0.68))
    assert close(wide.high[0], 0.68 + wide.factor[0] * (plain.high[0] - 0.68))


@pytest.mark.parametrize(("runs", "note"), [(1, "1 seed in b"), (2, "2 seeds in b"), (3, "")])
def test_fewer_than_three_seeds_have_no_interval(runs, note):
    found = estimate(uneven(a=[1, 2, 3, 4], b=range(runs)), ALL, Bootstrap(resamples=BLOCK))
    for each in found.values():
        assert each.note.startswith(note) if note else each.note == ""
        assert np.isnan(each.low).all() == bool(note)
        assert np.isfinite(each.value).all()


def test_equal_scores_say_so():
    found = estimate(uneven(a=[2, 2, 2]), ("iqm",), Bootstrap(resamples=BLOCK))["iqm"]
    assert (found.low[0], found.high[0], found.note) == (2, 2, "no variation seen")


def test_difference_has_an_interval_of_its_own():
    generator = np.random.default_rng(1)
    a = uneven(t=generator.normal(3, 1, 8), u=generator.normal(3, 1, 8), only_a=[0, 0, 0])
    b = uneven(u=generator.normal(1, 1, 5), t=generator.normal(1, 1, 5))
    found = difference(a, b, "mean", Bootstrap("percentile", resamples=4000))
    shared = ("t", "u")
    expected = evaluate(a.only(shared), "mean") - evaluate(b.only(shared), "mean")
    assert close(found.value[0], expected[0])
    variance = sum(
        values.var() / len(values) / 4
        for side in (a, b)
        for values in (side.only((task,)).values for task in shared)
    )
    width = 2 * 1.96 * np.sqrt(variance)
    assert found.high[0] - found.low[0] == pytest.approx(width, rel=0.1)


def test_a_paired_difference_ignores_what_both_sides_share():
    history = np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    a, b = uneven(t=history + [1, 1.1, 0.9, 1, 1]), uneven(t=history)
    paired = difference(a, b, "mean", Bootstrap(resamples=2000), paired=True)
    alone = difference(a, b, "mean", Bootstrap(resamples=2000))
    assert paired.low[0] > 0.8
    assert paired.high[0] < 1.2
    assert alone.low[0] < -10
    assert paired.factor[0] == pytest.approx(np.sqrt(5 / 4) * stats.t.ppf(0.975, 4) / 1.96)
    with pytest.raises(ValueError, match="same seeds"):
        difference(a, uneven(t=[1, 2, 3]), "mean", Bootstrap(), paired=True)


def test_few_seeds_on_either_side_leave_a_difference_without_interval():
    found = difference(uneven(t=[1, 2, 3]), uneven(t=[0, 1]), "iqm", Bootstrap())
    assert close(found.value[0], 1.5)
    assert np.isnan(found.low[0])
    assert found.note == "2 seeds in t: no interval"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "no tasks"),
        ({"a": {}}, "no seeds"),
        ({"a": {0: 1.0, 7: float("nan")}}, "seed 7 of a"),
        ({"a": {0: [1.0, 2.0], 1: [1.0]}}, "number of checkpoints"),
    ],
)
def test_refused_scores(table, message):
    with pytest.raises(ValueError, match=message):
        Scores.of(table)


def test_no_shared_task_is_refused():
    with pytest.raises(ValueError, match="no task in common"):
        difference(uneven(a=[1, 2, 3]), uneven(b=[1, 2, 3]), "mean", Bootstrap())


@settings(max_examples=30)
@given(st.permutations(range(6)), st.integers(0, 2**32 - 1))
def test_the_order_of_seeds_and_tasks_does_not_matter(shuffled, seed):
    values = np.random.default_rng(seed).normal(size=(6, 2))
    table = {"a": dict(enumerate(values[:, 0])), "b": dict(enumerate(values[:, 1]))}
    moved = {t: {s: table[t][s] for s in shuffled} for t in ("b", "a")}
    for name in ALL:
        here, there = evaluate(Scores.of(table), name), evaluate(Scores.of(moved), name)
        assert here == pytest.approx(there, abs=1e-12)


def test_import_needs_numpy_alone():
    code = (
        "import sys, primacy.runs.statistics;"
        "print([m for m in ('torch', 'pandas', 'scipy', 'altair') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
