"""Scores of one condition with every axis named, so that no matrix can be passed transposed.

The unit of replication is the seed: episodes and agents are averaged within a seed beforehand.
Axes: N runs (all tasks, one after the other), T tasks, K checkpoints (1 for plain scores).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from primacy.runs.errors import UserError

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.integer]
Balance = Literal["tasks", "runs"]


class BadScores(UserError, ValueError):
    """Scores that no statistic can be made of."""


@dataclass(frozen=True, eq=False)
class Design:
    """How many runs each task has, and what a run weighs."""

    rows: Counts
    """[T]: runs listed for each task."""
    drawn: Counts
    """[T]: runs of each task in one resample; `rows` except in a permutation of two conditions."""
    balance: Balance = "tasks"
    """What counts equally in the IQM and in profiles: every task, or every run."""
    gamma: float = 1.0
    """Score from which on a run adds nothing to the optimality gap."""

    @property
    def starts(self) -> Counts:
        """[T]: row of each task's first run."""
        return np.cumsum(self.rows) - self.rows

    @property
    def blocks(self) -> list[slice]:
        """Rows of each task."""
        return [
            slice(start, start + size) for start, size in zip(self.starts, self.rows, strict=True)
        ]

    @property
    def total(self) -> int:
        """Weight of all runs of a resample: their number N."""
        return int(self.drawn.sum())

    @property
    def cut(self) -> int:
        """Weight that the IQM trims from each end."""
        return self.total // 4

    @property
    def weight(self) -> Array:
        """[T]: weight of a run of each task; exactly 1 where seeds are even."""
        if self.balance == "runs":
            return np.ones(len(self.rows))
        return self.total / (len(self.rows) * self.drawn)

    @property
    def weights(self) -> Array:
        """[N]: weight of each run."""
        return np.repeat(self.weight, self.rows)


@dataclass(frozen=True, eq=False)
class Scores:
    """Normalised scores of one condition, as built by `Scores.of` or `Scores.from_rows`."""

    seeds: dict[str, tuple[int, ...]]
    """Task -> its seeds, in ascending order."""
    values: Array
    """[N, K]: all runs, task by task in the order of `seeds`, at K checkpoints."""
    balance: Balance = "tasks"
    """"runs" pools the runs of all tasks in the IQM and in profiles, whatever their number."""
    gamma: float = 1.0
    """Score from which on a run adds nothing to the optimality gap."""

    @classmethod
    def of(cls, table: Mapping[str, Mapping[int, npt.ArrayLike]]) -> Self:
        """Build from {task: {seed: score or [K] scores}}.

        Raises:
            BadScores: a task without seeds, a score that is not finite, or unequal checkpoints.
        """
        seeds = {task: tuple(sorted(runs)) for task, runs in table.items()}
        empty = [task for task, numbers in seeds.items() if not numbers]
        if empty or not seeds:
            raise BadScores(
                f"no seeds for {', '.join(empty)}" if empty else "no tasks",
                "give each task one score per seed, or leave the task out",
            )
        rows = [
            np.atleast_1d(np.asarray(table[t][s], dtype=float)) for t in seeds for s in seeds[t]
        ]
        if len({row.shape for row in rows}) > 1 or rows[0].ndim > 1:
            raise BadScores(
                "seeds differ in their number of checkpoints",
                "give every run one score, or one row of scores at the same steps",
            )
        names = [(task, seed) for task in seeds for seed in seeds[task]]
        for (task, seed), row in zip(names, rows, strict=True):
            if not np.isfinite(row).all():
                raise BadScores(
                    f"seed {seed} of {task} has a score that is not finite",
                    "leave the run out and say so, or mend its file",
                )
        return cls(seeds, np.stack(rows))

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[str, int, npt.ArrayLike]]) -> Self:
        """Build from a long table of (task, seed, score or [K] scores), in any order.

        Raises:
            BadScores: as `of`, or a seed that stands twice.
        """
        table: dict[str, dict[int, npt.ArrayLike]] = {}
        for task, seed, score in rows:
            runs = table.setdefault(task, {})
            if seed in runs:
                raise BadScores(
                    f"seed {seed} of {task} stands twice",
                    "average the episodes of a run first, and keep conditions apart",
                )
            runs[seed] = score
        return cls.of(table)

    @property
    def tasks(self) -> tuple[str, ...]:
        """[T] names."""
        return tuple(self.seeds)

    @property
    def sizes(self) -> Counts:
        """[T]: seeds of each task."""
        return np.array([len(numbers) for numbers in self.seeds.values()])

    @property
    def design(self) -> Design:
        """Number and weight of the runs."""
        return Design(self.sizes, self.sizes, self.balance, self.gamma)

    @property
    def cut(self) -> int:
        """Runs trimmed from each end by the IQM."""
        return self.design.cut

    def only(self, tasks: tuple[str, ...]) -> Self:
        """The same scores restricted to `tasks`, in that order."""
        rows = dict(zip(self.tasks, self.design.blocks, strict=True))
        return replace(
            self,
            seeds={task: self.seeds[task] for task in tasks},
            values=np.concatenate([self.values[rows[task]] for task in tasks]),
        )

    def pooled(self) -> Self:
        """The same scores with every run counting equally in the IQM and in profiles."""
        return replace(self, balance="runs")


def shared_tasks(a: Scores, b: Scores) -> tuple[str, ...]:
    """Tasks both conditions have, in the order of `a`.

    Raises:
        BadScores: there is none.
    """
    tasks = tuple(task for task in a.tasks if task in b.seeds)
    if not tasks:
        raise BadScores(
            f"no task in common: {', '.join(a.tasks)} against {', '.join(b.tasks)}",
            "compare conditions that were run on at least one same task",
        )
    return tasks
