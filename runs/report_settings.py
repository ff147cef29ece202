"""Configurations side by side: what differs, what all runs share, and the commands."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from primacy.runs.report_labels import canonical, plain, varied
from primacy.runs.report_study import Condition, Experiment, Study
from primacy.runs.results import Run

OWN = frozenset({"seeds", "task", "label", "out"})
"""Settings every run has its own of: said elsewhere."""


class Settings(NamedTuple):
    """The configurations of one experiment."""

    differing: list[tuple[str, list[str]]]
    """Setting -> one entry per condition."""
    shared: list[tuple[str, str]]
    """Setting -> its one value; per task where it depends on the task alone."""


def settings(experiment: Experiment) -> Settings:
    """Compare all configurations of an experiment."""
    runs = [run for c in experiment.conditions for group in c.runs.values() for run in group]
    names = [name for name in dict.fromkeys(n for r in runs for n in r.config) if name not in OWN]
    within = {
        name
        for task in experiment.tasks
        for name in varied([run.config for run in runs if run.task == task], OWN)
    }
    return Settings(
        [(n, [_of_condition(c, n) for c in experiment.conditions]) for n in names if n in within],
        [(n, _of_tasks(runs, n)) for n in names if n not in within],
    )


def _of_condition(condition: Condition, name: str) -> str:
    return _different(name, [run.config.get(name) for g in condition.runs.values() for run in g])


def _of_tasks(runs: Sequence[Run], name: str) -> str:
    by_task = {run.task: run.config.get(name) for run in runs}
    text = _different(name, list(by_task.values()))
    if text == plain(by_task[runs[0].task]):
        return text
    return "; ".join(f"{task}: {plain(value)}" for task, value in by_task.items())


def _different(name: str, values: Sequence[Any]) -> str:
    return " or ".join(plain(v) for v in {canonical(name, v): v for v in values}.values())


def commands(study: Study) -> list[tuple[str, str]]:
    """Run folder -> the command that made it, where known."""
    return [(str(run.folder), run.command) for run in study.runs if run.command]
