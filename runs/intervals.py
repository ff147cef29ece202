"""95% intervals from bootstrap deviations: how each is made, and how wide it must be.

Axes: K checkpoints, R resamples, M runs of all sides of a comparison.
"""

import math
from collections.abc import Callable
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from primacy.runs.bootstrap_choices import Interval
from primacy.runs.scores import Array, Scores

Float = npt.NDArray[np.floating]

NORMAL_QUANTILE = 1.96
"""Two-sided 95% quantile of the normal law, rounded as the calibrated interval defines it."""

ENDS = (2.5, 97.5)
"""Percentiles at the ends of a 95% interval."""

SMALLEST_ERROR = 0.25
"""Least standard error of a resample in the studentised interval, as a share of the sample's."""


class Sampled(NamedTuple):
    """What an interval is made of."""

    value: Array
    """[K]."""
    deviations: Float
    """[K, R]: each resample's value minus `value`."""
    factor: Array
    """[K]: widening of the calibrated interval."""
    influences: Callable[[], Array]
    """[M, K]: what each run contributes to the deviation, from leaving it out."""
    errors: Callable[[], tuple[Array, Float]]
    """Standard errors of the value [K] and of every resample [K, R]."""


def _ends(deviations: Float) -> Array:
    """[2, K]."""
    return np.percentile(deviations, ENDS, axis=1).astype(float)


def _percentile(sampled: Sampled) -> tuple[Array, Array]:
    low, high = _ends(sampled.deviations)
    return sampled.value + low, sampled.value + high


def _calibrated(sampled: Sampled) -> tuple[Array, Array]:
    low, high = sampled.factor * _ends(sampled.deviations)
    return sampled.value + low, sampled.value + high


def _basic(sampled: Sampled) -> tuple[Array, Array]:
    low, high = _ends(sampled.deviations)
    return sampled.value - high, sampled.value - low


def acceleration(influences: Array) -> Array:
    """Efron's acceleration [K] of influences [M, K]; 0 where nothing varies."""
    squares = (influences**2).sum(axis=0)
    cubes = (influences**3).sum(axis=0)
    return np.where(squares > 0, cubes / (6 * np.where(squares > 0, squares, 1) ** 1.5), 0.0)


def _bca(sampled: Sampled) -> tuple[Array, Array]:
    """Bias-corrected and accelerated (Efron 1987), each task's runs left out one at a time.

    Resamples equal to the value, to rounding, count half as below it.
    """
    law = NormalDist()
    skew = acceleration(sampled.influences())
    result = np.empty((2, len(sampled.value)))
    for k, row in enumerate(sampled.deviations):
        rounding = 1e-6 * np.abs(row).max()
        below = ((row < -rounding) + 0.5 * (np.abs(row) <= rounding)).mean()
        # One resample's worth inside (0, 1): the normal quantile of 0 or 1 is infinite.
        bias = law.inv_cdf(min(max(below, 0.5 / len(row)), 1 - 0.5 / len(row)))
        shifted = [bias + law.inv_cdf(end / 100) for end in ENDS]
        shares = [law.cdf(bias + z / (1 - skew[k] * z)) for z in shifted]
        result[:, k] = np.quantile(row, shares)
    return sampled.value + result[0], sampled.value + result[1]


def _studentised(sampled: Sampled) -> tuple[Array, Array]:
    """Bootstrap-t: percentiles of deviation / its own standard error, times the sample's.

    A resample in which a task happens not to vary has a standard error near 0 and would make the
    interval unbounded: no error counts for less than `SMALLEST_ERROR` of the sample's. Where the
    sample's own is 0 although resamples differ, the percentile interval stands.
    """
    own, each = sampled.errors()
    floor = np.where(own > 0, SMALLEST_ERROR * own, 1.0)
    ratios = sampled.deviations / np.maximum(each, floor[:, None])
    low, high = _ends(ratios)
    bottom, top = _percentile(sampled)
    return (
        np.where(own > 0, sampled.value - high * own, bottom),
        np.where(own > 0, sampled.value - low * own, top),
    )


