"""The CSV files of a run: append-only, and cut back to a checkpoint's length when a run goes on
from it."""

import csv
import io
import os
from pathlib import Path

from primacy.runs.errors import naming

COLUMNS = {
    "evaluations": "seed env_step gradient_step frame episodes return_mean return_std return_min "
    "return_max length_mean returns success",
    "training": "seed env_step gradient_step metric value",
    "plasticity": "seed env_step gradient_step phase network layer metric value",
    "events": "seed env_step gradient_step event detail",
    "timing": "env_step gradient_step seconds environment replay update evaluation diagnostics "
    "checkpoint",
}


def number(value: float) -> str:
    """A number as text that reads back exactly as the float32 or float64 it was."""
    return repr(round(value, 10)) if abs(value) < 1e6 else repr(value)


class Table:
    """One CSV file, written row by row.

    A file that an older version began keeps the columns of its header.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.csv"
        self.columns = COLUMNS[name].split()
        if not self.path.exists():
            self.path.write_text(",".join(self.columns) + "\n")
        with self.path.open() as file:
            self.header = file.readline()
        self._kept = frozenset(self.header.strip().split(","))
        self._file = self.path.open("ab")

    def add(self, *values: object) -> None:
        """Append one row, in the order of the columns."""
        if len(values) != len(self.columns):
            raise ValueError(f"{self.path.name} has {len(self.columns)} columns, not {len(values)}")
        line = io.StringIO()
        texts = [
            number(v) if isinstance(v, float) else v
            for column, v in zip(self.columns, values, strict=True)
            if column in self._kept
        ]
        csv.writer(line, lineterminator="\n").writerow(texts)
        with naming(self.path):
            self._file.write(line.getvalue().encode())

    def sync(self) -> int:
        """Put all rows on the disk; returns the length in bytes, which a checkpoint remembers."""
        with naming(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._file.tell()

    def flush(self) -> None:
        """Let other processes see the rows."""
        with naming(self.path):
            self._file.flush()

    def truncate(self, length: int) -> None:
        """Drop what was written after a checkpoint."""
        with naming(self.path):
            self._file.flush()
            self._file.truncate(length)
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Flush and close."""
        with naming(self.path):
            self._file.close()


class Tables:
    """All CSV files of a run."""

    def __init__(self, folder: Path) -> None:
        self.evaluations = Table(folder, "evaluations")
        self.training = Table(folder, "training")
        self.plasticity = Table(folder, "plasticity")
        self.events = Table(folder, "events")
        self.timing = Table(folder, "timing")
        self._all = {name: getattr(self, name) for name in COLUMNS}

    def sync(self) -> dict[str, int]:
        """Lengths in bytes by name, with everything on the disk."""
        return {name: table.sync() for name, table in self._all.items()}

    def flush(self) -> None:
        """Let other processes see the rows."""
        for table in self._all.values():
            table.flush()

    def truncate(self, lengths: dict[str, int]) -> None:
        """Cut every file back to these lengths."""
        for name, length in lengths.items():
            self._all[name].truncate(length)

    def empty(self) -> None:
        """Cut every file back to its header: a run without a checkpoint starts over."""
        self.truncate({name: len(t.header) for name, t in self._all.items()})

    def close(self) -> None:
        """Flush and close."""
        for table in self._all.values():
            table.close()
