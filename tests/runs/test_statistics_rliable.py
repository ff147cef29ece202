"""Our aggregates and percentile intervals beside rliable's, on random matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rliable import library, metrics

from primacy.runs.statistics import AGGREGATES, Bootstrap, Scores, estimate, evaluate

RLIABLE = {
    "iqm": metrics.aggregate_iqm,
    "median": metrics.aggregate_median,
    "mean": metrics.aggregate_mean,
    "optimality_gap": metrics.aggregate_optimality_gap,
}


def scores(matrix):
    return Scores.of({f"task{t}": dict(enumerate(column)) for t, column in enumerate(matrix.T)})


@settings(max_examples=150, deadline=None)
@given(
    arrays.arrays(
        float,
        st.tuples(st.integers(1, 12), st.integers(1, 8)),
        elements=st.floats(-3, 30, width=32),
    )
)
def test_aggregates_equal_rliables(matrix):
    for name, reference in RLIABLE.items():
        assert evaluate(scores(matrix), name)[0] == pytest.approx(reference(matrix), abs=1e-10)


@pytest.mark.parametrize(("runs", "tasks"), [(5, 4), (10, 6), (30, 2)])
def test_percentile_intervals_agree_to_bootstrap_noise(runs, tasks):
    generator = np.random.default_rng([runs, tasks])
    matrix = generator.normal(generator.normal(0.8, 0.4, tasks), 0.3, (runs, tasks))
    np.random.seed(0)  # rliable resamples with the global generator
    _, theirs = library.get_interval_estimates(
        {"x": matrix}, lambda x: np.array([f(x) for f in RLIABLE.values()]), reps=4000
    )
    ours = estimate(scores(matrix), tuple(AGGREGATES), Bootstrap("percentile", resamples=20000))
    for column, name in enumerate(RLIABLE):
        low, high = theirs["x"][:, column]
        found = ours[name]
        # Two standard errors of rliable's own 2.5% end at 4000 resamples are 2% of the width.
        noise = 0.06 * (high - low)
        assert found.low[0] == pytest.approx(low, abs=noise)
        assert found.high[0] == pytest.approx(high, abs=noise)
