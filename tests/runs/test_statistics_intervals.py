"""Each kind of interval beside scipy's, arch's or its definition."""

import numpy as np
import pytest
from arch.bootstrap import IIDBootstrap
from scipy import stats

from primacy.runs.aggregates import AGGREGATES
from primacy.runs.estimates import quantity
from primacy.runs.inference import jackknife, resampled
from primacy.runs.intervals import INTERVALS, acceleration
from primacy.runs.resampling import Bootstrap, draw_counts, draws, exact
from primacy.runs.statistics import (
    Scores,
    cautions,
    difference,
    estimate,
    evaluate,
    per_task,
    student_quantile,
)
from primacy.tests.support.plain_statistics import scores_of

ALL = tuple(AGGREGATES)
SKEWED = np.exp(np.random.default_rng(4).normal(0, 1, 10))


def ends(found, at=0):
    return found.low[at], found.high[at]


def influences(scores, name):
    return jackknife(
        scores, AGGREGATES[name].statistic(scores.design, scores.values, np.float64).deviations
    )


def test_acceleration_of_the_mean():
    found = acceleration(influences(scores_of(a=[1, 2, 4, 8]), "mean"))
    assert found[0] == pytest.approx(0.054733977874974894, abs=1e-14)


def test_influences_are_those_of_leaving_each_run_out():
    given_scores = scores_of(a=[1.0, 2, 4, 8], b=[3.0, 5, 4])
    found = influences(given_scores, "mean")[:, 0]
    expected = []
    for task, others in (("a", [3, 5, 4]), ("b", [1, 2, 4, 8])):
        runs = given_scores.only((task,)).values[:, 0]
        left_out = [
            np.mean([np.delete(runs, run).mean(), np.mean(others)]) for run in range(len(runs))
        ]
        expected += [(np.mean(left_out) - x) * (len(runs) - 1) / len(runs) for x in left_out]
    assert found == pytest.approx(expected, abs=1e-12)


def test_no_influence_no_acceleration():
    assert acceleration(np.zeros((4, 2))).tolist() == [0, 0]


@pytest.mark.parametrize(("ours", "theirs"), [("bca", "BCa"), ("basic", "basic")])
@pytest.mark.parametrize("seed", [0, 4])
def test_intervals_of_a_mean_are_scipys(ours, theirs, seed):
    values = np.exp(np.random.default_rng(seed).normal(0, 1.5, 10))
    expected = stats.bootstrap(
        (values,), np.mean, method=theirs, n_resamples=40_000, rng=np.random.default_rng(0)
    ).confidence_interval
    found = estimate(scores_of(a=values), ("mean",), Bootstrap(ours, resamples=40_000))["mean"]
    noise = 0.02 * (expected.high - expected.low)
    assert ends(found) == pytest.approx((expected.low, expected.high), abs=noise)
    plain = estimate(scores_of(a=values), ("mean",), Bootstrap("percentile", 40_000))["mean"]
    assert abs(plain.high[0] - expected.high) > 2 * noise


def test_the_studentised_interval_of_a_mean_is_archs():
    def mean(x):
        return np.array([x.mean()])

    theirs = IIDBootstrap(SKEWED, seed=np.random.default_rng(0)).conf_int(
        mean,
        reps=20_000,
        method="studentized",
        std_err_func=lambda _, x: np.array([x.std(ddof=1) / np.sqrt(len(x))]),
    )
    found = estimate(scores_of(a=SKEWED), ("mean",), Bootstrap("studentised", 20_000))["mean"]
    width = theirs[1, 0] - theirs[0, 0]
    assert ends(found) == pytest.approx(tuple(theirs[:, 0]), abs=0.05 * width)


