"""Group runs into experiments and conditions, and find the step at which they can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from primacy.runs.errors import UserError
from primacy.runs.report_labels import NOT_A_CONDITION, canonical, effective, labels, order, varied
from primacy.runs.results import Course, CourseKey, Curve, Run, read_courses, read_curve

MAXIMUM_RETURN = 1000.0
"""Of every dm_control task: 1000 frames of at most 1. A normalised score is return / this."""

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Condition:
    """Runs that differ in nothing but seeds, task and what `NOT_A_CONDITION` names."""

    name: str
    """Short and unique in the study, for data sets: c0, c1, ..."""
    label: str
    settings: dict[str, Any]
    """The settings that tell conditions of the study apart."""
    runs: dict[str, tuple[Run, ...]]
    """Task -> its runs."""
    curves: dict[str, Curve]
    """Task -> returns; only tasks with evaluations."""
    courses: dict[str, dict[CourseKey, Course]]
    """Task -> diagnostics; the tasks of `curves`."""

    @property
    def remedies(self) -> tuple[str, ...]:
        """Its remedies in order; empty without intervention."""
        return tuple(self.config("remedies") or ())

    def config(self, name: str, task: str | None = None) -> Any:
        """A setting, of one task's runs or of any."""
        runs = self.runs[task] if task else next(iter(self.runs.values()))
        return runs[0].config.get(name)

    def without(self, *names: str) -> Key:
        """Identity of the condition but for its label and the settings `names`."""
        kept = (n for n in self.settings if n not in (*names, "label"))
        return tuple((n, canonical(n, self.settings[n])) for n in kept)


@dataclass(frozen=True, eq=False)
class Experiment:
    """Tasks that were run under the same conditions."""

    title: str
    tasks: tuple[str, ...]
    conditions: tuple[Condition, ...]
    steps: dict[str, int]
    """Task -> last env step at which every condition was evaluated."""

    def on(self, task: str) -> list[Condition]:
        """The conditions with evaluations on `task`."""
        return [condition for condition in self.conditions if task in condition.curves]


@dataclass(frozen=True, eq=False)
class Study:
    """Everything a report is about."""

    experiments: tuple[Experiment, ...]
    notes: tuple[str, ...]
    """What a reader must know: unfinished runs, seeds left out."""
    runs: tuple[Run, ...]

    @property
    def conditions(self) -> list[Condition]:
        """Those of all experiments."""
        return [c for experiment in self.experiments for c in experiment.conditions]


def study(runs: Sequence[Run]) -> Study:
    """Group runs.

    Raises:
        UserError: a seed twice in a condition, or conditions that share no evaluation step.
    """
    notes: list[str] = []
    usable = [kept for run in runs if (kept := _usable(run, notes)) is not None]
    if not usable:
        raise UserError("no run was evaluated yet", "wait for the first evaluation of a run")
    tasks = {run.task: [r for r in usable if r.task == run.task] for run in usable}
    names = dict.fromkeys(n for group in tasks.values() for n in _varied(group))
    keys = {task: {_key(run, names) for run in group} for task, group in tasks.items()}
    experiments = []
    for group in _experiments(keys):
        members = [run for task in group for run in tasks[task]]
        taken = sum(len(experiment.conditions) for experiment in experiments)
        experiments.append(_experiment(group, members, list(names), taken))
    notes += [note for experiment in experiments for note in _step_notes(experiment)]
    if len({run.commit for run in usable}) > 1:
        notes.append("The runs were made by different commits of the code.")
    return Study(_unique_labels(experiments), tuple(notes), tuple(usable))


def _varied(runs: Sequence[Run]) -> list[str]:
    return varied([effective(run.config) for run in runs], NOT_A_CONDITION - {"label"})


def _key(run: Run, names: Sequence[str] | dict[str, None]) -> Key:
    config = effective(run.config)
    return tuple((name, canonical(name, config.get(name))) for name in names)


def _usable(run: Run, notes: list[str]) -> Run | None:
    """The run without seeds that stopped alone; None if nothing is left. Tells why in `notes`."""
    where = f"{run.folder.name} ({run.task})"
    if run.evaluations.empty:
        notes.append(f"{where} is left out: it has no evaluation yet ({run.state}).")
        return None
    if run.state not in ("finished", "unknown"):
        last, budget = run.evaluations["env_step"].max(), run.config.get("env_steps", 0)
        notes.append(f"{where} is not finished: {run.state}, evaluated to {last:,} of {budget:,}.")
    frozen = set(run.events["seed"][run.events["event"] == "frozen"].astype(int).tolist())
    ends = dict(run.evaluations.groupby("seed")["env_step"].max().items())
    stopped = sorted(seed for seed in frozen & set(ends) if ends[seed] < max(ends.values()))
    missing = sorted(set(run.config.get("seeds", ())) - set(ends))
    if out := stopped + missing:
        notes.append(
            f"{where}: seed{'s' * (len(out) > 1)} {', '.join(map(str, out))} left out (frozen when "
            "numbers were not finite, or never evaluated); this favours the condition."
        )
    elif frozen:
        notes.append(f"{where}: seeds {sorted(frozen)} were frozen: their numbers diverged.")
    kept = run.evaluations[~run.evaluations["seed"].isin(stopped)]
    return None if kept.empty else replace(run, evaluations=kept)


