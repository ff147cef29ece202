"""Score files without steps: .npy arrays [seeds, checkpoints], one per task, and JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from primacy.runs.errors import UserError
from primacy.runs.import_csv import Numbered, read_records
from primacy.runs.import_pattern import Names, locate
from primacy.runs.import_rows import (
    FINAL,
    Row,
    Source,
    files_below,
    number,
    read_text,
    runs_of,
    steps_of,
)
from primacy.runs.normalisation import of_suite
from primacy.runs.results import Run

ARRAY_SHAPE = "CONDITION_TASK.npy or CONDITION/TASK.npy with a known task"


def recognises_arrays(root: Path) -> bool:
    """Whether there are .npy files."""
    return bool(files_below(root, lambda path: path.suffix == ".npy"))


def recognises_json(root: Path) -> bool:
    """Whether there are JSON files."""
    return bool(files_below(root, lambda path: path.suffix == ".json"))


def read_arrays(source: Source) -> list[Run]:
    """One run per file: row s is seed s.

    Raises:
        UserError: a name that tells no task, an array of another shape, an entry that is no finite
            number, or no --steps where there are several checkpoints.
    """
    paths = files_below(source.root, lambda path: path.suffix == ".npy")
    runs = []
    for path, names in locate(source, paths, _array_names, ARRAY_SHAPE):
        if "task" not in names:
            raise UserError(f"--pattern {source.options.pattern} names no task", "add {task} to it")
        taken = source.selection.take(names.get("condition", path.parent.name), names["task"])
        if taken:
            runs += runs_of(_array_rows(source, path, *taken), path, "npy")
    return runs


def _array_names(path: Path) -> Names | None:
    """The longest end of a name that is a task of a known suite."""
    if of_suite(path.stem):
        return {"condition": path.resolve().parent.name, "task": path.stem}
    for at, letter in enumerate(path.stem):
        if letter in "_-" and at and of_suite(path.stem[at + 1 :]):
            return {"condition": path.stem[:at], "task": path.stem[at + 1 :]}
    return None


def _array_rows(source: Source, path: Path, condition: str, task: str) -> Iterator[Row]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"cannot read {path}: {error}", "it should be one plain array") from error
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        raise UserError(
            f"{path} is {array.dtype} {list(array.shape)}, not numbers [seeds, checkpoints]",
            "write one array of that shape per task",
        )
    steps = _steps(source, path, array.shape[1])
    for seed, returns in enumerate(array.astype(float).tolist()):
        for at, value in enumerate(returns):
            place = f"{path} row {seed}, checkpoint {at}"
            yield Row(condition, task, seed, steps[at], number(value, "return", place), place)


def _steps(source: Source, path: Path, count: int) -> list[int]:
    if source.options.steps:
        return list(steps_of(source.options.steps, count, str(path)))
    if count == 1:
        return [FINAL]
    raise UserError(
        f"{path} holds {count} checkpoints and no steps",
        "say at which steps they were taken: --steps EVERY, FIRST:LAST, or a,b,c",
    )


def read_json(source: Source) -> list[Run]:
    """{task: [score per seed]}, the same below names of conditions, or a list of records.

    Raises:
        UserError: another document, or an entry that is no finite number.
    """
    paths = files_below(source.root, lambda path: path.suffix == ".json")
    runs = []
    for path, names in locate(source, paths, lambda path: {}, "FILE.json"):
        document = _document(path)
        if isinstance(document, list):
            runs += read_records(source, path, names, _records(path, document), "json")
            continue
        condition = names.get("condition", path.stem)
        nested = all(isinstance(below, dict) for below in document.values())
        for name, tasks in (document if nested else {condition: document}).items():
            runs += runs_of(_dictionary_rows(source, path, name, tasks), path, "json")
    return runs


def _document(path: Path) -> Any:
    try:
        document = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} line {error.lineno} is not JSON: {error.msg}", "the file may be cut short"
        ) from error
    if not isinstance(document, dict | list) or not document:
        raise UserError(
            f"{path} is neither a dictionary nor a list, or empty",
            "it should be {task: [score per seed]} or a list of records",
        )
    return document


def _records(path: Path, document: list[Any]) -> Iterator[Numbered]:
    for at, record in enumerate(document):
        if not isinstance(record, dict) or set(record) != set(document[0]):
            raise UserError(
                f"{path} record {at}: not a record with the fields of the first",
                "every record needs the same fields",
            )
        yield Numbered(record, f"record {at}")


def _dictionary_rows(source: Source, path: Path, condition: str, tasks: Any) -> Iterator[Row]:
    for task, scores in tasks.items():
        place = f"{path}: {condition}, {task}"
        if not isinstance(scores, list) or not scores:
            raise UserError(f"{place} is not a list of scores", "write {task: [score per seed]}")
        taken = source.selection.take(condition, task)
        if not taken:
            continue
        curves = [entry if isinstance(entry, list) else [entry] for entry in scores]
        ragged = {len(curve) for curve in curves}
        if len(ragged) > 1 or 0 in ragged:
            raise UserError(
                f"{place}: seeds have {sorted(ragged)} scores", "give every seed as many scores"
            )
        steps = _steps(source, path, ragged.pop())
        for seed, curve in enumerate(curves):
            for step, value in zip(steps, curve, strict=True):
                score = number(value, f"the score of seed {seed}", place)
                yield Row(*taken, seed, step, score, place)
