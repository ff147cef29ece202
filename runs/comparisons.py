"""Comparisons of two conditions on the tasks they share.

Runs of the two are resampled independently; resampled tasks are the same on both sides. Axes: T
tasks, B resamples of one block; n and m runs of a task on the two sides.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from primacy.runs.aggregates import AGGREGATES, variances
from primacy.runs.estimates import quantity, within_unit
from primacy.runs.inference import Estimate, Quantity, infer
from primacy.runs.resampling import BLOCK, Bootstrap, Draw, exact
from primacy.runs.scores import Array, BadScores, Design, Scores, shared_tasks

PERMUTATION_STREAM = 4
"""Random stream of permutations; bootstraps use those below."""

Float = npt.NDArray[np.floating]


def difference(
    a: Scores, b: Scores, name: str, bootstrap: Bootstrap, *, paired: bool = False
) -> Estimate:
    """Aggregate `name` of `a` minus that of `b` on the tasks they share, with its own interval.

    Args:
        paired: draw the same seeds on both sides; only for designs where equal seeds share their
            history (one checkpoint continued with and without an intervention).

    Raises:
        BadScores: no shared task, unequal checkpoints, or paired with unequal seeds.
    """
    a, b = _shared(a, b)
    if paired and a.seeds != b.seeds:
        raise BadScores(
            "a paired difference needs the same seeds on both sides",
            "leave out the seeds that only one side has, or compare unpaired",
        )
    left, right = quantity(a, name), quantity(b, name)
    combine = _paired if paired else _independent
    return infer({name: combine(left, right)}, (a, b), bootstrap, paired=paired)[name]


def _shared(a: Scores, b: Scores) -> tuple[Scores, Scores]:
    tasks = shared_tasks(a, b)
    if a.values.shape[1] != b.values.shape[1]:
        raise BadScores(
            f"{a.values.shape[1]} checkpoints against {b.values.shape[1]}",
            "compare curves at the steps both have",
        )
    return a.only(tasks), b.only(tasks)


def _independent(left: Quantity, right: Quantity) -> Quantity:
    return Quantity(
        left.value - right.value,
        lambda x, y: left.deviations(x) - right.deviations(y),
        left.varying + right.varying,
        lambda: np.concatenate([left.influences(), -right.influences()]),
        lambda x, y: np.hypot(left.errors(x), right.errors(y)),
    )


def _paired(left: Quantity, right: Quantity) -> Quantity:
    """Standard errors are those of the mean of the runs' differences, up to a constant factor that
    a ratio of two of them does not see."""
    ((scores, ours),), ((_, theirs),) = left.varying, right.varying
    errors = AGGREGATES["mean"].errors(scores.design, ours - theirs)
    return Quantity(
        left.value - right.value,
        lambda x, y: left.deviations(x) - right.deviations(y),
        [(scores, ours - theirs)],
        lambda: left.influences() - right.influences(),
        lambda x, y: errors(x),
    )


class Duel(NamedTuple):
    """Runs of one task on both sides, every pair of them compared at the last checkpoint."""

    ours: slice
    theirs: slice
    wins: Array
    """[n, m]: 1 where ours is higher, 1/2 where equal."""


def _duels(a: Scores, b: Scores) -> list[Duel]:
    result = []
    for ours, theirs in zip(a.design.blocks, b.design.blocks, strict=True):
        gap = a.values[ours, -1, None] - b.values[theirs, -1]
        result.append(Duel(ours, theirs, (gap > 0) + 0.5 * (gap == 0)))
    return result


def probability_of_improvement(a: Scores, b: Scores) -> float:
    """P(a > b) at the last checkpoint: share of run pairs won, ties half, averaged over tasks."""
    tasks = shared_tasks(a, b)
    return float(np.mean([duel.wins.mean() for duel in _duels(a.only(tasks), b.only(tasks))]))


def improvement(a: Scores, b: Scores, bootstrap: Bootstrap) -> Estimate:
    """P(a > b) as `probability_of_improvement`, with its interval cut to [0, 1]; K = 1.

    Raises:
        BadScores: no shared task.
    """
    tasks = shared_tasks(a, b)
    a, b = a.only(tasks), b.only(tasks)
    duels = _duels(a, b)
    means = np.array([duel.wins.mean() for duel in duels])
    ours = np.concatenate([duel.wins.mean(axis=1) for duel in duels])[:, None]
    theirs = np.concatenate([duel.wins.mean(axis=0) for duel in duels])[:, None]
    value = means.mean(keepdims=True)
    return within_unit(
        infer(
            {
                "": Quantity(
                    value,
                    lambda x, y: _won(duels, means, x, y),
                    [(a, ours), (b, theirs)],
                    lambda: np.concatenate([_projection(a, ours), _projection(b, theirs)]),
                    lambda x, y: _win_errors(a, b, duels, x, y),
                )
            },
            (a, b),
            bootstrap,
        )[""]
    )


def _won(duels: list[Duel], means: Array, x: Draw, y: Draw) -> Float:
    """[1, B]: bilinear in the counts of the two sides."""
    total = np.zeros(x.counts.shape[1], x.floats.dtype)
    for left, right in zip(x.layers, y.layers, strict=True):
        for (ours, theirs, wins), mean in zip(duels, means, strict=True):
            table = ((wins - mean) / wins.size).astype(total.dtype)
            half = np.einsum("nm,nb->mb", table, left.counts[ours])
            total += np.einsum("mb,mb->b", half, right.counts[theirs])
    if x.multiplicity is not None:
        total += np.einsum("t,tb->b", means.astype(total.dtype), x.multiplicity - 1)
    return total[None] / len(means)


def _projection(scores: Scores, values: Array) -> Array:
    """[N, 1]: influence of each run on the mean over tasks of task means of `values`."""
    blocks = scores.design.blocks
    parts = [values[rows] - values[rows].mean(axis=0) for rows in blocks]
    return np.concatenate([part / (len(part) * len(blocks)) for part in parts])


def _win_errors(a: Scores, b: Scores, duels: list[Duel], x: Draw, y: Draw) -> Float:
    """[1, B]: from the share of the other side's drawn runs that each run beats."""
    ours, theirs = [], []
    for left, right, wins in duels:
        table = wins.astype(x.floats.dtype)
        ours.append(np.einsum("nm,mb->nb", table, y.floats[right]) / wins.shape[1])
        theirs.append(np.einsum("nm,nb->mb", table, x.floats[left]) / wins.shape[0])
    squares = 0.0
    for scores, beaten, draw in ((a, ours, x), (b, theirs, y)):
        spread = variances(scores.design, np.concatenate(beaten)[:, None], draw.floats)
        squares = squares + (spread / scores.sizes[:, None, None]).sum(axis=0)
    return np.sqrt(squares) / len(duels)


