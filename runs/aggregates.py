"""Aggregates of runs over tasks: their values, and what a resample moves them by.

Definitions are rliable's (Agarwal et al. 2021, "Deep RL at the Edge of the Statistical Precipice";
google-research/rliable 1.2.0), extended to uneven numbers of seeds by weighing each run so that
tasks count equally. Values are float64; deviations of resamples are in the type of the counts.
Products go through einsum, not BLAS: its result is the same for any number of threads.
Axes: N runs, T tasks, K checkpoints, B resamples of one block.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from primacy.runs.resampling import Draw, exact
from primacy.runs.scores import Array, Design, Scores

Float = npt.NDArray[np.floating]
Floating = type[np.float32] | type[np.float64]


class Statistic(NamedTuple):
    """A number of a set of runs, ready to be computed for any resample of them."""

    value: Array
    """[K]: of every run once."""
    deviations: Callable[[Draw], Float]
    """[K, B]: of each resample, minus `value`; exactly 0 where the drawn tasks do not vary."""


class Aggregate(NamedTuple):
    """One way to summarise runs; values are [N, K]."""

    statistic: Callable[[Design, Array, Floating], Statistic]
    drive: Callable[[Design, Array], Array]
    """[N, K]: values whose variance within tasks is the aggregate's."""
    errors: Callable[[Design, Array], Callable[[Draw], Float]]
    """[K, B]: standard error that each resample would give the aggregate."""


def _centred(design: Design, values: Array) -> tuple[Array, Array]:
    """First runs [T, K] and the values [N, K] less that of their task: 0 in a constant task."""
    centres = values[design.starts]
    return centres, values - np.repeat(centres, design.rows, axis=0)


def _per_task(design: Design, coefficients: Float, counts: Float) -> Float:
    """[T, K, B]: within each task, the sum over runs of coefficient [N, K] times count [N, B]."""
    return np.stack(
        [np.einsum("nk,nb->kb", coefficients[rows], counts[rows]) for rows in design.blocks]
    )


def linear(design: Design, values: Array, weight: Array, dtype: Floating) -> Statistic:
    """The sum over runs of weight [T] x value x count."""
    centres, rest = _centred(design, values)
    base = centres * (weight * design.drawn)[:, None]
    coefficients = rest * np.repeat(weight, design.rows)[:, None]
    value = base.sum(axis=0) + coefficients.sum(axis=0)
    constant = (base.sum(axis=0) - value).astype(dtype)[:, None]
    base, coefficients = (base - base.mean(axis=0)).astype(dtype), coefficients.astype(dtype)

    def deviations(draw: Draw) -> Float:
        moved = np.einsum("nk,nb->kb", coefficients, draw.floats) + constant
        if draw.multiplicity is None:
            return moved
        return moved + np.einsum("tk,tb->kb", base, draw.multiplicity - 1)

    return Statistic(value, deviations)


def _mean(design: Design, values: Array, dtype: Floating) -> Statistic:
    return linear(design, values, 1 / (len(design.rows) * design.drawn), dtype)


def share(design: Design, values: Array, dtype: Floating) -> Statistic:
    """Weighted mean of all runs: of indicators, a score profile."""
    return linear(design, values, design.weight / design.total, dtype)


def _capped(design: Design, values: Array) -> Array:
    return np.minimum(values, design.gamma)


def _optimality_gap(design: Design, values: Array, dtype: Floating) -> Statistic:
    reached = _mean(design, _capped(design, values), dtype)
    return Statistic(design.gamma - reached.value, lambda draw: -reached.deviations(draw))


def task_means(design: Design, values: Array, dtype: Floating) -> Callable[[Draw], Iterator[Float]]:
    """[T, K, B] for each layer of a draw: task means, infinite where a task is absent."""
    centres, rest = _centred(design, values)
    offsets = centres[:, :, None].astype(dtype)
    coefficients = (rest / np.repeat(design.drawn, design.rows)[:, None]).astype(dtype)

    def means(draw: Draw) -> Iterator[Float]:
        for layer in draw.layers:
            found = offsets + _per_task(design, coefficients, layer.counts)
            if layer.present is not None:
                found = np.where(layer.present[:, None], found, dtype(np.inf))
            yield found

    return means


