"""Returns to normalised scores, so that tasks can be averaged: gamma (return - low) / (high - low).

Atari-100k's table is that of the notebook of rliable (Agarwal et al. 2021): random and human scores
of 26 games. Returns of dm_control are at most 1000; AntMaze counts successes in percent.
"""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from primacy.runs.errors import UserError

Bounds = Mapping[str, tuple[float, float]]
"""Key of a task -> the returns whose scores are 0 and gamma; "" for every task."""

TABLE_COLUMNS = (("task", "low", "high"), ("game", "random", "human"))

DMC_TASKS = {
    "acrobot": "swingup swingup_sparse",
    "ball_in_cup": "catch",
    "cartpole": "balance balance_sparse swingup swingup_sparse two_poles three_poles",
    "cheetah": "run",
    "dog": "stand walk trot run fetch",
    "finger": "spin turn_easy turn_hard",
    "fish": "upright swim",
    "hopper": "stand hop",
    "humanoid": "stand walk run run_pure_state",
    "humanoid_CMU": "stand walk run",
    "lqr": "lqr_2_1 lqr_6_2",
    "manipulator": "bring_ball bring_peg insert_ball insert_peg",
    "pendulum": "swingup",
    "point_mass": "easy hard",
    "quadruped": "walk run escape fetch",
    "reacher": "easy hard",
    "stacker": "stack_2 stack_4",
    "swimmer": "swimmer6 swimmer15",
    "walker": "stand walk run",
}
"""Of dm_control's suite, by domain: reading results must not load a simulator."""


def key(task: str) -> str:
    """What names of one task share: BankHeist, bank_heist, atari-bank_heist, ALE/BankHeist-v5 are
    "bankheist"."""
    name = re.sub(r"^(ale/|dmc/|dm_control/|atari-)", "", task.strip().lower())
    name = re.sub(r"[-_]?v\d+$", "", name)
    name = re.sub(r"(noframeskip|deterministic)$", "", name)
    return re.sub(r"[\s_-]", "", name)


DMC = frozenset(key(f"{domain}-{t}") for domain, names in DMC_TASKS.items() for t in names.split())


