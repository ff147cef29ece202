"""Group runs into experiments and conditions, and find the step at which they can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from primacy.runs.errors import UserError
from primacy.runs.normalisation import Normaliser, normaliser
from primacy.runs.report_labels import NOT_A_CONDITION, canonical, effective, labels, order, varied
from primacy.runs.results import (
    RUN_FOLDER,
    Course,
    CourseKey,
    Curve,
    Run,
    read_courses,
    read_curve,
)
from primacy.runs.scoring import (
    Scoring,
    Window,
    align,
    cut,
    end_note,
    finals,
    grid_note,
    last_shared_step,
    period_note,
    reset_windows,
)

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
    finals: dict[str, dict[int, float]] = field(default_factory=dict)
    """Task -> seed -> return at the end, as `Scoring` takes it, not normalised."""

    @property
    def remedies(self) -> tuple[str, ...]:
        """Its remedies in order; empty without intervention."""
        return tuple(self.config("remedies") or ())

    @property
    def imported(self) -> bool:
        """Whether nothing is known of it but returns."""
        return all(run.form != RUN_FOLDER for group in self.runs.values() for run in group)

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
    """Task -> last env step at which every condition was evaluated, or the step asked for."""
    normaliser: Normaliser
    scoring: Scoring
    notes: tuple[str, ...] = ()
    """How scores were taken and what was left out."""

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


def study(
    runs: Sequence[Run],
    scoring: Scoring = Scoring(),  # noqa: B008
    normalise: str = "auto",
    notes: Sequence[str] = (),
    first: Sequence[str] = (),
) -> Study:
    """Group and score runs; `notes` of their reading come first, and so do the labels `first`.

    Raises:
        UserError: a seed twice in a condition, conditions that share no evaluation step, runs that
            cannot be scored as asked, or a normaliser that does not know a task.
    """
    said = list(notes)
    found = _online(runs, said)
    usable = [kept for run in found if (kept := _usable(run, said)) is not None]
    if not usable:
        raise UserError("no run was evaluated yet", "wait for the first evaluation of a run")
    usable = cut(usable, scoring, said)
    said += scoring.words
    tasks = {run.task: [r for r in usable if r.task == run.task] for run in usable}
    names = dict.fromkeys(n for group in tasks.values() for n in _varied(group))
    if any(run.form != RUN_FOLDER for run in usable):
        names["label"] = None
    keys = {task: {_key(run, names) for run in group} for task, group in tasks.items()}
    experiments = []
    for group in _experiments(keys):
        members = [run for run in usable if run.task in group]
        taken = sum(len(experiment.conditions) for experiment in experiments)
        grouped = _experiment(group, members, list(names), normaliser(normalise, group))
        experiments.append(_scored(_arranged(grouped, first, taken), scoring))
    said += [note for experiment in experiments for note in _step_notes(experiment)]
    said += [note for experiment in experiments for note in experiment.notes]
    if len({run.commit for run in usable}) > 1:
        said.append("The runs were made by different commits of the code.")
    return Study(_unique_labels(experiments), tuple(dict.fromkeys(said)), tuple(usable))


def _varied(runs: Sequence[Run]) -> list[str]:
    own = [effective(run.config) for run in runs if run.form == RUN_FOLDER]
    return varied(own, NOT_A_CONDITION - {"label"})


def _key(run: Run, names: Sequence[str] | dict[str, None]) -> Key:
    config = effective(run.config)
    return tuple((name, canonical(name, config.get(name))) for name in names)


def _online(runs: Sequence[Run], notes: list[str]) -> Sequence[Run]:
    """The runs without those that end with their offline phase, which would keep the others from
    being compared any later; all of them, where there are no others. Tells in `notes`."""
    offline = [run for run in runs if run.form == RUN_FOLDER and run.config.get("env_steps") == 0]
    if not offline or len(offline) == len(runs):
        return runs
    names = ", ".join(f"{run.folder.name} ({run.task})" for run in offline)
    notes.append(f"Left out, as offline phases that others go on from: {names}.")
    return [run for run in runs if run not in offline]


def _usable(run: Run, notes: list[str]) -> Run | None:
    """The run without seeds that stopped alone; None if nothing is left. Tells why in `notes`."""
    where = f"{run.folder.name} ({run.task})"
    if run.evaluations.empty:
        notes.append(f"{where} is left out: it has no evaluation yet ({run.state}).")
        return None
    if run.form != RUN_FOLDER:
        return run
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


def _experiment(
    tasks: list[str], runs: Sequence[Run], names: list[str], normalised: Normaliser
) -> Experiment:
    grouped: dict[Key, list[Run]] = {}
    for run in runs:
        grouped.setdefault(_key(run, names), []).append(run)
    settings = {
        key: {n: effective(group[0].config).get(n) for n in names} for key, group in grouped.items()
    }
    # Imported conditions have no settings to be ordered by: they stay as they were given.
    keys = list(grouped)
    if any(run.form == RUN_FOLDER for run in runs):
        keys.sort(key=lambda key: order(settings[key]))
    described = [{**_named(grouped[key][0].config), **settings[key]} for key in keys]
    conditions = [
        _condition(label, settings[key], grouped[key], tasks)
        for key, label in zip(keys, labels(described), strict=True)
    ]
    title = tasks[0] if len(tasks) == 1 else f"{len(tasks)} tasks"
    return Experiment(title, tuple(tasks), tuple(conditions), {}, normalised, Scoring())


def _arranged(experiment: Experiment, first: Sequence[str], taken: int) -> Experiment:
    """The experiment with its conditions in order and named, after `taken` others."""
    places = {label: place - len(first) for place, label in enumerate(first)}
    ordered = sorted(experiment.conditions, key=lambda c: places.get(c.label, 0))
    named = (replace(c, name=f"c{taken + i}") for i, c in enumerate(ordered))
    return replace(experiment, conditions=tuple(named))


def _scored(experiment: Experiment, scoring: Scoring) -> Experiment:
    """The experiment with its curves, and with a score of every seed."""
    notes: list[str] = []
    curved = replace(
        experiment, conditions=tuple(_curved(c, scoring, notes) for c in experiment.conditions)
    )
    steps = {
        task: last_shared_step(task, [c.curves[task] for c in curved.on(task)], scoring)
        for task in experiment.tasks
    }
    periods: dict[tuple[str, Window], list[str]] = {}
    found: dict[str, dict[str, dict[int, float]]] = {c.name: {} for c in curved.conditions}
    for task, step in steps.items():
        runs = {c.name: c.runs[task] for c in curved.on(task)}
        windows = reset_windows(runs, step, scoring) if scoring.since_reset else {}
        for c in curved.on(task):
            window = windows.get(c.name)
            found[c.name][task] = finals(c.runs[task], c.curves[task], step, scoring, window)
            if window:
                periods.setdefault((c.label, window), []).append(task)
        if scoring.own_end:
            notes.append(end_note(task, [run for group in runs.values() for run in group]))
    notes += [period_note(label, window, on) for (label, window), on in periods.items()]
    if any(c.imported for c in curved.conditions) or experiment.normaliser.name == "none":
        notes.append(experiment.normaliser.note)
    returns = {t: [v for c in found.values() for v in c.get(t, {}).values()] for t in steps}
    notes.append(experiment.normaliser.doubt(returns))
    conditions = tuple(replace(c, finals=found[c.name]) for c in curved.conditions)
    said = tuple(filter(None, notes))
    return replace(curved, conditions=conditions, steps=steps, scoring=scoring, notes=said)


def _curved(condition: Condition, scoring: Scoring, notes: list[str]) -> Condition:
    read = {
        task: read_curve(align(group, scoring), condition.label)
        for task, group in condition.runs.items()
    }
    curves = {task: curve for task, curve in read.items() if curve}
    notes += [
        grid_note(condition.label, task, condition.runs[task], curve)
        for task, curve in curves.items()
    ]
    courses = {t: read_courses(condition.runs[t], curve.seeds) for t, curve in curves.items()}
    return replace(condition, curves=curves, courses=courses)


def _named(config: dict[str, Any]) -> dict[str, Any]:
    """The settings a label may show even where they do not differ."""
    shown = ("label", "prime_updates", "replay_ratio", "remedies")
    return {name: config[name] for name in shown if name in config}


def _condition(
    label: str, settings: dict[str, Any], runs: Sequence[Run], tasks: Sequence[str]
) -> Condition:
    by_task = {task: tuple(r for r in runs if r.task == task) for task in tasks}
    by_task = {task: group for task, group in by_task.items() if group}
    return Condition("", label, settings, by_task, {}, {})


def _step_notes(experiment: Experiment) -> list[str]:
    """Where the numbers are taken earlier than some run ended, and tasks some condition lacks."""
    notes, how = [], experiment.scoring
    for task, step in experiment.steps.items():
        longer = max(int(c.curves[task].env_steps[-1]) for c in experiment.on(task))
        if longer > step and how.at is None and not how.own_end:
            first = [c for c in experiment.on(task) if c.imported]
            early = [c.label for c in first if c.curves[task].env_steps[-1] == step]
            notes.append(
                f"{task}: all numbers are taken at env step {step:,}, the last one every "
                f"condition and seed reached; some went on to {longer:,}."
                + (f" Those that end there: {'; '.join(early)}." if early else "")
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
