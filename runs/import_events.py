"""TensorBoard event files CONDITION/TASK/SEED/events.out.tfevents.*; needs tensorboard, no
TensorFlow."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from primacy.runs.errors import UserError
from primacy.runs.import_pattern import FIELDS, by_levels, locate
from primacy.runs.import_rows import Row, Source, files_below, number, runs_of
from primacy.runs.results import Run

if TYPE_CHECKING:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SHAPE = "below CONDITION/TASK/SEED"


def recognises(root: Path) -> bool:
    """Whether there are event files."""
    return bool(files_below(root, _is_events))


def _is_events(path: Path) -> bool:
    return ".tfevents." in path.name


def read(source: Source) -> list[Run]:
    """One run per folder of event files.

    Raises:
        UserError: tensorboard is not installed, a folder without the tag, a step twice, or an entry
            that is no finite number.
    """
    folders = list(dict.fromkeys(p.parent for p in files_below(source.root, _is_events)))
    runs = []
    for folder, names in locate(
        source, folders, lambda path: by_levels(path, source.root, FIELDS), SHAPE
    ):
        if "task" not in names:
            raise UserError(f"--pattern {source.options.pattern} names no task", "add {task} to it")
        taken = source.selection.take(names.get("condition", source.root.name), names["task"])
        if taken:
            seed = int(names.get("seed", 0))
            runs += runs_of(_rows(folder, *taken, seed, source.options.tag), folder, "tensorboard")
    return runs


def _rows(folder: Path, condition: str, task: str, seed: int, tag: str) -> Iterator[Row]:
    events = _load(folder)
    tags = events.Tags()
    scalars = {*tags["scalars"], *tags["tensors"]}
    if not tag and len(scalars) == 1:
        (tag,) = scalars
    if tag not in scalars:
        raise UserError(
            f"{folder} has no scalar {tag!r}" if tag else f"{folder} holds {len(scalars)} scalars",
            f"choose one with --tag: {', '.join(sorted(scalars)[:8]) or 'there is none'}",
        )
    for step, value in _values(events, tag):
        place = f"{folder}, {tag} at step {step}"
        yield Row(condition, task, seed, step, number(value, "the value", place), place)


def _load(folder: Path) -> "EventAccumulator":
    try:
        from tensorboard.backend.event_processing import event_accumulator
    except ImportError as error:
        raise UserError(
            "TensorBoard files need the package tensorboard", "pip install 'primacy[tensorboard]'"
        ) from error
    # It logs every file it opens, and says on its own that TensorFlow is absent.
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    # Without these sizes it keeps a random sample of the values.
    everything = {event_accumulator.SCALARS: 0, event_accumulator.TENSORS: 0}
    events = event_accumulator.EventAccumulator(str(folder), size_guidance=everything)
    return events.Reload()


def _values(events: "EventAccumulator", tag: str) -> Iterator[tuple[int, float]]:
    """Scalars as torch and older TensorFlow write them, or one-number tensors as the newer does."""
    if tag in events.Tags()["scalars"]:
        yield from ((event.step, event.value) for event in events.Scalars(tag))
        return
    from tensorboard.util import tensor_util

    for event in events.Tensors(tag):
        yield event.step, float(tensor_util.make_ndarray(event.tensor_proto).reshape(-1)[0])
