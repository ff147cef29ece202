"""What each run cost, from its timing.csv."""

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from primacy.runs.report_study import Experiment
from primacy.runs.results import read_table

PARTS = ("environment", "replay", "update", "evaluation", "diagnostics", "checkpoint")
COST_COLUMNS = [
    *"run task condition seeds env_steps gradient_steps seconds gradient_steps_per_second".split(),
    *PARTS,
]


def costs(experiment: Experiment) -> Iterable[dict[str, Any]]:
    """A row per run with a timing.csv: wall seconds, in all and by part of the loop.

    A gradient step updates every seed of its run. The clock of a run that was continued goes on;
    where an earlier version started it anew, its last value of each session is added.
    """
    for condition in experiment.conditions:
        for task, runs in condition.runs.items():
            for run in runs:
                spent = _spent(run.folder / "timing.csv")
                if not spent:
                    continue
                steps, seconds = spent["gradient_step"], spent["seconds"]
                yield {
                    "run": str(run.folder),
                    "task": task,
                    "condition": condition.label,
                    "seeds": int(run.evaluations["seed"].nunique()),
                    "env_steps": int(spent["env_step"]),
                    "gradient_steps": int(steps),
                    "seconds": seconds,
                    "gradient_steps_per_second": steps / seconds if seconds else np.nan,
                    **{part: spent[part] for part in PARTS},
                }


CLOCK = ("seconds", *PARTS)


def _read(path: Path) -> dict[str, np.ndarray]:
    """Column -> its numbers; empty where there is no file, or no whole line of numbers in it."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    header, *lines = text[: text.rfind("\n") + 1].splitlines() or [""]
    names = header.split(",")
    rows = [row for line in lines if len(row := _numbers(line)) == len(names)]
    if not rows or not {"env_step", "gradient_step", *CLOCK} <= set(names):
        return {}
    return dict(zip(names, np.array(rows).T, strict=True))


def _spent(path: Path) -> dict[str, float]:
    """Column -> total; empty where nothing is known."""
    columns = _read(path)
    if not columns:
        return {}
    before = _anew(path.parent, columns)
    return {
        name: float(values[:-1][before].sum() + values[-1]) if name in CLOCK else float(max(values))
        for name, values in columns.items()
    }


def clock(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Env steps [K] and the wall seconds spent up to each; both empty where nothing is known."""
    columns = _read(path)
    if not columns:
        return np.array([]), np.array([])
    seconds = columns["seconds"]
    before = np.where(_anew(path.parent, columns), seconds[:-1], 0.0)
    return columns["env_step"], seconds + np.cumsum(np.append(0.0, before))


def _anew(run: Path, columns: dict[str, np.ndarray]) -> np.ndarray:
    """bool [K - 1]: whether the clock started anew between a row and the next.

    Falling shows it. A session that was longer than the one before shows in the events alone: it
    went on from a checkpoint at or after the one row and before the other.
    """
    fell = (np.diff([columns[name] for name in CLOCK]) < 0).any(axis=0)
    steps = list(zip(columns["env_step"], columns["gradient_step"], strict=True))
    restarts = _restarts(run)
    between = [any(a <= at < b for at in restarts) for a, b in pairwise(steps)]
    return fell | np.array(between, dtype=bool)


def _restarts(run: Path) -> list[tuple[float, float]]:
    """(env step, gradient step) of each checkpoint that a run went on from with a clock started
    anew: none where checkpoints hold the clock, as they have since it goes on."""
    saved = [path for path in (run / "checkpoints").glob("*.json") if path.stem.isdigit()]
    if not saved or _holds_clock(max(saved)):
        return []
    events = read_table(run / "events.csv", ("env_step", "gradient_step", "event"))
    found = events[events["event"] == "restart"]
    return list(zip(found["env_step"], found["gradient_step"], strict=True))


def _holds_clock(checkpoint: Path) -> bool:
    try:
        return "clock" in json.loads(checkpoint.read_text())["numbers"]
    except (OSError, ValueError, KeyError, TypeError):
        return True  # Damaged: nothing says that the clock starts anew.


def _numbers(line: str) -> list[float]:
    try:
        return [float(entry) for entry in line.split(",")]
    except ValueError:
        return []
