"""The journal: every transition of a run, written once, in step order, in segments of raw rows.

A segment is a file of records (rows [S, width] of the layout's numbers: little-endian float32, or
bytes where there are frames) behind one line of JSON that says what they are. Which step lies in
which segment is a function of the step alone, so a run that was cut back and went on has the same
bytes as one that never stopped. Reading changes nothing on disk: a record torn by a crash is not
counted, and the next append or `truncate` cuts it off.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from io import BufferedWriter
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

import numpy as np
from torch import Tensor

from primacy.replay.frame_layout import FrameLayout
from primacy.replay.layout import Layout

SEGMENT_STEPS = 100_000
BUFFER_BYTES = 1 << 20
CHUNK_BYTES = 1 << 24
HEADER_BYTES = 4096
"""A header is padded to a multiple of this, so that records can be mapped into memory."""

LAYOUTS: dict[str, type[Layout] | type[FrameLayout]] = {
    layout.RECORD: layout for layout in (Layout, FrameLayout)
}
"""What a header calls its records -> their layout."""

L = TypeVar("L", bound=Layout | FrameLayout)


class Buffer(Protocol):
    """A replay buffer that a journal can fill."""

    @property
    def capacity(self) -> int:
        """Transitions held at most, per lane."""
        ...

    history: int
    """Transitions before the oldest one held that its observation is made of."""

    def restart(self, total: int) -> None:
        """Forget everything and count from here on."""
        ...

    def extend(self, rows: np.ndarray | Tensor) -> None:
        """Append rows [S, n, width] in order."""
        ...


class JournalFault(RuntimeError):
    """The journal on disk cannot be read or written as asked."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def _damaged(path: Path, what: str) -> JournalFault:
    return JournalFault(
        f"{path}: {what}", "restore the journal from a copy, or start anew in another --out"
    )


@contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    """Turns what the operating system reports into a fault."""
    try:
        yield
    except FileNotFoundError as error:
        raise JournalFault(
            f"{path}: {error.strerror}",
            "put the journal back from a copy, or name a run that has one",
        ) from error
    except OSError as error:
        raise JournalFault(
            f"{path}: {error.strerror}",
            "free some space or mend the permissions, then repeat the command: the run goes on",
        ) from error


