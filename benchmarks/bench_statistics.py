"""Bootstrap intervals by CPU time beside rliable's, taking turns in one run: 26 tasks x 10 runs.

    python benchmarks/bench_statistics.py               # about three minutes, nearly all rliable's

rliable's time grows with its resamples, so it is run with fewer of them and its time multiplied;
the table says by how much. Times are medians over rounds of CPU seconds of this process, all
threads together. rliable comes with the development dependencies (make test installs them).
"""

import argparse
import resource
import sys
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from rliable import library, metrics

from primacy.runs.statistics import AGGREGATES, Bootstrap, Scores, estimate, improvement, profile

TASKS, RUNS, CHECKPOINTS, THRESHOLDS = 26, 10, 101, 201
ALL = tuple(AGGREGATES)
RLIABLE = (
    metrics.aggregate_iqm,
    metrics.aggregate_median,
    metrics.aggregate_mean,
    metrics.aggregate_optimality_gap,
)


class Race(NamedTuple):
    """The same intervals by two libraries."""

    title: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any] | None
    scale: float
    """By how much rliable had fewer resamples."""


def scores(values: np.ndarray) -> Scores:
    """From rliable's layout, [runs, tasks, ...]."""
    return Scores.of({f"t{t}": dict(enumerate(values[:, t])) for t in range(values.shape[1])})


def aggregates(values: np.ndarray, reps: int, *chosen: Callable) -> Callable[[], Any]:
    return lambda: library.get_interval_estimates(
        {"x": values}, lambda x: np.array([f(x) for f in chosen]), reps=reps
    )


def curve(values: np.ndarray, reps: int) -> Callable[[], Any]:
    def iqm(x: np.ndarray) -> np.ndarray:
        return np.array([metrics.aggregate_iqm(x[..., k]) for k in range(CHECKPOINTS)])

    return lambda: library.get_interval_estimates({"x": values}, iqm, reps=reps)


def races(reps: int) -> list[Race]:
    generator = np.random.default_rng(0)
    means = generator.normal(0.6, 0.4, (1, TASKS))
    flat = generator.normal(means, 0.3, (RUNS, TASKS))
    other = generator.normal(means, 0.3, (RUNS, TASKS))
    curves = generator.normal(means[..., None], 0.3, (RUNS, TASKS, CHECKPOINTS))
    levels = np.linspace(0, 1, THRESHOLDS)
    a, b, c = scores(flat), scores(other), scores(curves)
    few, many = Bootstrap("percentile", 2000), Bootstrap("percentile", 50_000)
    pair = {"x,y": (flat, other)}
    return [
        Race(
            "IQM, 2,000 resamples",
            lambda: estimate(a, ("iqm",), few),
            aggregates(flat, reps, RLIABLE[0]),
            2000 / reps,
        ),
        Race(
            "four aggregates, 2,000",
            lambda: estimate(a, ALL, few),
            aggregates(flat, reps, *RLIABLE),
            2000 / reps,
        ),
        Race(
            "IQM, 50,000",
            lambda: estimate(a, ("iqm",), many),
            aggregates(flat, reps, RLIABLE[0]),
            50_000 / reps,
        ),
        Race(
            "four aggregates, 50,000",
            lambda: estimate(a, ALL, many),
            aggregates(flat, reps, *RLIABLE),
            50_000 / reps,
        ),
        Race(
            f"IQM at {CHECKPOINTS} checkpoints, 2,000",
            lambda: estimate(c, ("iqm",), few),
            curve(curves, reps // 20),
            20 * 2000 / reps,
        ),
        Race(f"four at {CHECKPOINTS} checkpoints, 2,000", lambda: estimate(c, ALL, few), None, 1),
        Race(
            f"profile, {THRESHOLDS} thresholds, 2,000",
            lambda: profile(a, levels, few),
            lambda: library.create_performance_profile({"x": flat}, levels, reps=reps // 4),
            4 * 2000 / reps,
        ),
        Race(
            "P(improvement), 2,000",
            lambda: improvement(a, b, few),
            lambda: library.get_interval_estimates(
                pair, metrics.probability_of_improvement, reps=reps // 40
            ),
            40 * 2000 / reps,
        ),
    ]


def seconds(way: Callable[[], Any]) -> float:
    start = time.process_time()
    way()
    return time.process_time() - start


def peak_megabytes() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--resamples", type=int, default=2000, help="of rliable for one number")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("CPU seconds, medians; ours / rliable / rliable's over ours (rliable's time x)")
    before = peak_megabytes()
    for race in races(options.resamples):
        ours, theirs = [], []
        race.ours()
        for _ in range(options.rounds):
            ours.append(seconds(race.ours))
            if race.theirs:
                theirs.append(race.scale * seconds(race.theirs))
        mine = median(ours)
        line = f"{race.title:<34} {mine:8.4f}"
        if theirs:
            line += f" {median(theirs):9.2f} {median(theirs) / mine:8.0f} (x{race.scale:g})"
        print(line, flush=True)
    print(
        f"peak memory {peak_megabytes():.0f} MB, of it {before:.0f} MB before the first bootstrap"
    )


if __name__ == "__main__":
    main()