@pytest.mark.parametrize("name", ALL)
def test_standard_errors_of_resamples_are_those_of_the_runs_they_repeat(name):
    generator = np.random.default_rng(2)
    given_scores = scores_of(**{t: generator.normal(t == "c", 1, 6) for t in "abcd"})
    (draw,) = next(draws((given_scores,), Bootstrap()))
    found = AGGREGATES[name].errors(given_scores.design, given_scores.values)(draw)
    for resample in range(8):
        flat = np.repeat(given_scores.values[:, 0], draw.counts[:, resample].astype(int))
        again = flat.reshape(4, 6)
        if name == "iqm":
            low, high = np.sort(flat)[[6, 17]]
            expected = np.sqrt(6 * again.clip(low, high).var(axis=1, ddof=1).sum()) / 12
        elif name == "median":
            middle = np.argsort(again.mean(axis=1))[1:3]
            expected = np.sqrt((again.var(axis=1, ddof=1) / 6)[middle].sum()) / 2
        else:
            used = np.minimum(again, 1) if name == "optimality_gap" else again
            expected = np.sqrt((used.var(axis=1, ddof=1) / 6).sum()) / 4
        assert found[0, resample] == pytest.approx(expected, rel=1e-4)


def test_the_standard_error_of_the_iqm_is_winsorised():
    a = scores_of(a=[0.1, 0.3, 0.2], b=[0.9, 0.7, 1.1], c=[1.2, 1.6, 0.4])
    found = AGGREGATES["iqm"].errors(a.design, a.values)(exact(np.ones((9, 1))))
    assert found[0, 0] == pytest.approx(0.1562049935, abs=1e-10)


@pytest.mark.parametrize("interval", list(INTERVALS))
def test_every_interval_is_finite_and_holds_the_value_of_few_seeds(interval):
    given_scores = scores_of(a=[0.1, 0.1, 0.1], b=[0.2, 0.9, 0.4])
    for found in estimate(given_scores, ALL, Bootstrap(interval)).values():
        assert np.isfinite(found.low).all()
        assert (found.low <= found.value).all()
        assert (found.high >= found.value).all()
        assert (found.high > found.low).all()


@pytest.mark.parametrize("interval", list(INTERVALS))
def test_every_interval_of_equal_scores_has_no_width(interval):
    given_scores = scores_of(a=[0.1] * 3, b=[0.7] * 5)
    for found in estimate(given_scores, ALL, Bootstrap(interval)).values():
        assert found.note == "no variation seen"
        assert ends(found) == pytest.approx((found.value[0],) * 2, abs=1e-12)


@pytest.mark.parametrize("interval", list(INTERVALS))
def test_the_interval_of_a_mirrored_difference_is_mirrored(interval):
    generator = np.random.default_rng(8)
    a = scores_of(**{t: np.exp(generator.normal(0, 1, 8)) for t in "abc"})
    b = scores_of(**{t: generator.normal(0, 1, 6) for t in "abc"})
    how = Bootstrap(interval, resamples=40_000)
    here, there = difference(a, b, "iqm", how), difference(b, a, "iqm", how)
    width = here.high[0] - here.low[0]
    mirrored = (-there.high[0], -there.low[0])
    assert ends(here) == pytest.approx(mirrored, abs=0.03 * width)


@pytest.mark.parametrize("interval", ["bca", "studentised"])
def test_a_paired_difference_has_every_interval(interval):
    history = np.array([0.0, 10.0, 20.0, 30.0, 40.0, 50.0])
    a, b = scores_of(t=history + [1, 1.1, 0.9, 1, 1.05, 0.95]), scores_of(t=history)
    found = difference(a, b, "mean", Bootstrap(interval), paired=True)
    assert 0.8 < found.low[0] < 1 < found.high[0] < 1.2


