"""The journal: every transition of a run, written once, in step order, in segments of raw rows.

A segment is a file of little-endian float32 rows [S, width] behind a header of 4,096 bytes (JSON, padded). Which step lies in
which segment is a function of the step alone, so that a run that was cut back and went on has the same bytes as one that
never stopped.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from primacy.replay.buffer import Replay
from primacy.replay.layout import Layout

HEADER_BYTES = 4096
SEGMENT_STEPS = 100_000
CHUNK_STEPS = 4096


class JournalFault(OSError):
    """The journal on disk cannot be read or written as asked."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        return str(self.args[0])


def _segment(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.rows"


def _damaged(path: Path, what: str) -> JournalFault:
    return JournalFault(
        f"{path}: {what}", "restore the journal from a copy, or start the run anew in another --out"
    )


class Journal:
    """A folder of segments, open for appending at its end."""

    def __init__(
        self,
        folder: Path,
        layout: Layout,
        seeds: Sequence[int],
        segment_steps: int = SEGMENT_STEPS,
    ) -> None:
        """Open or create; a torn last record is dropped. Raises JournalFault for another layout or other seeds."""
        self.folder = folder
        self.record_bytes = 4 * len(seeds) * layout.width
        self.segment_steps = segment_steps
        self._shape = (len(seeds), layout.width)
        header = {
            "format": "primacy journal 1",
            "observation_size": layout.observation_size,
            "action_size": layout.action_size,
            "seeds": list(seeds),
            "segment_steps": segment_steps,
        }
        self._header = json.dumps(header).encode().ljust(HEADER_BYTES)
        folder.mkdir(parents=True, exist_ok=True)
        self._file = None
        self._steps = self._count()

    def __len__(self) -> int:
        """Env steps in the journal, buffered ones included."""
        return self._steps

    def _count(self) -> int:
        """Whole records on disk, with headers and the lengths of all but the last segment checked."""
        numbers = sorted(int(path.stem) for path in self.folder.glob("*.rows"))
        for expected, number in enumerate(numbers):
            if number != expected:
                raise _damaged(_segment(self.folder, expected), "this segment is missing")
        total = 0
        for number in numbers:
            path = _segment(self.folder, number)
            size = path.stat().st_size
            if size < HEADER_BYTES and number == numbers[-1]:
                path.unlink()  # Torn while it was begun: it holds no record.
                break
            self._check_header(path)
            records = (size - HEADER_BYTES) // self.record_bytes
            if number < numbers[-1] and records != self.segment_steps:
                raise _damaged(path, f"{records} records where {self.segment_steps} belong")
            total += records
        return total

    def _check_header(self, path: Path) -> None:
        with path.open("rb") as file:
            found = file.read(HEADER_BYTES)
        if found != self._header:
            raise JournalFault(
                f"{path} was written with another layout or other seeds",
                "use the configuration that wrote it, or another --out",
            )

    def append(self, rows: np.ndarray) -> None:
        """Add the rows [S, width] of one env step (buffered)."""
        if rows.shape != self._shape or rows.dtype != np.float32:
            raise ValueError(f"rows are float32 {self._shape}, not {rows.dtype} {rows.shape}")
        number, offset = divmod(self._steps, self.segment_steps)
        if self._file is None or offset == 0:
            self._open(number)
        assert self._file is not None
        self._file.write(rows.astype("<f4", copy=False).tobytes())
        self._steps += 1

    def _open(self, number: int) -> None:
        self.close()
        path = _segment(self.folder, number)
        fresh = not path.exists()
        self._file = path.open("ab", buffering=1 << 18)
        if fresh:
            self._file.write(self._header)

    def flush(self) -> None:
        """Hand everything to the operating system: it survives the death of this process."""
        if self._file is not None:
            self._file.flush()

    def sync(self) -> None:
        """Put everything on the disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def truncate(self, steps: int) -> None:
        """Drop what lies after the first `steps` env steps. Raises JournalFault where fewer are there."""
        self.close()
        if steps > self._steps:
            raise _damaged(self.folder, f"holds {self._steps} env steps, not {steps}")
        number, offset = divmod(steps, self.segment_steps)
        for path in self.folder.glob("*.rows"):
            if int(path.stem) > number or (int(path.stem) == number and offset == 0):
                path.unlink()
            elif int(path.stem) == number:
                os.truncate(path, HEADER_BYTES + offset * self.record_bytes)
        self._steps = steps

    def read(self, start: int, stop: int) -> np.ndarray:
        """The rows of env steps start .. stop - 1, float32 [n, S, width]."""
        self.flush()
        if not 0 <= start <= stop <= self._steps:
            raise ValueError(f"steps {start} to {stop} of a journal of {self._steps}")
        pieces = [np.empty((0, *self._shape), dtype=np.float32)]
        while start < stop:
            number, offset = divmod(start, self.segment_steps)
            count = min(stop - start, self.segment_steps - offset)
            path = _segment(self.folder, number)
            with path.open("rb") as file:
                file.seek(HEADER_BYTES + offset * self.record_bytes)
                content = file.read(count * self.record_bytes)
            if len(content) < count * self.record_bytes:
                raise _damaged(path, "the file is shorter than it was when it was opened")
            pieces.append(np.frombuffer(content, "<f4").astype(np.float32).reshape(-1, *self._shape))
            start += count
        return np.concatenate(pieces)

    def close(self) -> None:
        """Flush and close the open segment; appending opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None


def chunks(start: int, stop: int, size: int = CHUNK_STEPS) -> Iterator[tuple[int, int]]:
    """Bounds of consecutive chunks."""
    for begin in range(start, stop, size):
        yield begin, min(begin + size, stop)


def refill(replay: Replay, journal: Journal, until: int) -> None:
    """Make an empty buffer what it was at env step `until`: the last `capacity` transitions of the journal."""
    replay.total = max(0, until - replay.capacity)
    for start, stop in chunks(replay.total, until, min(CHUNK_STEPS, replay.capacity)):
        replay.extend(journal.read(start, stop))


def digest(folder: Path, until: int) -> str:
    """SHA-256 over the first `until` env steps as they lie on disk (a journal's folder, open or not)."""
    total = hashlib.sha256()
    number = 0
    while until > 0:
        path = _segment(folder, number)
        try:
            with path.open("rb") as file:
                header = json.loads(file.read(HEADER_BYTES))
                width = 2 * header["observation_size"] + header["action_size"] + 3
                count = min(until, header["segment_steps"])
                for begin, end in chunks(0, count):
                    total.update(file.read(4 * len(header["seeds"]) * width * (end - begin)))
        except (OSError, json.JSONDecodeError, KeyError) as error:
            raise _damaged(path, str(error)) from error
        until -= count
        number += 1
    return total.hexdigest()
