"""Read run folders into a study: experiments, their conditions, and each condition's curves.

A condition is a configuration without its seeds; runs that differ only in seeds are merged. An
experiment is a set of tasks run under the same conditions. Needs pandas ([report]) but no torch.
"""

import csv
import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from primacy.runs.errors import UserError
from primacy.runs.folder import LATER_FIELDS

if TYPE_CHECKING:
    import pandas as pd

EVALUATION_COLUMNS = ("seed", "env_step", "gradient_step", "frame", "return_mean")
TRAINING_COLUMNS = ("seed", "env_step", "metric", "value")
DIAGNOSTIC_COLUMNS = ("seed", "env_step", "phase", "network", "layer", "metric", "value")
EVENT_COLUMNS = ("seed", "env_step", "event", "detail")
TEXT_COLUMNS = frozenset({"phase", "network", "layer", "metric", "event", "detail"})
RUN_FOLDER = "run-folder"
UNREAD_FOLDERS = frozenset({"journal", "checkpoints"})


@dataclass(frozen=True, eq=False)
class Run:
    """One run folder, its CSVs as tables of floats and text."""

    folder: Path
    config: dict[str, Any]
    command: str
    """The shell command that made it, or an empty string."""
    commit: str
    state: str
    """running, finished, failed, interrupted or unknown."""
    evaluations: "pd.DataFrame"
    diagnostics: "pd.DataFrame"
    """seed, env_step, network, layer, metric, value; mean_q of training.csv included."""
    around: "pd.DataFrame"
    """Diagnostics just before and after interventions: the same columns, and phase."""
    events: "pd.DataFrame"
    form: str = RUN_FOLDER
    """What it was read from; all but run folders know returns alone."""
    origin: dict[str, Any] = field(default_factory=dict)
    """The fork or transplant that it began as: kind, parent, at; empty for most runs."""

    @property
    def task(self) -> str:
        """Name of its task."""
        return self.config["task"]


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read every run at or below `folders`, in path order, each once.

    Raises:
        UserError: a folder that is missing, unreadable or holds no run; a malformed file.
    """
    found: dict[Path, Path] = {}
    for folder in folders:
        below = _run_folders(folder)
        if not below:
            raise UserError(
                f"no run in {folder}",
                "a run folder holds config.json and evaluations.csv; `primacy train` makes one",
            )
        found.update({path.resolve(): path for path in below})
    return [_read_run(path) for path in found.values()]


def has_runs(folder: Path) -> bool:
    """Whether there is a run folder at or below `folder`."""
    return folder.is_dir() and bool(_run_folders(folder))


def _run_folders(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise UserError(
            f"cannot read {error.filename}: {error.strerror}", "check the path and its permissions"
        )

    found = []
    for path, below, files in os.walk(folder, onerror=refuse):
        below[:] = sorted(set(below) - UNREAD_FOLDERS)
        if {"config.json", "evaluations.csv"} <= set(files):
            found.append(Path(path))
    return found


def _read_run(folder: Path) -> Run:
    document = read_json(folder / "config.json")
    config = document.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("task"), str):
        raise UserError(
            f"{folder / 'config.json'} does not name a task",
            "it should hold {'config': {'task': ..., 'seeds': [...], ...}}",
        )
    if "env_steps" in config:
        config = LATER_FIELDS | config
    command = document.get("command", "")
    status = folder / "status.json"
    diagnostics, around = _read_diagnostics(folder)
    kind, origin = _origin(document)
    if kind:
        # Not a setting of the run, but conditions of different origins are different.
        config = config | {"origin": ORIGINS[kind](origin)}
    return Run(
        folder=folder,
        config=config,
        origin={"kind": kind, **origin} if kind else {},
        command=command if isinstance(command, str) else shlex.join(command),
        commit=str(document.get("commit") or ""),
        state=read_json(status).get("state", "unknown") if status.exists() else "unknown",
        evaluations=_read_evaluations(folder / "evaluations.csv"),
        diagnostics=diagnostics,
        around=around,
        events=read_table(folder / "events.csv", EVENT_COLUMNS),
    )


ORIGINS = {
    "fork": lambda origin: f"fork at {origin['at']:,}",
    "transplant": lambda origin: {
        "experience": f"given {origin['at']:,} transitions",
        "networks": f"given networks at {origin['at']:,}",
    }[origin["what"]],
}
"""What a run began with, in words."""


def _origin(document: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return next(((k, document[k]) for k in ORIGINS if isinstance(document.get(k), dict)), ("", {}))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UserError(
            f"cannot read {path}: {reason}", "check the file and its permissions"
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises UserError where the file cannot be read or holds none."""
    try:
        document = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} line {error.lineno} is not JSON: {error.msg}", "the file may be cut short"
        ) from error
    if not isinstance(document, dict):
        raise UserError(f"{path} is not a JSON object", "is this a run folder of primacy?")
    return document


