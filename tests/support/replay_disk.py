"""Journals to test with, and the ways in which a disk fails."""

import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from primacy.replay.journal import Journal
from primacy.tests.support.replay_twin import LAYOUT

SEEDS = (3, 7)
SEGMENT_STEPS = 4
RECORD_BYTES = 4 * len(SEEDS) * LAYOUT.width
NOBODY = 65534


def journal(folder: Path, segment_steps: int = SEGMENT_STEPS) -> Journal:
    return Journal(folder, LAYOUT, SEEDS, segment_steps)


def record(number: int) -> np.ndarray:
    """Rows [S, width] that belong to this number alone."""
    values = np.random.default_rng(number).standard_normal((len(SEEDS), LAYOUT.width))
    return values.astype(np.float32)


def records(start: int, stop: int) -> np.ndarray:
    return np.stack([record(number) for number in range(start, stop)])


def append_until(one: Journal, steps: int) -> None:
    """Append the record of each step's number."""
    while len(one) < steps:
        one.append(record(len(one)))


def written(folder: Path, steps: int) -> Path:
    """A closed journal of records 0 .. steps - 1."""
    one = journal(folder)
    append_until(one, steps)
    one.close()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """A disk that is full: writing beyond `size` bytes of a file fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def folder_for_reading(steps: int) -> Iterator[Path]:
    """A journal of this many steps that the process may read and not write (root may do both)."""
    with tempfile.TemporaryDirectory() as name:
        folder = written(Path(name) / "journal", steps)
        os.chmod(name, 0o755)
        for path in (folder, *folder.iterdir()):
            path.chmod(0o555 if path.is_dir() else 0o444)
        user = os.geteuid()
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)
