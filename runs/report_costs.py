"""What each run cost, from its timing.csv."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from primacy.runs.report_study import Experiment

PARTS = ("environment", "replay", "update", "evaluation", "diagnostics", "checkpoint")
COST_COLUMNS = [
    *"run task condition seeds env_steps gradient_steps seconds gradient_steps_per_second".split(),
    *PARTS,
]


def costs(experiment: Experiment) -> Iterable[dict[str, Any]]:
    """A row per run with a timing.csv: wall seconds, in all and by part of the loop.

    A gradient step updates every seed of its run. A run that was continued starts its clock anew,
    so the clock's value before each fall is added.
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
    return {n: _total(v) if n in CLOCK else float(v.max()) for n, v in columns.items()}


def clock(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Env steps [K] and the wall seconds spent up to each; both empty where nothing is known."""
    columns = _read(path)
    if not columns:
        return np.array([]), np.array([])
    seconds = columns["seconds"]
    before = np.append(0.0, np.where(np.diff(seconds) < 0, seconds[:-1], 0.0))
    return columns["env_step"], seconds + np.cumsum(before)


def _numbers(line: str) -> list[float]:
    try:
        return [float(entry) for entry in line.split(",")]
    except ValueError:
        return []


def _total(clock: np.ndarray) -> float:
    restarts = np.flatnonzero(np.diff(clock) < 0)
    return float(clock[restarts].sum() + clock[-1]) if len(clock) else 0.0