def read_table(path: Path, columns: Sequence[str]) -> "pd.DataFrame":
    """The named columns of a CSV; empty if there is no such file.

    A last line without its end belongs to a run still being written and is left for next time.
    """
    import pandas as pd

    text = _read_text(path) if path.exists() else ""
    lines = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
    if not lines:
        return _empty(columns)
    header, rows = lines[0], lines[1:]
    if missing := [column for column in columns if column not in header]:
        raise UserError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}",
            f"its first line should name at least {', '.join(columns)}",
        )
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise UserError(
                f"{path} line {number}: {len(row)} entries, expected {len(header)}",
                "mend or remove that line",
            )
    where = {column: header.index(column) for column in columns}
    return pd.DataFrame({c: _column(path, c, [row[at] for row in rows]) for c, at in where.items()})


@cache
def no_diagnostics() -> "pd.DataFrame":
    """Of a run that has none."""
    return _empty(DIAGNOSTIC_COLUMNS)


@cache
def no_events() -> "pd.DataFrame":
    """Of a run that has none."""
    return _empty(EVENT_COLUMNS)


def _empty(columns: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({c: np.array([], dtype=_dtype(c)) for c in columns})


def _dtype(column: str) -> type:
    return object if column in TEXT_COLUMNS else float


def _column(path: Path, name: str, entries: list[str]) -> "np.ndarray":
    try:
        return np.array(entries, dtype=_dtype(name))
    except ValueError:
        for number, entry in enumerate(entries, start=2):
            _number(path, name, number, entry)
        raise


def _number(path: Path, name: str, line: int, entry: str) -> None:
    try:
        float(entry)
    except ValueError as error:
        raise UserError(
            f"{path} line {line}: {name} is {entry!r}, not a number", "mend or remove that line"
        ) from error


def _read_evaluations(path: Path) -> "pd.DataFrame":
    table = read_table(path, EVALUATION_COLUMNS)
    bad = ~np.isfinite(table.to_numpy(dtype=float))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        name = EVALUATION_COLUMNS[column]
        raise UserError(
            f"{path} line {row + 2}: {name} is {table.iloc[row, column]}, not a finite number",
            "leave the run out, or remove that seed's lines from the file",
        )
    twice = table.duplicated(["seed", "env_step"]).to_numpy()
    if twice.any():
        row = int(np.argmax(twice))
        seed, step = (int(table[name].iloc[row]) for name in ("seed", "env_step"))
        raise UserError(
            f"{path} line {row + 2}: seed {seed} was evaluated twice at env step {step}",
            "remove one of the two lines",
        )
    return table.astype({"seed": int, "env_step": int, "gradient_step": int, "frame": int})


def _read_diagnostics(folder: Path) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """plasticity.csv between interventions, with mean Q where training.csv has it; and around
    them."""
    import pandas as pd

    whole = read_table(folder / "plasticity.csv", DIAGNOSTIC_COLUMNS)
    # A diverged network has metrics that are not finite; they cannot be drawn.
    whole = whole.loc[np.isfinite(whole["value"].to_numpy(dtype=float))]
    table = whole.loc[whole["phase"] == "interval"].drop(columns="phase")
    training = read_table(folder / "training.csv", TRAINING_COLUMNS)
    mean_q = training.loc[training["metric"] == "mean_q"].assign(network="critic", layer="")
    if len(mean_q):
        others = table.loc[table["metric"] != "mean_q"]
        finite = np.isfinite(mean_q["value"].to_numpy(dtype=float))
        table = pd.concat([others, mean_q.loc[finite]], ignore_index=True)
    return table, whole.loc[whole["phase"] != "interval"]


@dataclass(frozen=True, eq=False)
class Curve:
    """Evaluation returns of one condition on one task, at the steps all its seeds share."""

    seeds: tuple[int, ...]
    env_steps: np.ndarray
    """[K]."""
    gradient_steps: np.ndarray
    """[K]; NaN where results do not tell."""
    frames: np.ndarray
    """[K]; NaN where results do not tell."""
    returns: np.ndarray
    """[n, K]: mean return of each evaluation."""

    def at(self, step: int) -> dict[int, float]:
        """Seed -> return at one of `env_steps`."""
        column = self.returns[:, np.searchsorted(self.env_steps, step)]
        return dict(zip(self.seeds, column.tolist(), strict=True))

    def last_four(self, step: int) -> dict[int, float]:
        """Seed -> mean return of the last four evaluations up to `step`."""
        stop = int(np.searchsorted(self.env_steps, step)) + 1
        means = self.returns[:, max(0, stop - 4) : stop].mean(axis=1)
        return dict(zip(self.seeds, means.tolist(), strict=True))


def read_curve(runs: Sequence[Run], label: str) -> Curve | None:
    """Merge the runs of one condition on one task; None if nothing was evaluated yet.

    Raises:
        UserError: a seed in two folders, or seeds that were never evaluated at the same step.
    """
    import pandas as pd

    owner: dict[int, Path] = {}
    for run in runs:
        for seed in map(int, run.evaluations["seed"].unique()):
            if seed in owner:
                raise UserError(
                    f"seed {seed} of {label!r} on {run.task} is in two folders: "
                    f"{owner[seed]} and {run.folder}",
                    "report one of them, or tell the runs apart with --label",
                )
            owner[seed] = run.folder
    table = pd.concat([run.evaluations for run in runs])
    if table.empty:
        return None
    returns = table.pivot(index="seed", columns="env_step", values="return_mean").dropna(axis=1)
    if returns.shape[1] == 0:
        raise UserError(
            f"the seeds of {label!r} on {runs[0].task} share no evaluation step",
            "evaluate all seeds at the same env steps",
        )
    counters = table.drop_duplicates("env_step").set_index("env_step").loc[returns.columns]
    return Curve(
        seeds=tuple(map(int, returns.index)),
        env_steps=returns.columns.to_numpy(),
        gradient_steps=counters["gradient_step"].to_numpy(),
        frames=counters["frame"].to_numpy(),
        returns=returns.to_numpy(),
    )


class Course(NamedTuple):
    """A diagnostic over env steps [K], summarised over seeds."""

    env_steps: np.ndarray
    median: np.ndarray
    """One diverged seed must not hide the others."""
    low: np.ndarray
    """Least over seeds."""
    high: np.ndarray
    """Greatest over seeds."""


CourseKey = tuple[str, str, str]
"""Network, layer ("" for the whole network), metric."""


def read_courses(runs: Sequence[Run], seeds: Sequence[int]) -> dict[CourseKey, Course]:
    """Every diagnostic of one condition on one task, over the given seeds."""
    import pandas as pd

    table = pd.concat([run.diagnostics for run in runs])
    table = table[table["seed"].isin(seeds)]
    found = {}
    for key, rows in table.groupby(["network", "layer", "metric"], sort=False):
        summary = rows.groupby("env_step")["value"].agg(["median", "min", "max"]).reset_index()
        found[key] = Course(*summary.to_numpy(dtype=float).T)
    return found
