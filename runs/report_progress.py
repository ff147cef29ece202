"""What learning curves run over: env steps, gradient steps, frames or wall time."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from primacy.runs.errors import UserError
from primacy.runs.report_costs import clock
from primacy.runs.report_request import Progress
from primacy.runs.report_study import Condition, Study


class Unit(NamedTuple):
    """One way to count progress."""

    one: str
    """Heading of a table."""
    title: str
    """Of an axis."""
    column: str
    """In CSVs."""
    of: Callable[[Condition, str], np.ndarray]
    """[K]: progress at each evaluation of a task's curve; NaN where results do not tell."""


def _counted(name: str) -> Callable[[Condition, str], np.ndarray]:
    return lambda condition, task: getattr(condition.curves[task], name)


def _hours(condition: Condition, task: str) -> np.ndarray:
    """Wall time that a run took to each evaluation, averaged over the condition's runs."""
    steps, found = condition.curves[task].env_steps, []
    for run in condition.runs[task]:
        at, seconds = clock(run.folder / "timing.csv")
        whole = len(at) and steps[-1] <= at[-1]
        found.append(np.interp(steps, at, seconds) if whole else np.full(len(steps), np.nan))
    return np.mean(found, axis=0) / 3600


UNITS: dict[Progress, Unit] = {
    "env_steps": Unit("env step", "env steps", "env_step", _counted("env_steps")),
    "gradient_steps": Unit(
        "gradient step", "gradient steps", "gradient_step", _counted("gradient_steps")
    ),
    "frames": Unit("frame", "frames (simulator steps)", "frame", _counted("frames")),
    "hours": Unit("hour", "hours of wall time, all seeds of a run together", "hour", _hours),
}


def check_progress(study: Study, x: Progress) -> None:
    """Find out whether every result tells its progress.

    Raises:
        UserError: one does not.
    """
    for condition in study.conditions:
        for task in condition.curves:
            if np.isnan(UNITS[x].of(condition, task).astype(float)).any():
                raise UserError(
                    f"{condition.label!r} on {task} does not tell its {x.replace('_', ' ')}",
                    "leave out --x: curves over env steps can always be drawn",
                )


def along(condition: Condition, task: str, x: Progress) -> Callable[[np.ndarray], np.ndarray]:
    """From env steps to progress: exact at evaluations, straight lines between them."""
    if x == "env_steps":
        return lambda steps: steps
    known = condition.curves[task].env_steps.astype(float)
    there = UNITS[x].of(condition, task).astype(float)
    if known[0] > 0:
        known, there = np.append(0, known), np.append(0, there)
    return lambda steps: np.interp(steps, known, there)
