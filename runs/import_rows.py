"""From evaluations found in anyone's files to the runs a report is made of; what can be wrong with
one evaluation is refused here, with its place."""

import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from primacy.runs.errors import UserError
from primacy.runs.import_options import ImportOptions
from primacy.runs.import_select import Selection
from primacy.runs.results import Run, no_diagnostics, no_events

FINAL = 0
"""Step of a score whose file holds no steps."""

ALONE = "remove one of the two"
"""What to do about a seed that is there twice, where nothing could tell the two apart."""


class Row(NamedTuple):
    """One evaluation."""

    condition: str
    task: str
    seed: int
    step: int
    value: float
    place: str
    """File, and line where there is one."""


@dataclass(frozen=True, eq=False)
class Source:
    """What a reader is asked to read."""

    root: Path
    """A file or a folder."""
    options: ImportOptions
    selection: Selection
    notes: list[str] = field(default_factory=list)
    """What a reader of the report must know about the reading."""


def number(text: object, what: str, place: str) -> float:
    """A finite number.

    Raises:
        UserError: it is none.
    """
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = math.nan
        shown = f"{text!r}, not a number"
    else:
        shown = f"{value}, not a finite number"
    if not math.isfinite(value):
        raise UserError(
            f"{place}: {what} is {shown}", "mend or remove that entry, or leave its run out"
        )
    return value


def whole(text: object, what: str, place: str) -> int:
    """A whole number, also one written as 1e6 or 3.0.

    Raises:
        UserError: it is none.
    """
    value = number(text, what, place)
    if value != int(value) or value < 0:
        raise UserError(
            f"{place}: {what} is {text}, not a whole number from 0",
            f"name the column of the {what}",
        )
    return int(value)


def runs_of(rows: Iterable[Row], path: Path, form: str, hint: str = ALONE) -> list[Run]:
    """One run per condition and task of `rows`, all from `path`.

    Raises:
        UserError: a seed was evaluated twice at one step.
    """
    import pandas as pd

    grouped: dict[tuple[str, str], dict[tuple[int, int], Row]] = {}
    for row in rows:
        known = grouped.setdefault((row.condition, row.task), {})
        if (row.seed, row.step) in known:
            raise UserError(
                f"{row.place}: seed {row.seed} of {row.condition!r} on {row.task} is there "
                f"twice at step {row.step} (first: {known[row.seed, row.step].place})",
                hint,
            )
        known[row.seed, row.step] = row
    return [
        Run(
            folder=path,
            config={"task": task, "label": condition},
            command="",
            commit="",
            state="unknown",
            evaluations=pd.DataFrame(
                {
                    "seed": [row.seed for row in known.values()],
                    "env_step": [row.step for row in known.values()],
                    "gradient_step": math.nan,
                    "frame": math.nan,
                    "return_mean": [row.value for row in known.values()],
                }
            ),
            diagnostics=no_diagnostics(),
            around=no_diagnostics(),
            events=no_events(),
            form=form,
        )
        for (condition, task), known in grouped.items()
    ]


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        UserError: it cannot be read, is not UTF-8, or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UserError(f"cannot read {path}: {reason}", "check the file") from error
    if not text.strip():
        raise UserError(f"{path} is empty", "remove it, or repeat that run")
    return text


def files_below(root: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """`root` itself or the files below it that are `wanted`, in natural order.

    Raises:
        UserError: `root` is missing or a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise UserError(
            f"cannot read {error.filename}: {error.strerror}", "check the path and its permissions"
        )

    if root.is_file():
        return [root] if wanted(root) else []
    found = []
    for folder, below, names in os.walk(root, onerror=refuse):
        below[:] = sorted(name for name in below if not name.startswith("."))
        found += [Path(folder) / name for name in names if not name.startswith(".")]
    return sorted(filter(wanted, found), key=lambda path: natural(str(path)))


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which "10" comes after "9"."""
    parts = re.split(r"(\d+)", text)
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p)


def steps_of(text: str, count: int, place: str) -> Sequence[int]:
    """The steps of `count` checkpoints as --steps says: EVERY, FIRST:LAST, or a,b,c.

    Raises:
        UserError: it says something else, or another number of steps.
    """
    try:
        if ":" in text:
            first, last = (int(float(part)) for part in text.split(":"))
            span, rest = divmod(last - first, max(count - 1, 1))
            found = [first + k * span for k in range(count)] if not rest and span > 0 else []
        elif "," in text:
            found = [int(float(part)) for part in text.split(",")]
        else:
            found = [int(float(text)) * (k + 1) for k in range(count)]
    except ValueError as error:
        raise UserError(
            f"--steps {text} is not a number of steps",
            "write EVERY, FIRST:LAST, or all of them as a,b,c",
        ) from error
    if len(set(found)) != count or min(found) < 0:
        raise UserError(
            f"{place} has {count} checkpoints, to which --steps {text} does not fit",
            "write EVERY, FIRST:LAST (evenly spaced), or as many different steps as checkpoints",
        )
    return found
