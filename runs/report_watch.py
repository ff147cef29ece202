"""`primacy report --watch`: the report again and again while runs go on."""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from primacy.runs.errors import UserError
from primacy.runs.report import PAGE, ReportOptions, make, save, save_page, tell
from primacy.runs.results import UNREAD_FOLDERS

if TYPE_CHECKING:
    from primacy.runs.report_page import Report

SILENT = timedelta(hours=1)
"""A run that has not written its status for so long is taken for dead."""


class State(NamedTuple):
    """What a report of now would rest on."""

    running: frozenset[Path]
    """Run folders whose runs go on."""
    evaluations: tuple[tuple[Path, int, int], ...]
    """Each evaluations.csv with its size and time of change."""


def look(folders: Sequence[Path]) -> State:
    """The state of everything at or below `folders`; a folder that is not there has none."""
    running, evaluations = set(), []
    for folder in folders:
        for path, below, files in os.walk(folder):
            below[:] = sorted(set(below) - UNREAD_FOLDERS)
            here = Path(path)
            if "status.json" in files and _alive(here / "status.json"):
                running.add(here)
            if "evaluations.csv" in files:
                found = (here / "evaluations.csv").stat()
                evaluations.append((here, found.st_size, found.st_mtime_ns))
    return State(frozenset(running), tuple(evaluations))


def _alive(path: Path) -> bool:
    try:
        status = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return False
    if status.get("state") != "running":
        return False
    heartbeat = status.get("heartbeat")
    return not heartbeat or datetime.now(UTC) - datetime.fromisoformat(heartbeat) < SILENT


def watch(options: ReportOptions, sleep: Callable[[float], None] = time.sleep) -> int:
    """Write the report whenever evaluations have changed, until no run goes on.

    A report that cannot be made while runs go on, because nothing was evaluated yet or a condition
    is still missing, is tried again. Ctrl-C ends the watch and leaves the last page in place.

    Raises:
        UserError: as `report.run`, once no run goes on; files that cannot be written.
    """
    watcher = Watcher(options)
    try:
        while watcher.step():
            sleep(options.watch)
    except KeyboardInterrupt:
        watcher.stop()
    if watcher.last is not None:
        tell(watcher.last, options.output)
    return 0


class Watcher:
    """The last report that was made, and of what state."""

    def __init__(self, options: ReportOptions) -> None:
        self.options = options
        self.last: Report | None = None
        self._seen: State | None = None
        self._saving = False
        self._said = ""

    def step(self) -> bool:
        """Write the report if something has changed; whether runs go on."""
        now = look(self.options.folders)
        if now != self._seen:
            self._write(now)
            self._seen = now
        return bool(now.running)

    def stop(self) -> None:
        """Leave a page that does not load itself anew, with all that belongs to it."""
        if self.last is None:
            _say("no longer watched; no page was written yet")
            return
        _say("no longer watched")
        keep = save if self._saving else save_page
        keep(replace(self.last, reload=0), self.options.output)

    def _write(self, now: State) -> None:
        try:
            made = make(self.options)
        except UserError as error:
            if not now.running:
                raise
            said = f"{_several(now)}; no report yet: {error}"
            if said != self._said:
                _say(said)
            self._said = said
            return
        reload = max(1, round(self.options.watch)) if now.running else 0
        self.last, self._saving = replace(made, reload=reload), True
        save(self.last, self.options.output)
        self._saving = False
        _say(f"{self.options.output / PAGE} written at {_reached(made)}; {_several(now)}")


def _several(now: State) -> str:
    number = len(now.running)
    return "no run goes on" if not number else f"{number} run{'s go' if number > 1 else ' goes'} on"


def _reached(report: "Report") -> str:
    steps = sorted({step for e in report.study.experiments for step in e.steps.values()})
    return f"env step {steps[0]:,}" + (f" to {steps[-1]:,}" if len(steps) > 1 else "")


def _say(text: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)
