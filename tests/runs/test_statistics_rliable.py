"""Our aggregates and percentile intervals beside rliable's, on random matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rliable import library, metrics

from primacy.runs.statistics import (
    AGGREGATES,
    Bootstrap,
    Scores,
    estimate,
    evaluate,
    improvement,
    probability_of_improvement,
    profile,
)

RLIABLE = {
    "iqm": metrics.aggregate_iqm,
    "median": metrics.aggregate_median,
    "mean": metrics.aggregate_mean,
    "optimality_gap": metrics.aggregate_optimality_gap,
}


def scores(matrix):
    return Scores.of({f"task{t}": dict(enumerate(column)) for t, column in enumerate(matrix.T)})


def matrices(least=1):
    return arrays.arrays(
        float,
        st.tuples(st.integers(least, 12), st.integers(1, 8)),
        elements=st.floats(-3, 30, width=32),
    )


@settings(max_examples=150, deadline=None)
@given(matrices())
def test_aggregates_equal_rliables(matrix):
    for name, reference in RLIABLE.items():
        assert evaluate(scores(matrix), name)[0] == pytest.approx(reference(matrix), abs=1e-10)


@settings(max_examples=50, deadline=None)
@given(matrices(), st.data())
def test_improvement_and_profiles_equal_rliables(matrix, data):
    tasks = matrix.shape[1]
    other = data.draw(
        arrays.arrays(float, (data.draw(st.integers(1, 6)), tasks), elements=st.floats(-3, 30))
    )
    expected = metrics.probability_of_improvement(matrix, other)
    assert probability_of_improvement(scores(matrix), scores(other)) == pytest.approx(expected)
    levels = np.array([-1.0, 0.0, float(matrix[0, 0]), 7.5])
    for over, reference in (
        ("runs", library.run_score_deviation),
        ("tasks", library.mean_score_deviation),
    ):
        if over == "tasks":
            levels = levels[:2]
        expected = [reference(matrix, level) for level in levels]
        assert profile(scores(matrix), levels, Bootstrap(), over=over).value == pytest.approx(
            expected, abs=1e-10
        )


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    st.integers(3, 12),
    st.integers(1, 8),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["runs", "both"]),
)
def test_percentile_intervals_agree_to_bootstrap_noise(runs, tasks, seed, unit):
    tasks = max(tasks, 3) if unit == "both" else tasks
    generator = np.random.default_rng(seed)
    matrix = generator.normal(generator.normal(0.8, 0.4, tasks), 0.3, (runs, tasks))
    np.random.seed(0)  # rliable resamples with the global generator
    _, theirs = library.get_interval_estimates(
        {"x": matrix},
        lambda x: np.array([f(x) for f in RLIABLE.values()]),
        reps=1000,
        task_bootstrap=unit == "both",
    )
    ours = estimate(
        scores(matrix),
        tuple(AGGREGATES),
        Bootstrap("percentile", resamples=20_000, resample=unit),
    )
    for column, name in enumerate(RLIABLE):
        low, high = theirs["x"][:, column]
        found = ours[name]
        # A standard error of rliable's own 2.5% end at 1000 resamples is 2.2% of the width; few
        # runs or tasks leave steps between the possible values.
        noise = 0.12 * (high - low) + 1e-6
        assert found.low[0] == pytest.approx(low, abs=noise)
        assert found.high[0] == pytest.approx(high, abs=noise)


def test_improvement_intervals_agree_to_bootstrap_noise():
    generator = np.random.default_rng(1)
    x, y = generator.normal(0.3, 1, (8, 3)), generator.normal(0, 1, (6, 3))
    np.random.seed(0)
    _, theirs = library.get_interval_estimates(
        {"x,y": (x, y)}, metrics.probability_of_improvement, reps=500
    )
    found = improvement(scores(x), scores(y), Bootstrap("percentile", resamples=20_000))
    assert (found.low[0], found.high[0]) == pytest.approx(theirs["x,y"].ravel(), abs=0.04)


def test_profile_bands_agree_to_bootstrap_noise():
    matrix = np.random.default_rng(2).normal(0.5, 0.4, (6, 10))
    levels = np.linspace(0, 1, 5)
    np.random.seed(0)
    _, theirs = library.create_performance_profile({"x": matrix}, levels, reps=1000)
    found = profile(scores(matrix), levels, Bootstrap("percentile", resamples=20_000))
    assert found.low == pytest.approx(theirs["x"][0], abs=0.025)
    assert found.high == pytest.approx(theirs["x"][1], abs=0.025)