def _experiments(keys: dict[str, set[Key]]) -> list[list[str]]:
    """Tasks grouped by shared conditions: more than half of the smaller set."""
    groups: list[tuple[list[str], set[Key]]] = []
    for task, conditions in keys.items():
        for members, shared in groups:
            if 2 * len(conditions & shared) > min(len(conditions), len(shared)):
                members.append(task)
                shared |= conditions
                break
        else:
            groups.append(([task], set(conditions)))
    return [members for members, _ in groups]


def _experiment(tasks: list[str], runs: Sequence[Run], names: list[str], taken: int) -> Experiment:
    grouped: dict[Key, list[Run]] = {}
    for run in runs:
        grouped.setdefault(_key(run, names), []).append(run)
    settings = {
        key: {n: effective(group[0].config).get(n) for n in names} for key, group in grouped.items()
    }
    keys = sorted(grouped, key=lambda key: order(settings[key]))
    described = [{**_named(grouped[key][0].config), **settings[key]} for key in keys]
    conditions = [
        _condition(f"c{taken + i}", label, settings[key], grouped[key], tasks)
        for i, (key, label) in enumerate(zip(keys, labels(described), strict=True))
    ]
    steps = {task: _last_shared_step(task, conditions) for task in tasks}
    title = tasks[0] if len(tasks) == 1 else f"{len(tasks)} tasks"
    return Experiment(title, tuple(tasks), tuple(conditions), steps)


def _named(config: dict[str, Any]) -> dict[str, Any]:
    """The settings a label may show even where they do not differ."""
    shown = ("label", "prime_updates", "replay_ratio", "remedies")
    return {name: config[name] for name in shown if name in config}


def _condition(
    name: str, label: str, settings: dict[str, Any], runs: Sequence[Run], tasks: Sequence[str]
) -> Condition:
    by_task = {task: tuple(r for r in runs if r.task == task) for task in tasks}
    by_task = {task: group for task, group in by_task.items() if group}
    read = {task: read_curve(group, label) for task, group in by_task.items()}
    curves = {task: curve for task, curve in read.items() if curve}
    courses = {task: read_courses(by_task[task], curve.seeds) for task, curve in curves.items()}
    return Condition(name, label, settings, by_task, curves, courses)


def _last_shared_step(task: str, conditions: Sequence[Condition]) -> int:
    grids = [c.curves[task].env_steps for c in conditions if task in c.curves]
    shared = reduce(np.intersect1d, grids)
    if not len(shared):
        raise UserError(
            f"the conditions on {task} share no evaluation step",
            "report runs that were evaluated at the same env steps, or wait for the slower ones",
        )
    return int(shared[-1])


def _step_notes(experiment: Experiment) -> list[str]:
    """Where the numbers are taken earlier than some run ended, and tasks some condition lacks."""
    notes = []
    for task, step in experiment.steps.items():
        longer = max(int(c.curves[task].env_steps[-1]) for c in experiment.on(task))
        if longer > step:
            notes.append(
                f"{task}: all numbers are taken at env step {step:,}, the last one every "
                f"condition and seed reached; some went on to {longer:,}."
            )
        lacking = [c.label for c in experiment.conditions if task not in c.curves]
        if lacking:
            notes.append(
                f"{task} was not run under: {'; '.join(lacking)}. Differences use shared tasks; "
                "aggregates of those conditions are over fewer tasks."
            )
    return notes


def _unique_labels(experiments: list[Experiment]) -> tuple[Experiment, ...]:
    """Name the experiment too where two of them have a condition of the same label."""
    every = [c.label for experiment in experiments for c in experiment.conditions]

    def renamed(condition: Condition, title: str) -> Condition:
        if every.count(condition.label) == 1:
            return condition
        return replace(condition, label=f"{condition.label} ({title})")

    return tuple(
        replace(e, conditions=tuple(renamed(c, e.title) for c in e.conditions)) for e in experiments
    )