@dataclass(frozen=True)
class Normaliser:
    """How returns become scores, and what scores and returns are called."""

    name: str
    """atari, dmc, antmaze, none, or the path of a table."""
    bounds: Bounds
    gamma: float = 1.0
    """The score whose shortfall is the optimality gap."""
    words: str = "return"
    """What a score is, as in "IQM of ..."."""
    returns: str = "return"
    """What is normalised, as the title of an axis."""
    maximum: float | None = None
    """Greatest return of every task, where there is one."""
    decimals: int = 0
    """Of a return in a sentence."""
    normalised: float = 0.0
    """Returns that are all smaller than this look like scores; 0 where nobody can tell."""
    many: int = 1
    """On so many tasks at least."""
    note: str = ""
    """Why this one, where it was not asked for by name."""

    def limits(self, task: str) -> tuple[float, float]:
        """Returns of `task` whose scores are 0 and gamma."""
        return self.bounds.get("") or self.bounds[key(task)]

    def apply(self, task: str, returns: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Scores, in the shape of `returns`."""
        low, high = self.limits(task)
        return self.gamma * (np.asarray(returns, dtype=float) - low) / (high - low)

    def doubt(self, returns: Mapping[str, Iterable[float]]) -> str:
        """A warning where the returns of all tasks look normalised already, or an empty string."""
        values = [abs(value) for of_task in returns.values() for value in of_task]
        if self.maximum and max(values, default=0.0) > 1.001 * self.maximum:
            return (
                f"Some returns are above {self.maximum:g}, the greatest of {self.name}: are they "
                "normalised already (--normalise none), or of other tasks?"
            )
        if len(returns) < self.many or not any(values) or max(values) >= self.normalised:
            return ""
        return (
            f"All returns lie within {self.normalised:g} of 0: they look normalised already, and "
            f"{self.name} normalises them again. Use --normalise none if they are scores."
        )


def read_table(path: Path, text: str) -> Bounds:
    """A table of task, low, high (or game, random, human) as CSV.

    Raises:
        UserError: other columns, a line that is not two different numbers, or a task twice.
    """
    lines = list(csv.reader(text.splitlines()))
    columns = next((c for c in TABLE_COLUMNS if lines and set(c) <= set(lines[0])), None)
    if columns is None:
        raise UserError(
            f"{path} line 1 does not name the columns of a table of scores",
            f"it should be {' or '.join(','.join(c) for c in TABLE_COLUMNS)}",
        )
    places = [lines[0].index(column) for column in columns]
    bounds: dict[str, tuple[float, float]] = {}
    for number, line in enumerate(lines[1:], start=2):
        try:
            task, low, high = (line[place] for place in places)
            found = float(low), float(high)
        except (ValueError, IndexError) as error:
            raise UserError(
                f"{path} line {number} is not a task and two numbers", "mend or remove that line"
            ) from error
        if not np.isfinite(found).all() or found[0] == found[1] or key(task) in bounds:
            raise UserError(
                f"{path} line {number}: {task} is there twice or has no range of scores",
                "each task once, with two different finite numbers",
            )
        bounds[key(task)] = found
    if not bounds:
        raise UserError(f"{path} names no task", "add a line for each task of the results")
    return bounds


@cache
def atari_bounds() -> Bounds:
    """Random and human scores of the 26 games of Atari-100k."""
    table = files("primacy.runs") / "atari100k_scores.csv"
    return read_table(Path(table.name), table.read_text("utf-8"))


def _atari(tasks: Sequence[str]) -> Normaliser:
    bounds = atari_bounds()
    _known(tasks, bounds, "Atari-100k's table")
    return Normaliser(
        "atari",
        bounds,
        words="human-normalised score",
        returns="score",
        decimals=1,
        normalised=20.0,
        many=5,
    )


def _dmc(tasks: Sequence[str]) -> Normaliser:
    return Normaliser(
        "dmc",
        {"": (0.0, 1000.0)},
        words="return / 1000",
        returns="return (0 to 1000)",
        maximum=1000.0,
        normalised=1.0 + 1e-9,
    )


def _antmaze(tasks: Sequence[str]) -> Normaliser:
    return Normaliser(
        "antmaze",
        {"": (0.0, 1.0)},
        gamma=100.0,
        words="success x 100",
        returns="success rate (0 to 1)",
        maximum=1.0,
        decimals=2,
    )


def _none(tasks: Sequence[str]) -> Normaliser:
    return Normaliser(
        "none",
        {"": (0.0, 1.0)},
        words="score",
        returns="score",
        decimals=2,
        note="Scores are used as they are, not normalised: aggregates over tasks favour tasks of "
        "large scores, and the optimality gap supposes that 1 is the target.",
    )


NORMALISERS: dict[str, Callable[[Sequence[str]], Normaliser]] = {
    "atari": _atari,
    "dmc": _dmc,
    "antmaze": _antmaze,
    "none": _none,
}


def _is_dmc(name: str) -> bool:
    # With its variant a pixel task is scored as the task that it shows.
    task = re.sub(r"pixels(84)?$", "", name)
    return task in DMC or re.fullmatch(r"swimmerswimmer\d+", task) is not None


SUITES: dict[str, tuple[Callable[[str], bool], str]] = {
    "dmc": (_is_dmc, "dm_control's"),
    "atari": (lambda name: name in atari_bounds(), "of Atari-100k"),
    "antmaze": (lambda name: name.startswith("antmaze"), "AntMaze's"),
}
"""Normaliser -> which keys of tasks are its own, and whose those are."""


def of_suite(task: str) -> bool:
    """Whether a task belongs to a known suite, where spelling carries no meaning."""
    return any(belongs(key(task)) for name, (belongs, _) in SUITES.items() if name != "antmaze")


def normaliser(spec: str, tasks: Sequence[str]) -> Normaliser:
    """The normaliser `spec`: auto, one of `NORMALISERS`, or the path of a table.

    auto takes the suite that every task belongs to, none where there is no such suite.

    Raises:
        UserError: no such normaliser or file, a malformed table, or tasks that it lacks.
    """
    if spec in NORMALISERS:
        return NORMALISERS[spec](tasks)
    if spec == "auto":
        return _auto(tasks)
    path = Path(spec)
    try:
        bounds = read_table(path, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        choices = ", ".join(("auto", *NORMALISERS))
        raise UserError(
            f"--normalise {spec} is no table that can be read",
            f"it is one of {choices}, or a CSV of {' or '.join(map(','.join, TABLE_COLUMNS))}",
        ) from error
    _known(tasks, bounds, spec)
    return Normaliser(spec, bounds, words="normalised score", decimals=2)


def _auto(tasks: Sequence[str]) -> Normaliser:
    for name, (belongs, whose) in SUITES.items():
        if all(belongs(key(task)) for task in tasks):
            found = NORMALISERS[name](tasks)
            note = f"Normalised to {found.words}, as the tasks are {whose} (--normalise auto)."
            return replace(found, note=note)
    found = _none(tasks)
    shown = ", ".join(tasks[:3]) + (f" and {len(tasks) - 3} more" if len(tasks) > 3 else "")
    note = f"{found.note} No one known suite has {shown}: --normalise FILE takes a table of bounds."
    return replace(found, note=note)


def _known(tasks: Sequence[str], bounds: Bounds, where: str) -> None:
    lacking = [task for task in tasks if key(task) not in bounds]
    if lacking:
        near = get_close_matches(key(lacking[0]), bounds, n=2)
        guess = f"did you mean {' or '.join(near)}? " if near else ""
        raise UserError(
            f"{where} has no scores of {', '.join(lacking)}",
            f"{guess}choose tasks with --tasks, or give a table with --normalise FILE",
        )