INTERVALS: dict[Interval, Callable[[Sampled], tuple[Array, Array]]] = {
    "calibrated": _calibrated,
    "percentile": _percentile,
    "bca": _bca,
    "basic": _basic,
    "studentised": _studentised,
}


def simultaneous(sampled: Sampled, interval: str) -> tuple[Array, Array]:
    """A band that holds the whole curve in 95% of cases: value +- q x standard deviation.

    q is the 95% quantile over resamples of the largest |deviation| / standard deviation of any
    checkpoint; with the calibrated interval the band is widened by its factor.
    """
    spread = sampled.deviations.std(axis=1, dtype=float)
    scaled = np.abs(sampled.deviations) / np.where(spread > 0, spread, 1.0)[:, None]
    reach = np.quantile(scaled.max(axis=0), 0.95) * spread
    if interval == "calibrated":
        reach = reach * sampled.factor
    return sampled.value - reach, sampled.value + reach


@cache
def _quadrature() -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(48)


def student_quantile(degrees: npt.ArrayLike) -> Array:
    """Two-sided 95% quantile of Student's t at `degrees` >= 1 degrees of freedom, any shape.

    With t = sqrt(df) tan(a) the probability of |t| is an integral of cos(a)**(df - 1), which
    Gauss-Legendre quadrature gives to rounding error. It is concave in the angle, so that Newton's
    steps from 0 approach the quantile from below.
    """
    given = np.asarray(degrees, dtype=float)
    flat, places = np.unique(given.ravel(), return_inverse=True)
    total = np.array([math.exp(math.lgamma(d / 2) - math.lgamma((d + 1) / 2)) for d in flat])
    total *= math.sqrt(math.pi) / 2
    nodes, node_weights = _quadrature()
    angle = np.zeros_like(flat)
    for _ in range(20):
        heights = np.cos(angle[:, None] * (nodes + 1) / 2) ** (flat[:, None] - 1)
        short = 0.95 * total - heights @ node_weights * angle / 2
        if (short < 1e-15 * total).all():
            break
        angle = angle + short / np.cos(angle) ** (flat - 1)
    return (np.sqrt(flat) * np.tan(angle))[places].reshape(given.shape)


def calibration(sides: list[tuple[Scores, Array]]) -> Array:
    """Widening f [K] of percentile intervals so that they cover 95% with few seeds.

    f = sqrt(n/(n-1)) * t/1.96: the first part because a resample of n runs has (n-1)/n of the
    variance, the second because that variance was estimated, with Satterthwaite's degrees of
    freedom over tasks. Uneven seeds weigh each task by its own n. f = 1 where nothing varies.

    `sides` holds what varies, as (scores, values [N, K]): one condition, or both of a difference.
    """
    sizes = np.concatenate([scores.sizes for scores, _ in sides])[:, None]
    share = np.concatenate([_variances(scores, values) for scores, values in sides]) / sizes
    total = share.sum(axis=0)
    varies = total > 0
    share = np.where(varies, share, 1.0)
    total = np.where(varies, total, len(sizes))
    degrees = np.maximum(1.0, total**2 / (share**2 / (sizes - 1)).sum(axis=0))
    shortfall = total / (share * (sizes - 1) / sizes).sum(axis=0)
    factor = np.sqrt(shortfall) * student_quantile(degrees) / NORMAL_QUANTILE
    return np.where(varies, factor, 1.0)


def _variances(scores: Scores, values: Array) -> Array:
    """[T, K]: variance within each task, exactly 0 where all runs are equal."""
    starts, sizes = scores.design.starts, scores.sizes
    rest = values - np.repeat(values[starts], sizes, axis=0)
    means = np.add.reduceat(rest, starts) / sizes[:, None]
    squares = (rest - np.repeat(means, sizes, axis=0)) ** 2
    return np.add.reduceat(squares, starts) / (sizes - 1)[:, None]


def calibration_of_tasks(tasks: int) -> float:
    """The same widening where tasks are what is resampled: n = T, df = T - 1."""
    return math.sqrt(tasks / (tasks - 1)) * float(student_quantile(tasks - 1)) / NORMAL_QUANTILE
