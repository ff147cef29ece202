"""What is read off whole learning curves: area under the curve and steps to a threshold.

Both are valid because a resample draws whole runs, the same at every checkpoint.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from primacy.runs.estimates import quantity
from primacy.runs.inference import Estimate, factor, resampled, too_few, without_interval
from primacy.runs.resampling import Bootstrap
from primacy.runs.scores import Array, BadScores, Scores


def area_under_curve(scores: Scores, steps: npt.ArrayLike) -> Scores:
    """Each run's trapezoid area over `steps` / their range: its mean score on the way; K = 1.

    Aggregates and differences of the result are the usual ones.

    Args:
        steps: [K] at least two, ascending, in any unit of progress.

    Raises:
        BadScores: fewer than two steps, not one per checkpoint, or not ascending.
    """
    grid = _grid(scores, steps, fewest=2)
    area = ((scores.values[:, 1:] + scores.values[:, :-1]) / 2 * np.diff(grid)).sum(axis=1)
    return replace(scores, values=area[:, None] / (grid[-1] - grid[0]))


def steps_to_threshold(
    scores: Scores, steps: npt.ArrayLike, level: float, aggregate: str, bootstrap: Bootstrap
) -> Estimate:
    """First of `steps` at which the aggregate's curve is at least `level`; infinite where never.

    The ends are steps of the grid, or infinite: percentiles of the first crossing of each resampled
    curve, rounded outwards. For calibrated intervals the resampled curves are first widened about
    the curve itself by the factor of each checkpoint; the other intervals are not defined for a
    first crossing and give percentiles, which the note says. The interval is pointwise.

    Returns:
        value, low, high and factor (the largest of the curve) [1].

    Raises:
        BadScores: not one step per checkpoint, or steps that do not ascend.
    """
    grid = _grid(scores, steps, fewest=1)
    curve = quantity(scores, aggregate)
    value = _first(curve.value[:, None], grid, level)
    if note := too_few((scores,), bootstrap):
        return without_interval(value, note)
    widening = factor(curve, bootstrap)
    wider = widening if bootstrap.interval == "calibrated" else np.ones_like(widening)
    moved = wider[:, None] * resampled(curve, (scores,), bootstrap)
    reached = _first(curve.value[:, None] + moved, grid, level)
    low = np.percentile(reached, 2.5, method="lower")
    high = np.percentile(reached, 97.5, method="higher")
    known = bootstrap.interval in ("calibrated", "percentile")
    note = "" if known else f"percentile interval: {bootstrap.interval} is not defined here"
    return Estimate(value, np.array([low]), np.array([high]), widening.max(keepdims=True), note)


def _first(curves: npt.NDArray, grid: Array, level: float) -> Array:
    """[B]: first step at which each of the curves [K, B] reaches the level."""
    there = curves >= level
    return np.where(there.any(axis=0), grid[there.argmax(axis=0)], np.inf)


def _grid(scores: Scores, steps: npt.ArrayLike, fewest: int) -> Array:
    grid = np.asarray(steps, dtype=float)
    if grid.shape != (scores.values.shape[1],) or len(grid) < fewest:
        raise BadScores(
            f"{grid.size} steps for {scores.values.shape[1]} checkpoints",
            f"give one step per checkpoint, at least {fewest}",
        )
    if not (np.diff(grid) > 0).all():
        raise BadScores("steps do not ascend", "sort the checkpoints by step and drop repeats")
    return grid