def _middle(tasks: int) -> slice:
    return slice((tasks - 1) // 2, tasks // 2 + 1)


def _median(design: Design, values: Array, dtype: Floating) -> Statistic:
    middle = _middle(len(design.rows))
    ones = exact(np.ones((len(values), 1)))
    (means,) = task_means(design, values, np.float64)(ones)
    value = np.median(means[:, :, 0], axis=0).astype(float)
    moved = task_means(design, values - value, dtype)

    def deviations(draw: Draw) -> Float:
        ordered = np.sort(np.concatenate(list(moved(draw))), axis=0)
        return ordered[middle].mean(axis=0)

    return Statistic(value, deviations)


def _cumulative(design: Design, draw: Draw) -> Callable[[npt.NDArray[np.intp]], npt.NDArray]:
    """For an order of the runs: the weight [N, B] drawn up to and including each."""
    whole = (design.weight == 1).all() and np.issubdtype(draw.counts.dtype, np.integer)
    narrow = np.int16 if design.total <= np.iinfo(np.int16).max else np.int64
    counts = draw.counts if whole else draw.counts * design.weights[:, None]
    counts = counts.astype(narrow if whole else np.float64)

    def passed(order: npt.NDArray[np.intp]) -> npt.NDArray:
        gathered = counts[order]
        # np.cumsum along the first axis goes column by column, which takes five times as long.
        rows = list(gathered)
        for before, row in pairwise(rows):
            np.add(before, row, row)
        return gathered

    return passed


def _iqm(design: Design, values: Array, dtype: Floating) -> Statistic:
    """Task-balanced 25% trimmed mean: cut whole weight from both ends of the sorted runs.

    Summed by parts, so that one sort of the runs serves all resamples: with u the drawn weight up
    to run j, clipped to what is kept, the mean is a constant minus sum_j u_j (s_{j+1} - s_j).
    """
    order = np.argsort(values, axis=0, kind="stable")
    ranked = np.take_along_axis(values, order, axis=0)
    low, high = design.cut, design.total - design.cut
    passed = np.clip(np.cumsum(design.weights[order], axis=0), low, high)
    kept = np.diff(passed, axis=0, prepend=float(low))
    value = (ranked * kept).sum(axis=0) / (high - low)
    gaps = (np.diff(ranked, axis=0) / (low - high)).astype(dtype)

    def deviations(draw: Draw) -> Float:
        cumulative = _cumulative(design, draw)
        result = np.empty((values.shape[1], draw.counts.shape[1]), dtype)
        for k, column in enumerate(order.T):
            moved = cumulative(column[:-1])
            np.clip(moved, low, high, out=moved)
            moved -= passed[:-1, k, None].astype(moved.dtype)
            result[k] = np.einsum("n,nb->b", gaps[:, k], moved)
        return result

    return Statistic(value, deviations)


def _winsorised(design: Design, values: Array) -> Array:
    """Values pulled in to the pooled cut values of the IQM."""
    order = np.argsort(values, axis=0, kind="stable")
    passed = np.cumsum(design.weights[order], axis=0)
    ranked = np.take_along_axis(values, order, axis=0)
    low = (passed < design.cut + 1e-9).sum(axis=0)
    high = (passed < design.total - design.cut - 1e-9).sum(axis=0)
    each = np.arange(values.shape[1])
    return np.clip(values, ranked[low, each], ranked[high, each])


def _as_is(design: Design, values: Array) -> Array:
    return values


def variances(design: Design, values: Array, counts: Float) -> Float:
    """[T, K, B]: variance (n - 1 in the denominator) of each task's drawn runs.

    Args:
        values: [N, K], or [N, K, B] where they differ between resamples.
    """
    subscripts = "nk,nb->kb" if values.ndim == 2 else "nkb,nb->kb"
    result = []
    for rows, size in zip(design.blocks, design.drawn, strict=True):
        first = np.einsum(subscripts, values[rows], counts[rows]) / size
        second = np.einsum(subscripts, values[rows] ** 2, counts[rows]) / size
        result.append(np.maximum(second - first**2, 0) * size / max(size - 1, 1))
    return np.stack(result)


def _mean_errors(design: Design, values: Array) -> Callable[[Draw], Float]:
    _, rest = _centred(design, values)
    scale = (1 / (design.drawn * len(design.rows) ** 2))[:, None, None]
    return lambda draw: np.sqrt((scale * variances(design, rest, draw.floats)).sum(axis=0))


def _gap_errors(design: Design, values: Array) -> Callable[[Draw], Float]:
    return _mean_errors(design, _capped(design, values))


def _median_errors(design: Design, values: Array) -> Callable[[Draw], Float]:
    """Of the middle task, or of the mean of the two middle ones, of each resample."""
    _, rest = _centred(design, values)
    middle = _middle(len(design.rows))
    means = task_means(design, values, np.float64)

    def errors(draw: Draw) -> Float:
        order = np.argsort(next(means(draw)), axis=0)[middle]
        squares = variances(design, rest, draw.floats) / design.drawn[:, None, None]
        return np.sqrt(np.take_along_axis(squares, order, axis=0).sum(axis=0)) / len(order)

    return errors


def _iqm_errors(design: Design, values: Array) -> Callable[[Draw], Float]:
    """Of runs winsorised at each resample's own cut values: sqrt(n sum s^2) / (N - 2c) if even."""
    order = np.argsort(values, axis=0, kind="stable")
    scale = design.weight**2 * design.drawn / (design.total - 2 * design.cut) ** 2
    ends = design.cut + 1e-9, design.total - design.cut - 1e-9

    def errors(draw: Draw) -> Float:
        cumulative = _cumulative(design, draw)
        result = []
        for k, column in enumerate(order.T):
            ranked, passed = values[column, k], cumulative(column)
            low, high = (ranked[(passed < end).sum(axis=0)] for end in ends)
            pulled = np.clip(values[:, k, None], low, high) - (low + high) / 2
            squares = variances(design, pulled[:, None], draw.floats)[:, 0]
            result.append(np.sqrt((scale[:, None] * squares).sum(axis=0)))
        return np.stack(result)

    return errors


AGGREGATES = {
    "iqm": Aggregate(_iqm, _winsorised, _iqm_errors),
    "median": Aggregate(_median, _as_is, _median_errors),
    "mean": Aggregate(_mean, _as_is, _mean_errors),
    "optimality_gap": Aggregate(_optimality_gap, _capped, _gap_errors),
}


def evaluate(scores: Scores, aggregate: str, counts: npt.ArrayLike | None = None) -> Array:
    """An aggregate at every checkpoint: [K] of the runs themselves, or [K, B] of resamples.

    Args:
        counts: [N, B], how often each run was drawn, a task's counts summing to its number of runs;
            None for every run once.
    """
    statistic = AGGREGATES[aggregate].statistic(scores.design, scores.values, np.float64)
    if counts is None:
        return statistic.value
    return statistic.value[:, None] + statistic.deviations(exact(counts))
