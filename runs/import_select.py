"""Which conditions and tasks of the results are wanted, and what they are to be called."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from primacy.runs.errors import UserError
from primacy.runs.import_options import ImportOptions, pairs
from primacy.runs.normalisation import DMC, atari_bounds, key, of_suite
from primacy.runs.results import Run

SUITE_TASKS: dict[str, Callable[[], Iterable[str]]] = {"atari": atari_bounds, "dmc": lambda: DMC}
"""What --tasks may say for all tasks of a suite -> their keys."""


@dataclass(eq=False)
class Selection:
    """Renames, then takes what --tasks and --conditions ask for; remembers what it was shown."""

    tasks: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    rename: dict[str, str] = field(default_factory=dict)
    seen_conditions: dict[str, None] = field(default_factory=dict)
    """By their own names and by those they were given."""
    seen_tasks: dict[str, str] = field(default_factory=dict)
    """Key of a task -> how it is written."""

    @classmethod
    def of(cls, options: ImportOptions) -> "Selection":
        """What the options ask for. Raises UserError for a --rename that is not OLD=NEW."""
        return cls(options.tasks, options.conditions, pairs("rename", options.rename))

    def take(self, condition: str, task: str) -> tuple[str, str] | None:
        """The names under which a result is reported; None if it is not wanted."""
        name, task = self.take_condition(condition), self._task(task)
        return (name, task) if name is not None and self._takes_task(task) else None

    def take_condition(self, condition: str) -> str | None:
        """The name of a condition; None if it is not wanted."""
        self.seen_conditions.setdefault(condition)
        condition = self.rename.get(condition, condition)
        self.seen_conditions.setdefault(condition)
        return condition if not self.conditions or condition in self.conditions else None

    def take_task(self, run: Run) -> Run | None:
        """The run under the name its task is reported by; None if it is not wanted."""
        task = self._task(run.task)
        return replace(run, config={**run.config, "task": task}) if self._takes_task(task) else None

    def _task(self, task: str) -> str:
        """One spelling for a task of a known suite, so that files of several authors meet."""
        if task in self.rename:
            self.seen_tasks.setdefault(task, task)
            task = self.rename[task]
        name = key(task) if of_suite(task) else task
        return self.seen_tasks.setdefault(name, task)

    def _takes_task(self, task: str) -> bool:
        """Whether --tasks asks for it, or for nothing."""
        return not self.tasks or key(task) in self._wanted_keys()

    def _wanted_keys(self) -> set[str]:
        asked = {key(task) for task in self.tasks}
        return asked.union(*(SUITE_TASKS[name]() for name in asked if name in SUITE_TASKS))

    def check(self) -> None:
        """Refuse names that nothing among the results has.

        Raises:
            UserError: with near names.
        """
        tasks = {key(task): task for task in self.seen_tasks.values()}
        for task in self.tasks:
            if key(task) not in tasks and key(task) not in SUITE_TASKS:
                raise _unknown("tasks", task, tasks.values())
        for condition in self.conditions:
            if condition not in self.seen_conditions:
                raise _unknown("conditions", condition, self.seen_conditions)
        known = (*self.seen_conditions, *self.seen_tasks, *self.seen_tasks.values())
        for old in self.rename:
            if old not in known:
                raise _unknown("rename", old, known)


def _unknown(option: str, name: str, known: Iterable[str]) -> UserError:
    names = list(dict.fromkeys(known))
    near = get_close_matches(name, names, n=2, cutoff=0.5) or names[:5]
    more = ", ..." if len(near) < len(names) else ""
    return UserError(
        f"--{option} {name}: nothing in the results is called so",
        f"there are: {', '.join(near)}{more}",
    )


def relabelled(run: Run, label: str) -> Run:
    """The run under a label of its own."""
    return replace(run, config={**run.config, "label": label})
