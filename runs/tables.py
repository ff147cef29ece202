"""The CSV files of a run: append-only, and cut back to a checkpoint's length when a run goes on
from it."""

import csv
import io
import os
from pathlib import Path

from primacy.runs.errors import UserError, naming

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
    """A number as text of ten significant digits: a float32 reads back exactly as it was."""
    return repr(float(f"{value:.10g}"))


def demand(path: Path, size: int, length: int) -> None:
    """Raises UserError where a CSV of `size` bytes lacks some of those that a checkpoint counts."""
    if size < length:
        raise UserError(
            f"{path} has lost rows: {size:,} bytes where its checkpoint counts {length:,}",
            "restore the file from a copy, or start anew in another --out",
        )


class Table:
    """One CSV file, written row by row.

    A file that an older version began keeps the columns of its header.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.csv"
        self.columns = COLUMNS[name].split()
        self.header = self._begin(",".join(self.columns) + "\n")
        self._kept = frozenset(self.header.strip().split(","))
        self._file = self.path.open("ab")

    def _begin(self, header: str) -> str:
        """The first line: the one that is there, or else, after a full disk too, `header`."""
        with naming(self.path):
            found = ""
            if self.path.exists():
                with self.path.open() as file:
                    found = file.readline()
            if found != header and header.startswith(found):
                self.path.write_text(header)
                return header
        return found

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

    def first_lines(self, mark: bytes) -> int:
        """Bytes of the header, and of the first row where it has this mark."""
        with naming(self.path):
            self._file.flush()
            with self.path.open("rb") as file:
                header, row = file.readline(), file.readline()
        return len(header) + (len(row) if mark in row and row.endswith(b"\n") else 0)

    def check(self, length: int) -> None:
        """Raises UserError where bytes are gone that a checkpoint counts."""
        with naming(self.path):
            self._file.flush()
            size = os.fstat(self._file.fileno()).st_size
        demand(self.path, size, length)

    def truncate(self, length: int) -> None:
        """Drop what was written after a checkpoint; raises UserError where less is there."""
        self.check(length)
        with naming(self.path):
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
        """Cut every file back to these lengths; raises UserError, with all as they were, where one
        is shorter."""
        for name, length in lengths.items():
            self._all[name].check(length)
        for name, length in lengths.items():
            self._all[name].truncate(length)

    def empty(self) -> None:
        """Cut every file back to its header, and to what a transplant noted: a run without a
        checkpoint starts over."""
        lengths = {name: len(table.header) for name, table in self._all.items()}
        self.truncate(lengths | {"events": self.events.first_lines(b",transplant,")})

    def close(self) -> None:
        """Flush and close."""
        for table in self._all.values():
            table.close()
