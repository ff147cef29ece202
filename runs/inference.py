"""From a quantity of one condition, or of two, to its value, interval and note."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from primacy.runs.errors import UserError
from primacy.runs.intervals import (
    INTERVALS,
    Sampled,
    calibration,
    calibration_of_tasks,
    simultaneous,
)
from primacy.runs.resampling import BLOCK, Bootstrap, Draw, draws, exact, once
from primacy.runs.scores import Array, Scores

Float = npt.NDArray[np.floating]


class Estimate(NamedTuple):
    """A value and its 95% interval at every checkpoint."""

    value: Array
    """[K]."""
    low: Array
    """[K]; NaN where no interval is given."""
    high: Array
    """[K]; NaN where no interval is given."""
    factor: Array
    """[K]: by how much the calibrated interval is wider than the percentile interval."""
    note: str
    """Why there is no interval, or why it has no width; otherwise empty."""


class Quantity(NamedTuple):
    """Something to be estimated. Functions take one draw per side."""

    value: Array
    """[K]."""
    deviations: Callable[..., Float]
    """[K, B]: of each resample, minus `value`."""
    varying: list[tuple[Scores, Array]]
    """What varies when it varies, for the calibration."""
    influences: Callable[[], Array]
    """[M, K]: for bca."""
    errors: Callable[..., Float]
    """[K, B]: standard error of each resample, for studentised."""


def infer(
    quantities: Mapping[str, Quantity],
    sides: tuple[Scores, ...],
    bootstrap: Bootstrap,
    *,
    paired: bool = False,
) -> dict[str, Estimate]:
    """All quantities from the same resamples of the same sides.

    With K > 1 checkpoints the runs are drawn once and used at each.
    """
    if note := too_few(sides, bootstrap):
        return {name: without_interval(q.value, note) for name, q in quantities.items()}
    functions = {name: q.deviations for name, q in quantities.items()}
    found = _resampled(functions, sides, bootstrap, paired)
    result = {}
    for name, quantity in quantities.items():
        sampled = Sampled(
            quantity.value,
            found[name],
            factor(quantity, bootstrap),
            quantity.influences,
            lambda q=quantity: _errors(q, sides, bootstrap, paired),
        )
        result[name] = _estimate(sampled, bootstrap)
    return result


def resampled(quantity: Quantity, sides: tuple[Scores, ...], bootstrap: Bootstrap) -> Float:
    """[K, R] deviations of one quantity."""
    return _resampled({"": quantity.deviations}, sides, bootstrap, False)[""]


def without_interval(value: Array, note: str) -> Estimate:
    """Only a value, and why."""
    nothing = np.full_like(value, np.nan)
    return Estimate(value, nothing, nothing, nothing, note)


def too_few(sides: tuple[Scores, ...], bootstrap: Bootstrap) -> str:
    """Why these scores have no interval, or an empty string."""
    if bootstrap.resample != "runs" and len(sides[0].tasks) < 3:
        return f"{len(sides[0].tasks)} tasks to resample: no interval"
    fewest, task = min((len(seeds), task) for side in sides for task, seeds in side.seeds.items())
    if bootstrap.resample == "tasks" or fewest >= bootstrap.fewest:
        return ""
    return f"{fewest} seed{'s' * (fewest > 1)} in {task}: no interval"


def factor(quantity: Quantity, bootstrap: Bootstrap) -> Array:
    """[K]: widening of the calibrated interval."""
    if bootstrap.resample == "runs":
        return calibration(quantity.varying)
    return np.full_like(quantity.value, calibration_of_tasks(len(quantity.varying[0][0].tasks)))


def jackknife(scores: Scores, deviations: Callable[[Draw], Float]) -> Array:
    """[N, K]: influence of each run, from leaving it out of its task.

    The other runs of the task make up for its weight, so that tasks keep theirs. With equal seeds
    these are Efron's (mean of the leave-one-out values) - (each), but for a common factor.
    """
    runs = len(scores.values)
    spared = np.repeat(scores.sizes / np.maximum(scores.sizes - 1, 1), scores.sizes)
    tasks = np.repeat(np.arange(len(scores.sizes)), scores.sizes)
    parts = []
    for start in range(0, runs, BLOCK):
        left_out = np.arange(start, min(start + BLOCK, runs))
        same = tasks[:, None] == tasks[left_out]
        counts = np.where(same, spared[:, None], 1.0)
        counts[left_out, np.arange(len(left_out))] = 0.0
        parts.append(deviations(exact(counts)))
    moved = np.concatenate(parts, axis=1).T
    means = np.stack([moved[rows].mean(axis=0) for rows in scores.design.blocks])
    return (np.repeat(means, scores.sizes, axis=0) - moved) / spared[:, None]


def _resampled(
    functions: Mapping[str, Callable[..., Float]],
    sides: tuple[Scores, ...],
    bootstrap: Bootstrap,
    paired: bool,
) -> dict[str, Float]:
    """[K, R] of each function of the draws. Blocks are always computed whole and trimmed at last:
    the first resamples of a longer bootstrap are exactly those of a shorter one."""
    if bootstrap.resample != "runs" and any(side.balance == "runs" for side in sides):
        raise UserError(
            "pooled runs have no tasks to resample", "resample runs, or balance the tasks"
        )
    found: dict[str, list[Float]] = {name: [] for name in functions}
    for drawn in draws(sides, bootstrap, paired=paired):
        for name, function in functions.items():
            found[name].append(function(*drawn).astype(np.float32, copy=False))
    return {
        name: np.concatenate(blocks, axis=1)[:, : bootstrap.resamples]
        for name, blocks in found.items()
    }


def _errors(
    quantity: Quantity, sides: tuple[Scores, ...], bootstrap: Bootstrap, paired: bool
) -> tuple[Array, Float]:
    own = quantity.errors(*(once(len(side.values)) for side in sides))[:, 0].astype(float)
    return own, _resampled({"": quantity.errors}, sides, bootstrap, paired)[""]


def _estimate(sampled: Sampled, bootstrap: Bootstrap) -> Estimate:
    if bootstrap.band == "simultaneous" and len(sampled.value) > 1:
        low, high = simultaneous(sampled, bootstrap.interval)
    else:
        low, high = INTERVALS[bootstrap.interval](sampled)
    still = np.ptp(sampled.deviations, axis=1).max() == 0
    return Estimate(sampled.value, low, high, sampled.factor, "no variation seen" if still else "")