def _sync(path: Path) -> None:
    """Put a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _path(folder: Path, segment: int) -> Path:
    return folder / f"{segment:06d}.rows"


def _read_header(path: Path) -> dict[str, Any]:
    with _faults_of(path), path.open("rb") as file:
        line = file.readline(1 << 20)
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError) as error:
        raise _damaged(path, "its first line is not the header of a journal") from error


class Journal(Generic[L]):
    """A folder of segments, open for reading and for appending at its end."""

    def __init__(
        self,
        folder: Path,
        layout: L,
        seeds: Sequence[int],
        segment_steps: int = SEGMENT_STEPS,
    ) -> None:
        """The journal in `folder`, which may not exist yet.

        Raises JournalFault for another layout, seeds or segment length than those that wrote it,
        for missing segments, and for lost bytes in any but the last.
        """
        self.folder = folder
        self.layout = layout
        self.seeds = tuple(seeds)
        self.segment_steps = segment_steps
        self._shape = (len(self.seeds), layout.width)
        self._record_bytes = layout.NUMBER.itemsize * len(self.seeds) * layout.width
        self._file: BufferedWriter | None = None
        self._steps = self._count()

    @classmethod
    def open(cls, folder: Path) -> "Journal[Any]":
        """A journal that exists, with the layout and the seeds that it names itself."""
        header = _read_header(_path(folder, 0))
        try:
            kind = LAYOUTS.get(header["record"], Layout)
            layout = kind(**{field.name: header[field.name] for field in fields(kind)})
            return Journal(folder, layout, header["seeds"], header["segment_steps"])
        except KeyError as error:
            raise _damaged(_path(folder, 0), f"its header lacks {error}") from error

    def __len__(self) -> int:
        """Env steps in the journal, buffered ones included."""
        return self._steps

    # What lies on disk

    def _header_fields(self, segment: int) -> dict[str, Any]:
        return {
            "format": "primacy journal 1",
            "record": self.layout.RECORD,
            # As JSON gives it back: a list where there is a tuple.
            **json.loads(json.dumps(asdict(self.layout))),
            "seeds": list(self.seeds),
            "segment_steps": self.segment_steps,
            "segment": segment,
        }

    def _header(self, segment: int) -> bytes:
        line = json.dumps(self._header_fields(segment)).encode()
        return line.ljust(-(-(len(line) + 1) // HEADER_BYTES) * HEADER_BYTES - 1) + b"\n"

    def _position(self, step: int) -> tuple[int, int]:
        """Segment, and byte in it, where the record of an env step begins."""
        segment, offset = divmod(step, self.segment_steps)
        return segment, len(self._header(segment)) + offset * self._record_bytes

    def _segments(self) -> list[Path]:
        with _faults_of(self.folder):
            if not self.folder.exists():
                return []
            return sorted(path for path in self.folder.iterdir() if path.suffix == ".rows")

    def _count(self) -> int:
        """Whole records on disk."""
        steps = 0
        paths = self._segments()
        for segment, path in enumerate(paths):
            if path != _path(self.folder, segment):
                raise _damaged(_path(self.folder, segment), "this segment is missing")
            last = segment == len(paths) - 1
            size = path.stat().st_size - len(self._header(segment))
            if size < 0 and last:
                break  # Torn while it was begun: it holds no record.
            self._check_header(path, segment)
            records, torn = divmod(size, self._record_bytes)
            full = (records, torn) == (self.segment_steps, 0)
            if not full and (not last or records >= self.segment_steps):
                raise _damaged(path, f"{records} env steps where {self.segment_steps} belong")
            steps += records
        return steps

    def _check_header(self, path: Path, segment: int) -> None:
        found = _read_header(path)
        for name, wanted in self._header_fields(segment).items():
            if found.get(name) != wanted:
                raise JournalFault(
                    f"{path} was written with {name} {found.get(name)}, not {wanted}",
                    "use the settings that wrote it, or another --out",
                )

    def _demand(self, steps: int) -> None:
        if steps > self._steps:
            raise _damaged(self.folder, f"{self._steps} env steps where at least {steps} belong")

    # Writing

    def append(self, rows: np.ndarray) -> None:
        """Add the rows [S, width] of one env step (buffered).

        After a JournalFault the same step may be appended again, once there is room.
        """
        number = self.layout.NUMBER
        if rows.shape != self._shape or rows.dtype != number:
            raise ValueError(f"rows are {number} {self._shape}, not {rows.dtype} {rows.shape}")
        file = self._file
        if file is None or self._steps % self.segment_steps == 0:
            file = self._begin()
        with _faults_of(self.folder):
            file.write(np.ascontiguousarray(rows, dtype=number).data)
        self._steps += 1

    def _begin(self) -> BufferedWriter:
        """Open the segment of the next record, cut to the records before it."""
        self.sync()  # Closing alone would drop what does not fit on the disk.
        self.close()
        segment, position = self._position(self._steps)
        header = self._header(segment)
        path = _path(self.folder, segment)
        with _faults_of(path):
            if position == len(header):
                self.folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(header)
                _sync(path)
                _sync(self.folder)
            file = cast(BufferedWriter, path.open("ab", buffering=BUFFER_BYTES))
            file.truncate(position)
        self._file = file
        return file

    def flush(self) -> None:
        """Hand everything to the operating system: it survives the death of this process."""
        if self._file is not None:
            with _faults_of(self.folder):
                self._file.flush()

    def sync(self) -> None:
        """Put everything on the disk: it survives a power cut."""
        if self._file is not None:
            self.flush()
            with _faults_of(self.folder):
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Sync and close (appending opens again). What a full disk does not take is dropped."""
        file = self._file
        if file is None:
            return
        try:
            self.sync()
        except JournalFault:
            with suppress(OSError):
                file.close()
            self._file = None
            self._steps = self._count()
            raise
        file.close()
        self._file = None

    def truncate(self, steps: int) -> None:
        """Drop what lies after the first `steps` env steps.

        Raises JournalFault where fewer are there.
        """
        self._demand(steps)
        self.close()
        segment, position = self._position(steps)
        kept = segment + (steps % self.segment_steps > 0)
        with _faults_of(self.folder):
            # The newest go first: a crash half way leaves no gap. The disk forgets them before the
            # cut, or a power cut could bring them back behind a segment that is too short.
            dropped = self._segments()[kept:]
            for path in reversed(dropped):
                path.unlink()
            if dropped:
                _sync(self.folder)
            if kept > segment:
                os.truncate(_path(self.folder, segment), position)
        self._steps = steps

    # Reading

    def read(self, start: int, stop: int) -> np.ndarray:
        """The rows of env steps start .. stop - 1, [n, S, width].

        Raises JournalFault where they are not all there.
        """
        self._demand(stop)
        self.flush()
        rows = np.empty((stop - start, *self._shape), dtype=self.layout.NUMBER)
        step = start
        while step < stop:
            segment, position = self._position(step)
            end = min(stop, (segment + 1) * self.segment_steps)
            wanted = rows[step - start : end - start]
            path = _path(self.folder, segment)
            with _faults_of(path), path.open("rb") as file:
                file.seek(position)
                if file.readinto(wanted.data) != wanted.nbytes:
                    raise _damaged(path, f"it ends before env step {end}")
            step = end
        return rows

    def chunks(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """The rows of env steps start .. stop - 1 in pieces that fit in memory."""
        size = max(1, CHUNK_BYTES // self._record_bytes)
        for begin in range(start, stop, size):
            yield self.read(begin, min(begin + size, stop))


def refill(replay: Buffer, journal: Journal[Any], until: int) -> None:
    """Make a buffer what it was at env step `until`: the last `capacity` ones of the journal."""
    start = max(0, until - replay.capacity - replay.history)
    replay.restart(start)
    for rows in journal.chunks(start, until):
        replay.extend(rows.swapaxes(0, 1))


def digest(folder: Path, until: int) -> str:
    """SHA-256 over the first `until` env steps of a journal: all that replay can hold then."""
    total = hashlib.sha256()
    for rows in Journal.open(folder).chunks(0, until):
        total.update(rows.data)
    return total.hexdigest()
