"""Scores, areas and what they rest on: what the tables of a report are made of."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from primacy.runs.report_study import Condition, Experiment
from primacy.runs.results import Curve
from primacy.runs.statistics import Bootstrap, Estimate, Scores, area_under_curve

Row = dict[str, Any]

SIZE = "tasks seeds step interval"
"""Columns of `footing`."""


def scores(experiment: Experiment, condition: Condition) -> Scores:
    """Normalised scores of each task's seeds, as shares of gamma: 1 has no optimality gap."""
    by = experiment.normaliser
    return balanced(
        experiment,
        {
            task: {s: float(by.apply(task, v)) / by.gamma for s, v in seeds.items()}
            for task, seeds in condition.finals.items()
        },
    )


def balanced(experiment: Experiment, table: Mapping[str, Mapping[int, npt.ArrayLike]]) -> Scores:
    """Scores in which every task counts equally, or every run where that was asked for."""
    found = Scores.of(table)
    return found.pooled() if experiment.scoring.pool else found


def areas(experiment: Experiment, condition: Condition) -> Scores | None:
    """Area under each run's curve of normalised scores, divided by its range of steps.

    Over the evaluations that all conditions of a task share; None where that is one step.
    """
    table = {}
    for task, curve in condition.curves.items():
        steps = shared_steps(experiment, task)
        if len(steps) < 2:
            return None
        at = np.searchsorted(curve.env_steps, steps)
        area = area_under_curve(
            Scores.of({task: shares(experiment, task, curve, at)}), steps.astype(float)
        )
        table[task] = dict(zip(area.seeds[task], area.values[:, 0], strict=True))
    return balanced(experiment, table)


def shared_steps(experiment: Experiment, task: str) -> np.ndarray:
    """[K]: env steps at which every condition of the task was evaluated."""
    steps = experiment.on(task)[0].curves[task].env_steps
    for condition in experiment.on(task):
        steps = np.intersect1d(steps, condition.curves[task].env_steps)
    return steps


def shares(e: Experiment, task: str, curve: Curve, at: np.ndarray) -> dict[int, np.ndarray]:
    """Seed -> [K] normalised scores at the evaluations numbered `at`, as shares of gamma."""
    returns = curve.returns[:, at]
    scores = e.normaliser.apply(task, returns) / e.normaliser.gamma
    return dict(zip(curve.seeds, scores, strict=True))


def ends(found: Estimate, at: int = -1, scale: float = 1.0) -> Row:
    """Value, low and high of an estimate at one checkpoint."""
    return {
        "value": scale * float(found.value[at]),
        "low": scale * float(found.low[at]),
        "high": scale * float(found.high[at]),
    }


def band_name(how: Bootstrap) -> str:
    """The interval of a curve, for the tables of curves."""
    return how.interval if how.band == "pointwise" else f"{how.band} {how.interval}"


def footing(e: Experiment, sides: Sequence[Condition], tasks: Sequence[str], how: Bootstrap) -> Row:
    """How much a number rests on: tasks, seeds of each task and side, env step, interval."""
    seeds = [str(_range(len(c.curves[task].seeds) for task in tasks)) for c in sides]
    return {
        "tasks": len(tasks),
        "seeds": " and ".join(dict.fromkeys(seeds)),
        "step": _range(e.steps[task] for task in tasks) or "",
        "interval": how.interval,
    }


def _range(counts: Iterable[int]) -> int | str:
    different = sorted(set(counts))
    return different[0] if len(different) == 1 else f"{different[0]}-{different[-1]}"
