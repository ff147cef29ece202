"""Stratified-bootstrap resamples as counts: how often each run was drawn.

Nothing is gathered per resample: every statistic is a function of the counts. Block i of a
bootstrap is a function of (seed, stream, i) and of the number of runs alone, so a result depends
neither on the order in which blocks are worked on nor on how many resamples follow.
Axes: N runs, T tasks, B = BLOCK resamples.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from primacy.runs.bootstrap_choices import Band, Interval, Unit
from primacy.runs.errors import UserError
from primacy.runs.scores import Array, Counts, Scores

BLOCK = 1000
"""Resamples per random stream: a block stays in cache. Part of what a bootstrap seed means."""

TASK_STREAM = 3
"""Random stream of the tasks, the same for both sides of a difference; runs use 0, 1 and 2."""

WITHIN_TASKS = ("bca", "studentised")
"""Intervals that are defined for runs resampled within given tasks only."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Raises:
        UserError: choices that do not go together.
    """

    interval: Interval = "calibrated"
    """One of `INTERVALS`."""
    resamples: int = 2000
    """Number of bootstrap resamples."""
    seed: int = 0
    """Seed of the bootstrap."""
    resample: Unit = "runs"
    """What another experiment would draw anew: runs within the same tasks; tasks, each with its
    runs; or both, tasks and then runs within each (task_bootstrap of rliable)."""
    band: Band = "pointwise"
    """Of a curve: intervals that hold at each checkpoint, or at all of them at once (max |t|)."""
    fewest: int = 3
    """No interval with fewer seeds in any task; 2 if you must."""

    def __post_init__(self) -> None:
        """Refuse what no interval is defined for."""
        if self.resample != "runs" and self.interval in WITHIN_TASKS:
            raise UserError(
                f"{self.interval} intervals are not defined for resampled {self.resample}",
                "choose calibrated, percentile or basic, or resample runs",
            )
        if self.band == "simultaneous" and self.interval in WITHIN_TASKS:
            raise UserError(
                f"a simultaneous band has no {self.interval} interval",
                "choose calibrated, percentile or basic, or a pointwise band",
            )
        if self.fewest < 2 or self.resamples < 1:
            raise UserError(
                "an interval needs at least 2 seeds and 1 resample",
                "leave `fewest` at 3 and take 2,000 resamples or more",
            )


class Layer(NamedTuple):
    """Runs of tasks that were drawn at most once each."""

    counts: npt.NDArray[np.floating]
    """[N, B]: zero in tasks that are absent."""
    present: npt.NDArray[np.bool_] | None
    """[T, B]: which tasks are there; None for all."""


class Draw(NamedTuple):
    """A block of resamples."""

    counts: npt.NDArray[np.number]
    """[N, B]: how often each run was drawn, in the narrowest type that holds it."""
    floats: npt.NDArray[np.floating]
    """[N, B]: the same, in the type to calculate in."""
    layers: tuple[Layer, ...]
    """A task drawn m times is in the first m layers, with runs drawn anew in each."""
    multiplicity: npt.NDArray[np.floating] | None
    """[T, B]: how often each task was drawn; None for once each."""


def exact(counts: npt.ArrayLike) -> Draw:
    """Given counts [N, B], to be used in float64."""
    floats = np.asarray(counts, dtype=float)
    return Draw(floats, floats, (Layer(floats, None),), None)


def once(runs: int) -> Draw:
    """Every run once: B = 1."""
    return exact(np.ones((runs, 1)))


def draws(
    sides: tuple[Scores, ...], bootstrap: Bootstrap, *, paired: bool = False
) -> Iterator[tuple[Draw, ...]]:
    """Blocks of resamples, one draw per side: independent runs, but the same tasks."""
    streams = (1, 1 if paired else 2) if len(sides) == 2 else (0,)
    make = RESAMPLERS[bootstrap.resample]
    for block in range(-(-bootstrap.resamples // BLOCK)):
        yield tuple(
            make(
                side.sizes,
                _generator(bootstrap.seed, stream, block),
                _generator(bootstrap.seed, TASK_STREAM, block),
            )
            for side, stream in zip(sides, streams, strict=True)
        )


def draw_counts(scores: Scores, resamples: int, seed: int, stream: int = 0) -> Iterator[Array]:
    """Blocks [N, <= BLOCK] of counts: seeds drawn with replacement within each task.

    The first resamples of a longer bootstrap are those of a shorter one.
    """
    for block, done in enumerate(range(0, resamples, BLOCK)):
        counts = _stratified(scores.sizes, _generator(seed, stream, block))
        yield counts[:, : resamples - done].astype(float)


def _generator(seed: int, stream: int, block: int) -> np.random.Generator:
    return np.random.default_rng([seed, stream, block])


def _runs(sizes: Counts, generator: np.random.Generator, of_tasks: np.random.Generator) -> Draw:
    counts = _stratified(sizes, generator)
    floats = counts.astype(np.float32)
    return Draw(counts, floats, (Layer(floats, None),), None)


def _tasks(sizes: Counts, generator: np.random.Generator, of_tasks: np.random.Generator) -> Draw:
    times = _task_multiplicity(len(sizes), of_tasks)
    runs = np.ones((sizes.sum(), 1), np.uint8)
    return _layered(sizes, times, [runs] * int(times.max()))


def _both(sizes: Counts, generator: np.random.Generator, of_tasks: np.random.Generator) -> Draw:
    times = _task_multiplicity(len(sizes), of_tasks)
    return _layered(sizes, times, [_stratified(sizes, generator) for _ in range(times.max())])


def _layered(sizes: Counts, times: Counts, runs: list[Counts]) -> Draw:
    layers = []
    for number, counts in enumerate(runs):
        present = times > number
        layers.append(Layer(np.repeat(present, sizes, axis=0) * counts.astype(np.float32), present))
    floats = np.sum([layer.counts for layer in layers], axis=0)
    return Draw(floats.astype(np.uint32), floats, tuple(layers), times.astype(np.float32))


RESAMPLERS = {"runs": _runs, "tasks": _tasks, "both": _both}


def _task_multiplicity(tasks: int, generator: np.random.Generator) -> Counts:
    """[T, B]: occurrences of each task among T draws."""
    return _count(generator, 1, tasks)[0]


def _stratified(sizes: Counts, generator: np.random.Generator) -> Counts:
    """[N, B]: seeds drawn with replacement within each task.

    Tasks with the same number of seeds are drawn together, in the order of their sizes.
    """
    different = np.unique(sizes)
    if len(different) == 1:
        return _count(generator, len(sizes), int(different[0])).reshape(-1, BLOCK)
    starts = np.cumsum(sizes) - sizes
    result = np.empty((sizes.sum(), BLOCK), np.min_scalar_type(sizes.max()))
    for size in different:
        rows = starts[sizes == size, None] + np.arange(size)
        result[rows] = _count(generator, len(rows), int(size))
    return result


def _count(generator: np.random.Generator, tasks: int, size: int) -> Counts:
    """[tasks, size, B]: occurrences of each of `size` runs among `size` draws."""
    if size > 24:
        drawn = generator.integers(0, size, (tasks, BLOCK, size))
        cells = drawn + size * np.arange(tasks * BLOCK).reshape(tasks, BLOCK, 1)
        found = np.bincount(cells.ravel(), minlength=tasks * BLOCK * size)
        shaped = found.reshape(tasks, BLOCK, size).transpose(0, 2, 1)
        return np.ascontiguousarray(shaped, np.min_scalar_type(size))
    # Comparing bytes run by run is 2 to 10 times faster than bincount while there are few runs.
    drawn = _digits(generator, size, size * tasks * BLOCK).reshape(size, tasks, BLOCK)
    counts = np.empty((tasks, size, BLOCK), np.uint8)
    same = np.empty(drawn.shape, np.bool_)
    for run in range(size):
        np.equal(drawn, run, out=same)
        np.add.reduce(same.view(np.uint8), axis=0, dtype=np.uint8, out=counts[:, run])
    return counts


def _digits(generator: np.random.Generator, size: int, number: int) -> npt.NDArray[np.uint8]:
    """[number] uniform below `size` <= 24: the digits of larger uniform numbers, which is exact and
    half the time of drawing each."""
    places = int(np.log(2**32) / np.log(max(size, 2)))
    packed = generator.integers(0, size**places, -(-number // places), dtype=np.uint32)
    digits = np.empty((places, len(packed)), np.uint8)
    for place in digits:
        rest = packed // np.uint32(size)
        place[:] = packed - rest * np.uint32(size)
        packed = rest
    return digits.ravel()[:number]