def permutation_p_value(a: Scores, b: Scores, name: str, bootstrap: Bootstrap) -> Array:
    """Two-sided p [K] of no difference in aggregate `name`: conditions exchanged within tasks.

    (1 + permutations at least as far from 0 as what was seen) / (1 + permutations), with
    `bootstrap.resamples` permutations from `bootstrap.seed`. The interval of `difference` says
    more; its least value is 1 / (1 + permutations).

    Raises:
        BadScores: no shared task or unequal checkpoints.
    """
    a, b = _shared(a, b)
    rows = a.sizes + b.sizes
    values = np.concatenate(
        [
            part
            for left, right in zip(a.design.blocks, b.design.blocks, strict=True)
            for part in (a.values[left], b.values[right])
        ]
    )
    statistic = AGGREGATES[name].statistic
    ours, theirs = (
        statistic(Design(rows, side.sizes, side.balance, side.gamma), values, np.float64)
        for side in (a, b)
    )

    def gap(mine: npt.NDArray) -> Array:
        moved = ours.deviations(exact(mine)) - theirs.deviations(exact(~mine))
        return np.abs((ours.value - theirs.value)[:, None] + moved)

    labels = np.concatenate([np.arange(n + m) < n for n, m in zip(a.sizes, b.sizes, strict=True)])
    seen = gap(labels[:, None])
    # Sums in another order may differ by rounding from the very labelling that was seen.
    tolerance = 1e-9 * np.abs(values).max(axis=0)[:, None]
    shuffles = _shuffled(labels, rows, bootstrap)
    farther = np.sum([(gap(mine) >= seen - tolerance).sum(axis=1) for mine in shuffles], axis=0)
    return (1 + farther) / (1 + bootstrap.resamples)


def _shuffled(
    labels: npt.NDArray, rows: npt.NDArray, bootstrap: Bootstrap
) -> Iterator[npt.NDArray]:
    """Blocks [N, <= BLOCK] of labels shuffled within each task."""
    ends = np.cumsum(rows)[:-1]
    for block, done in enumerate(range(0, bootstrap.resamples, BLOCK)):
        generator = np.random.default_rng([bootstrap.seed, PERMUTATION_STREAM, block])
        tasks = np.split(np.repeat(labels[:, None], BLOCK, axis=1), ends)
        shuffled = np.concatenate([generator.permuted(task, axis=0) for task in tasks])
        yield shuffled[:, : bootstrap.resamples - done]
