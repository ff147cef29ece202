"""Estimates of one condition: aggregates, score profiles, task means, and what to say of them."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from primacy.runs.aggregates import AGGREGATES, Statistic, share, task_means
from primacy.runs.inference import Estimate, Quantity, infer, jackknife, too_few, without_interval
from primacy.runs.intervals import NORMAL_QUANTILE, student_quantile
from primacy.runs.resampling import Bootstrap, Draw, exact
from primacy.runs.scores import Array, Scores


def quantity(scores: Scores, name: str) -> Quantity:
    """An aggregate of one condition, ready to be estimated."""
    aggregate, design, values = AGGREGATES[name], scores.design, scores.values
    value, deviations = aggregate.statistic(design, values, np.float32)
    return Quantity(
        value,
        deviations,
        [(scores, aggregate.drive(design, values))],
        lambda: jackknife(scores, aggregate.statistic(design, values, np.float64).deviations),
        lambda draw: aggregate.errors(design, values)(draw),
    )


def estimate(scores: Scores, names: tuple[str, ...], bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Aggregates `names` with their intervals, all from the same resamples.

    With K > 1 checkpoints the runs are drawn once and used at each. The band is pointwise unless
    `bootstrap.band` says otherwise.
    """
    return infer({name: quantity(scores, name) for name in names}, (scores,), bootstrap)


def profile(
    scores: Scores,
    thresholds: npt.ArrayLike,
    bootstrap: Bootstrap,
    over: Literal["runs", "tasks"] = "runs",
) -> Estimate:
    """Share of runs, or of tasks by their means, above each threshold (strictly), at the last step.

    Over runs, tasks count equally; over the runs of `scores.pooled()`, runs do. Intervals are
    cut to [0, 1]. Over tasks there is no standard error: studentised gives percentile intervals.

    Args:
        thresholds: [K], in units of the scores.

    Returns:
        value, low and high [K].
    """
    levels = np.atleast_1d(np.asarray(thresholds, dtype=float))
    return within_unit(infer({"": PROFILES[over](scores, levels)}, (scores,), bootstrap)[""])


def _profile_over_runs(scores: Scores, levels: Array) -> Quantity:
    design, above = scores.design, (scores.values[:, -1:] > levels).astype(float)
    value, deviations = share(design, above, np.float32)
    return Quantity(
        value,
        deviations,
        [(scores, above)],
        lambda: jackknife(scores, share(design, above, np.float64).deviations),
        lambda draw: AGGREGATES["mean"].errors(design, above)(draw),
    )


def _profile_over_tasks(scores: Scores, levels: Array) -> Quantity:
    value, deviations = _share_of_tasks(scores, levels)
    return Quantity(
        value,
        deviations,
        [(scores, np.repeat(scores.values[:, -1:], len(levels), axis=1))],
        lambda: jackknife(scores, deviations),
        lambda draw: np.zeros((len(levels), draw.counts.shape[1])),
    )


PROFILES = {"runs": _profile_over_runs, "tasks": _profile_over_tasks}


def _share_of_tasks(scores: Scores, levels: Array) -> Statistic:
    # In float64: a mean that equals a threshold must not pass it by rounding.
    means = task_means(scores.design, scores.values[:, -1:], np.float64)

    def count(draw: Draw) -> Array:
        found = [layer[:, 0] for layer in means(draw)]
        above = [sum(((m > level) & np.isfinite(m)).sum(axis=0) for m in found) for level in levels]
        return np.stack(above) / len(scores.tasks)

    value = count(exact(np.ones((len(scores.values), 1))))
    return Statistic(value[:, 0], lambda draw: count(draw) - value)


def within_unit(found: Estimate) -> Estimate:
    """A share or probability: its interval cut to [0, 1]."""
    return found._replace(low=np.clip(found.low, 0, 1), high=np.clip(found.high, 0, 1))


def per_task(scores: Scores, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Mean of each task with Student's t interval, mean +- t s / sqrt(n): no resampling."""
    result = {}
    for task in scores.tasks:
        one = scores.only((task,))
        runs, value = len(one.values), one.values.mean(axis=0)
        if runs < bootstrap.fewest:
            result[task] = without_interval(value, too_few((one,), Bootstrap()))
            continue
        reach = student_quantile(runs - 1) * one.values.std(axis=0, ddof=1) / np.sqrt(runs)
        wider = student_quantile(runs - 1) / NORMAL_QUANTILE * np.sqrt(runs / (runs - 1))
        still = np.ptp(one.values, axis=0).max() == 0
        note = "no variation seen" if still else ""
        factor = np.full_like(value, wider)
        result[task] = Estimate(value, value - reach, value + reach, factor, note)
    return result


def cautions(*sides: Scores) -> tuple[str, ...]:
    """What a reader must be told of so few seeds or tasks; empty where there are enough.

    The coverages are of smoothed public results; docs/results/coverage.md has 86 and 88 to 91%
    on synthetic ones.
    """
    seeds = min(int(side.sizes.min()) for side in sides)
    said = []
    if seeds < 3:
        said.append(f"{seeds} seed{'s' * (seeds > 1)}: too few for an interval")
    elif seeds < 5:
        said.append(
            f"{seeds} seeds: a plain 95% percentile interval covers about {COVERED[seeds]}%"
        )
    tasks = min(len(side.tasks) for side in sides)
    if tasks < 5:
        said.append(
            f"{tasks} task{'s' * (tasks > 1)}: the IQM over fewer than 5 tasks is unstable, "
            "read the mean of each task first"
        )
    return tuple(said)


COVERED = {3: 85, 4: 89}
"""Coverage in percent of nominal 95% percentile intervals over ten or more tasks, by seeds."""
