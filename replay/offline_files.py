"""D4RL's AntMaze files: where they are, how large they are, and fetching one into a cache folder.

Names are those of d4rl/infos.py; sizes and SHA-256 those of TensorFlow Datasets' d4rl_antmaze
checksums, which have no entry for medium-play.
"""

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from primacy.replay.offline import DataFault

BASE = "http://rail.eecs.berkeley.edu/datasets/offline_rl/ant_maze_v2/"
CHUNK = 1 << 20


class File(NamedTuple):
    """A published file; size and digest are None where nobody has published them."""

    url: str
    size: int | None
    """Bytes."""
    sha256: str | None


def _file(maze: str, multistart: bool, multigoal: bool, size: int | None, sha: str | None) -> File:
    name = f"Ant_maze_{maze}_noisy_multistart_{multistart}_multigoal_{multigoal}_sparse_fixed.hdf5"
    return File(BASE + name, size, sha)


FILES: dict[str, File] = {
    "antmaze-umaze-v2": _file(
        "u-maze",
        False,
        False,
        232532949,
        "5ef15257771c50ef4d23c7de001750e96c8bb5d9b6a5e4a821dcfb3065fbd130",
    ),
    "antmaze-umaze-diverse-v2": _file(
        "u-maze",
        True,
        True,
        230854272,
        "c771dd63963cd7d9f55f24a6d809064f6b82250a6aeac4c9d13f9a1d06e8c932",
    ),
    "antmaze-medium-play-v2": _file("big-maze", True, False, None, None),
    "antmaze-medium-diverse-v2": _file(
        "big-maze",
        True,
        True,
        231095166,
        "ad9dcbac05d1f8744a7a216083f513662f43f64f28a4a5eb225e9811902dfae7",
    ),
    "antmaze-large-play-v2": _file(
        "hardest-maze",
        True,
        False,
        230880653,
        "6d353df2457829925d7f9d4b0215587469908bd57478ea76f16417cfa944f471",
    ),
    "antmaze-large-diverse-v2": _file(
        "hardest-maze",
        True,
        True,
        231183710,
        "84f775eb7956ea9cc766704710dc520a8ab357adc7522ade47f556f0e335e284",
    ),
}
"""Task -> the file of its data set."""


def cache_folder() -> Path:
    """Where files are kept: PRIMACY_CACHE, else primacy in XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("PRIMACY_CACHE")
    shared = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(shared) / "primacy"


def d4rl_file(
    task: str, folder: Path | None = None, say: Callable[[str], None] = lambda line: None
) -> Path:
    """D4RL's file of a task, fetched on first use. Raises DataFault (see `fetch`)."""
    return fetch(_known(task), d4rl_path(task, folder), say)


def d4rl_path(task: str, folder: Path | None = None) -> Path:
    """Where D4RL's file of a task is kept once it is fetched. Raises DataFault for another task."""
    return (folder or cache_folder() / "d4rl") / _known(task).url.rpartition("/")[2]


def _known(task: str) -> File:
    if task not in FILES:
        raise DataFault(f"D4RL has no data set {task!r} here", f"choose from {', '.join(FILES)}")
    return FILES[task]


def fetch(
    file: File,
    path: Path,
    say: Callable[[str], None] = lambda line: None,
    timeout: float = 30.0,
) -> Path:
    """A file at `path`, fetched where it is not yet; `timeout` in seconds without an answer.

    What an interrupted attempt left (`path` + ".part") is gone on with. Only a file of the right
    size and SHA-256 gets the name `path`; where none is published, the server's size must do, and
    `say` gets the SHA-256 that was found.

    Raises DataFault for a server that cannot be reached or breaks off, and for a wrong file.
    """
    if path.exists():
        return path
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        expected = _transfer(file, part, say, timeout)
        found = sha256(part)
    except (OSError, HTTPException, urllib.error.URLError) as error:
        raise DataFault(
            f"{file.url} could not be fetched: {error}",
            f"repeat the command to go on, or put the file at {path} yourself",
        ) from error
    size = part.stat().st_size
    if expected is not None and size < expected:
        raise DataFault(
            f"{file.url} broke off after {size:,} of {expected:,} bytes",
            "repeat the command: it goes on there",
        )
    if (expected is not None and size != expected) or file.sha256 not in (None, found):
        part.unlink()
        raise DataFault(
            f"{file.url} is not the published file: {size:,} bytes, SHA-256 {found}",
            "the download was spoilt or the file was changed: try again, or get it elsewhere",
        )
    if file.sha256 is None:
        say(f"{path.name}: no checksum is published; SHA-256 {found}")
    part.replace(path)
    return path


def _transfer(file: File, part: Path, say: Callable[[str], None], timeout: float) -> int | None:
    """Append what `part` lacks; the size that the whole file should have, if anyone says."""
    have = part.stat().st_size if part.exists() else 0
    if file.size is not None and have >= file.size:
        return file.size
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer: Any = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416 or file.size is not None:
            raise
        return have  # Nothing lies beyond what is there.
    with answer, part.open("ab" if answer.status == 206 else "wb") as target:
        length = answer.headers.get("Content-Length")
        begun = target.tell()
        size = file.size or (begun + int(length) if length else None)
        say(f"fetching {file.url}{f' ({size:,} bytes)' if size else ''} from byte {begun:,}")
        while chunk := answer.read(CHUNK):
            target.write(chunk)
    return size


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal. Raises OSError where it cannot be read."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            total.update(chunk)
    return total.hexdigest()