def test_a_simultaneous_band_holds_whole_curves():
    generator = np.random.default_rng(1)
    curves = generator.normal(0, 1, (12, 20)).cumsum(axis=1)
    given_scores = scores_of(a=curves[:6], b=curves[6:])
    how = Bootstrap("percentile", band="simultaneous")
    band = estimate(given_scores, ("mean",), how)["mean"]
    plain = estimate(given_scores, ("mean",), Bootstrap("percentile"))["mean"]
    moved = resampled(quantity(given_scores, "mean"), (given_scores,), Bootstrap())
    curves = band.value[:, None] + moved

    def held(low, high):
        return ((curves >= low[:, None]) & (curves <= high[:, None])).all(axis=0).mean()

    assert held(band.low, band.high) == pytest.approx(0.95, abs=0.002)
    assert held(plain.low, plain.high) < 0.9
    wider = estimate(given_scores, ("mean",), Bootstrap(band="simultaneous"))["mean"]
    assert wider.high - wider.value == pytest.approx(wider.factor * (band.high - band.value))


def test_one_number_has_no_band():
    given_scores = scores_of(a=SKEWED)
    band = estimate(given_scores, ("mean",), Bootstrap(band="simultaneous"))["mean"]
    assert ends(band) == ends(estimate(given_scores, ("mean",), Bootstrap())["mean"])


def test_task_means_have_students_interval():
    given_scores = scores_of(a=SKEWED, b=[1.0, 1.0, 1.0], c=[1.0, 2.0])
    found = per_task(given_scores, Bootstrap())
    expected = stats.t.interval(
        0.95, len(SKEWED) - 1, SKEWED.mean(), SKEWED.std(ddof=1) / np.sqrt(len(SKEWED))
    )
    assert ends(found["a"]) == pytest.approx(expected, rel=1e-9)
    assert found["b"].note == "no variation seen"
    assert (found["c"].value[0], found["c"].note) == (1.5, "2 seeds in c: no interval")
    assert np.isnan(found["c"].low[0])
    two = per_task(given_scores, Bootstrap(fewest=2))["c"]
    assert two.high[0] - 1.5 == pytest.approx(student_quantile(1) / 2)
    assert per_task(scores_of(a=np.ones((4, 3))), Bootstrap())["a"].low.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("tasks", "seeds", "said"),
    [
        (5, 5, []),
        (5, 2, ["2 seeds: too few for an interval"]),
        (5, 3, ["3 seeds: a plain 95% percentile interval covers about 85%"]),
        (5, 4, ["4 seeds: a plain"]),
        (4, 5, ["4 tasks: the IQM over fewer than 5 tasks is unstable"]),
        (1, 1, ["1 seed: too few", "1 task: the IQM"]),
    ],
)
def test_what_is_said_of_few_seeds_and_tasks(tasks, seeds, said):
    enough = scores_of(**{f"t{n}": range(10) for n in range(10)})
    found = cautions(enough, scores_of(**{f"t{n}": range(seeds) for n in range(tasks)}))
    assert len(found) == len(said)
    assert all(text.startswith(start) for text, start in zip(found, said, strict=True))


def test_the_curve_of_each_interval_is_that_of_each_checkpoint_alone():
    generator = np.random.default_rng(3)
    table = {t: generator.normal(0, 1, (5, 3)) for t in "ab"}
    curve = scores_of(**table)
    for interval in INTERVALS:
        bands = estimate(curve, ALL, Bootstrap(interval))
        for at in range(3):
            one = Scores(curve.seeds, curve.values[:, [at]])
            for name, alone in estimate(one, ALL, Bootstrap(interval)).items():
                assert ends(bands[name], at) == pytest.approx(ends(alone), abs=1e-6)


def test_float32_resamples_are_float64s():
    generator = np.random.default_rng(6)
    given_scores = scores_of(**{t: 1000 + generator.normal(0, 1, 7) for t in "abcde"})
    counts = next(draw_counts(given_scores, 500, seed=0))
    for name in ("iqm", "median", "mean"):
        precise = evaluate(given_scores, name, counts)[0] - evaluate(given_scores, name)[0]
        found = resampled(quantity(given_scores, name), (given_scores,), Bootstrap(resamples=500))
        assert found[0] == pytest.approx(precise, abs=3e-6)
