"""Where the data of `--offline-data` lie: a file, D4RL's own (fetched), or a Minari dataset."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from primacy.replay.layout import Layout
from primacy.replay.offline import DataFault, Dataset, load, transitions
from primacy.replay.offline_files import d4rl_file, d4rl_path, sha256
from primacy.runs import minari_datasets
from primacy.runs.errors import UserError

FETCHED = "d4rl:"


class Source(NamedTuple):
    """One data set."""

    path: Path
    """A file, or a dataset's folder."""
    digest: str
    """SHA-256 of its content, in hexadecimal."""
    data: Dataset


def source(text: str, layout: Layout, say: Callable[[str], None]) -> Source:
    """What `--offline-data` names; `say` gets its statistics.

    Raises:
        DataFault: it is missing, torn or of another task.
        UserError: no minari where it is needed, a damaged Minari dataset, or several.
    """
    if text.startswith(FETCHED):
        path = d4rl_file(text.removeprefix(FETCHED), say=say)
    else:
        path = local(text)
    if not path.is_dir():
        data = load(path, layout.observation_size, layout.action_size, say=say)
    else:
        data = _of_minari(path, layout)
        say(f"{path}: {data.statistics.text()}")
    return Source(path, digest(path), data)


def local(text: str) -> Path:
    """Where it lies on this machine, or will."""
    task = text.removeprefix(FETCHED)
    return d4rl_path(task) if text.startswith(FETCHED) else Path(text).expanduser()


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files."""
    if not path.is_dir():
        return sha256(path)
    total = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        total.update(f"{file.relative_to(path)} {sha256(file)}\n".encode())
    return total.hexdigest()


def _of_minari(path: Path, layout: Layout) -> Dataset:
    """All episodes of a dataset; what terminates one stops bootstrapping, its last step ends it."""
    found = minari_datasets.find((path,))
    if len(found) > 1:
        raise UserError(
            f"{path} holds {len(found)} Minari datasets",
            f"give one of them: {found[0]}, say; primacy export --one makes one of many seeds",
        )
    episodes = list(minari_datasets.Dataset(found[0]).episodes())
    columns = {
        "observations": [episode.observations[:-1] for episode in episodes],
        "next_observations": [episode.observations[1:] for episode in episodes],
        "actions": [episode.actions for episode in episodes],
        "rewards": [episode.rewards for episode in episodes],
        "terminals": [episode.terminations for episode in episodes],
        "timeouts": [_last(len(episode)) & ~episode.terminations for episode in episodes],
    }
    arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
    try:
        return transitions(arrays, layout.observation_size, layout.action_size)
    except DataFault as fault:
        raise DataFault(f"{path}: {fault}", fault.hint) from fault


def _last(steps: int) -> np.ndarray:
    return np.arange(steps) == steps - 1
