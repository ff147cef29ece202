"""Draw figures in processes of their own, as many as there are cores.

vl-convert holds Python's lock while it draws, so threads would gain nothing. A worker is
`python -m primacy.runs.report_worker FOLDER` and reads one JSON document a line: name,
specification, scale of the PNG.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

Drawing = tuple[str, str, float]
"""File name without suffix, Vega-Lite specification as JSON, pixels per point of the PNG."""

MOST = 4
"""Workers at most: each holds some 100 MB."""

UNWRITABLE = 3
"""Exit status of a worker that could not write, with the reason on its standard output."""


class Workers:
    """Processes that draw while this one goes on."""

    def __init__(self, drawings: Sequence[Drawing], folder: Path) -> None:
        self._folder = folder
        self._running = [_start(share, folder) for share in shares(drawings, min(MOST, _cores()))]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind where something went wrong before all was drawn."""
        alive = [process for process in self._running if process.poll() is None]
        for process in alive:
            process.kill()
            process.communicate()
        for work in self._folder.glob(".*.jsonl"):
            work.unlink()

    def wait(self) -> None:
        """Wait until all is drawn.

        Raises:
            OSError: a file could not be written.
            RuntimeError: a figure could not be drawn.
        """
        ended = [(process, *process.communicate()) for process in self._running]
        for process, said, complaint in ended:
            if process.returncode == UNWRITABLE:
                raise OSError(*json.loads(said))
            if process.returncode:
                raise RuntimeError(f"a figure could not be drawn: {complaint}")


def shares(drawings: Sequence[Drawing], workers: int) -> list[list[Drawing]]:
    """Distribute over `workers`, the longest specifications first, each to the least busy."""
    found: list[list[Drawing]] = [[] for _ in range(min(workers, len(drawings)))]
    for one in sorted(drawings, key=lambda one: -len(one[1])):
        min(found, key=lambda share: sum(len(text) for _, text, _ in share)).append(one)
    return found


def _cores() -> int:
    known = getattr(os, "sched_getaffinity", None)
    return len(known(0)) if known else os.cpu_count() or 1


def _start(share: Sequence[Drawing], folder: Path) -> "subprocess.Popen[str]":
    work = folder / f".{share[0][0]}.jsonl"
    work.write_text("".join(json.dumps(one) + "\n" for one in share), encoding="utf-8")
    command = [sys.executable, "-m", "primacy.runs.report_worker", str(work)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def write(one: Drawing, folder: Path) -> None:
    """FOLDER/NAME.svg and FOLDER/NAME.png."""
    import vl_convert

    name, text, scale = one
    picture = vl_convert.vegalite_to_svg(text)
    (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
    (folder / f"{name}.png").write_bytes(vl_convert.svg_to_png(picture, scale=scale))


def work(path: Path) -> int:
    """Draw what `path` lists into its folder, and remove it."""
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            write(json.loads(line), path.parent)
        path.unlink()
    except OSError as error:
        print(json.dumps([error.errno, error.strerror, str(error.filename)]))
        return UNWRITABLE
    return 0


if __name__ == "__main__":
    sys.exit(work(Path(sys.argv[1])))
