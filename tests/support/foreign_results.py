"""Write results as other projects leave them, in every layout that docs/import.md shows."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Curves(NamedTuple):
    """Evaluations of one condition on one task."""

    condition: str
    task: str
    steps: Sequence[int]
    returns: Mapping[int, Sequence[float]]
    """Seed -> return at each of the first steps; a shorter list was cut short."""


def text_tree(root: Path, curves: Iterable[Curves]) -> Path:
    """CONDITION/TASK/SEED.txt of lines "step return"."""
    for c in curves:
        folder = root / c.condition / c.task
        folder.mkdir(parents=True, exist_ok=True)
        for seed, returns in c.returns.items():
            lines = [f"{step:d} {r!r}" for step, r in zip(c.steps, returns, strict=False)]
            (folder / f"{seed}.txt").write_text("\n".join(lines) + "\n")
    return root


def long_csv(path: Path, curves: Iterable[Curves], header: str, **constant: str) -> Path:
    """One evaluation a row, after an unnamed index column.

    Args:
        header: names of condition, task, seed, step and score, separated by spaces.
        constant: further columns with the same entry in every row.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", *header.split(), *constant])
        rows = (
            (c.condition, c.task, seed, step, repr(r), *constant.values())
            for c in curves
            for seed, returns in c.returns.items()
            for step, r in zip(c.steps, returns, strict=False)
        )
        writer.writerows((number, *row) for number, row in enumerate(rows))
    return path


def arrays(folder: Path, curves: Iterable[Curves]) -> Path:
    """CONDITION_TASK.npy of [seeds, checkpoints]."""
    folder.mkdir(parents=True, exist_ok=True)
    for c in curves:
        array = np.array([c.returns[seed] for seed in sorted(c.returns)])
        np.save(folder / f"{c.condition}_{c.task}.npy", array)
    return folder


def score_file(path: Path, document: Any) -> Path:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def event_files(root: Path, curves: Iterable[Curves], tag: str) -> Path:
    """CONDITION/TASK/SEED/events.out.tfevents.*; needs tensorboard."""
    from torch.utils.tensorboard import SummaryWriter

    for c in curves:
        for seed, returns in c.returns.items():
            writer = SummaryWriter(str(root / c.condition / c.task / str(seed)))
            for step, value in zip(c.steps, returns, strict=False):
                writer.add_scalar(tag, value, step)
                writer.add_scalar("loss", -1.0, step)
            writer.close()
    return root
