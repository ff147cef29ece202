"""Long tables with named columns: CSV files, and records of JSON files, one evaluation a row."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from primacy.runs.errors import UserError
from primacy.runs.import_options import pairs
from primacy.runs.import_pattern import Names, locate
from primacy.runs.import_rows import (
    ALONE,
    FINAL,
    Row,
    Source,
    files_below,
    number,
    read_text,
    runs_of,
    steps_of,
    whole,
)
from primacy.runs.results import Run

Record = Mapping[str, Any]

COLUMNS = {
    "task": ("task", "env_name", "env", "env_id", "environment", "game", "task_name"),
    "seed": ("seed", "run", "run_id", "trial"),
    "step": ("step", "env_step", "env_steps", "steps", "global_step", "timestep", "timesteps"),
    "score": ("score", "return", "return_mean", "eval_return", "episode_return", "value", "reward"),
    "condition": ("condition", "exp_name", "agent", "algorithm", "algo", "method", "label"),
}
"""Field -> columns that are taken for it, in lower case, the first that is there."""


def recognises(root: Path) -> bool:
    """Whether there are CSV files."""
    return bool(files_below(root, _is_csv))


def _is_csv(path: Path) -> bool:
    return path.suffix == ".csv"


def read(source: Source) -> list[Run]:
    """One run per file, condition and task.

    Raises:
        UserError: no such file, columns that cannot be told, or a malformed line.
    """
    paths = files_below(source.root, _is_csv)
    runs = []
    for path, names in locate(source, paths, lambda path: {}, "FILE.csv"):
        runs += read_records(source, path, names, _records(path), "csv")
    return runs


class Numbered(NamedTuple):
    """A record and its place in words, as in "line 7"."""

    record: Record
    place: str


def _records(path: Path) -> Iterator[Numbered]:
    reader = csv.reader(read_text(path).splitlines())
    header = next(reader)
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise UserError(f"{path} line 1 names {twice[0]!r} twice", "rename one of the columns")
    for row in reader:
        if len(row) != len(header):
            raise UserError(
                f"{path} line {reader.line_num}: {len(row)} entries, expected {len(header)}",
                "mend or remove that line",
            )
        yield Numbered(dict(zip(header, row, strict=True)), f"line {reader.line_num}")


def read_records(
    source: Source, path: Path, names: Names, records: Iterable[Numbered], form: str
) -> list[Run]:
    """Runs of named records; what `names` says of the path stands in for columns.

    Raises:
        UserError: as `read`.
    """
    kept = list(records)
    if not kept:
        raise UserError(f"{path} holds no rows", "remove it, or repeat those runs")
    where = _where(source, path, kept)
    columns = _columns(source, path, names, list(kept[0].record))
    chosen = [r for r in kept if all(_equal(r.record[c], v) for c, v in where.items())]
    if not chosen:
        wanted = ", ".join(f"{column}={value}" for column, value in where.items())
        raise UserError(f"{path} has no row with {wanted}", _values(kept, next(iter(where))))
    hint = _apart(chosen, columns)
    return runs_of(_rows(source, path, names, columns, chosen), path, form, hint)


def _apart(records: list[Numbered], columns: dict[str, str]) -> str:
    """What could tell rows apart that seem to be twice the same evaluation."""
    for column in records[0].record:
        values = {str(r.record[column]) for r in records}
        if column and column not in columns.values() and 1 < len(values) <= 20:
            return f"choose rows with --where: {_values(records, column)}"
    if "condition" in columns and "step" in columns:
        return ALONE
    lacking = "condition" if "condition" not in columns else "step"
    return f"remove one of the two, or name the column of the {lacking} with --columns"


def _where(source: Source, path: Path, records: list[Numbered]) -> dict[str, str]:
    where = pairs("where", source.options.where)
    for column in where:
        _present(path, column, list(records[0].record))
    return where


def _present(path: Path, column: str, header: list[str]) -> str:
    if column not in header:
        raise UserError(
            f"{path} has no column {column!r}", f"its columns are {', '.join(filter(None, header))}"
        )
    return column


def _equal(entry: Any, wanted: str) -> bool:
    if str(entry) == wanted:
        return True
    try:
        return float(entry) == float(wanted)
    except (TypeError, ValueError):
        return False


def _values(records: list[Numbered], column: str) -> str:
    found = list(dict.fromkeys(str(r.record[column]) for r in records))
    return f"{column} is {' or '.join(found[:6])}{' or ...' if len(found) > 6 else ''}"


def _columns(source: Source, path: Path, names: Names, header: list[str]) -> dict[str, str]:
    """Field -> column, for fields that the path does not tell."""
    given = pairs("columns", source.options.columns)
    if odd := [field for field in given if field not in COLUMNS]:
        raise UserError(
            f"--columns names {odd[0]!r}, which is no field", f"the fields are {', '.join(COLUMNS)}"
        )
    found = {field: _present(path, column, header) for field, column in given.items()}
    lower = {column.lower(): column for column in reversed(header)}
    for field, usual in COLUMNS.items():
        match = next((lower[c] for c in usual if c in lower), None)
        if field not in found and field not in names and match:
            found[field] = match
    for field in ("task", "seed", "score"):
        if field not in found and field not in names:
            shown = ", ".join(filter(None, header))
            raise UserError(
                f"{path}: no column is known to hold the {field}",
                f"name it with --columns {field}=COLUMN; the columns are {shown}",
            )
    return found


def _rows(
    source: Source, path: Path, names: Names, columns: dict[str, str], records: list[Numbered]
) -> Iterator[Row]:
    used = ", ".join(f"{field}={column}" for field, column in columns.items())
    source.notes.append(f"Columns of {path.suffix[1:].upper()} files are read as {used}.")
    final = steps_of(source.options.steps, 1, str(path))[0] if source.options.steps else FINAL
    for record, at in records:
        entry = {**names, **{field: record.get(column) for field, column in columns.items()}}
        place = f"{path} {at}"
        task = _name(entry["task"], "task", place)
        taken = source.selection.take(
            _name(entry.get("condition", path.stem), "condition", place), task
        )
        if taken:
            yield Row(
                *taken,
                whole(entry["seed"], "seed", place),
                whole(entry["step"], "step", place) if "step" in entry else final,
                number(entry["score"], "score", place),
                place,
            )


def _name(entry: Any, what: str, place: str) -> str:
    if entry is None or not str(entry).strip():
        raise UserError(f"{place}: the {what} is missing", "mend or remove that entry")
    return str(entry).strip()
