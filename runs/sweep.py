"""`primacy sweep`: the cartesian product of options, one run each, side by side on this machine's
cores."""

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from primacy.runs.arguments import parse
from primacy.runs.compilation import planned_updates
from primacy.runs.config import RunConfig, read
from primacy.runs.errors import UserError, refusing
from primacy.runs.existing import check_origin, check_run, finished
from primacy.runs.folder import PLACE
from primacy.runs.options import parse_train
from primacy.runs.progress import duration
from primacy.runs.status import read_status

POLL_SECONDS = 0.5
REPORT_SECONDS = 30.0
LONGEST_NAME = 200
"""Bytes of a folder's name; file systems take 255, and commands add endings."""


@dataclass(frozen=True)
class SweepOptions:
    """A grid of runs. Options that this command does not know go to every run, as `primacy train`
    has them."""

    grid: tuple[str, ...]
    """Axes "option=value,value". With ; between the values they may hold commas, and further
    options after a value go with it: replay-ratio=1,16 "remedies=none;reset:every=2000"."""
    out: Path
    """Folder of the run folders; finished runs in it are skipped, unfinished ones go on."""
    jobs: int = 0
    """Runs side by side (0: one per core; on a GPU one)."""
    fork_of: Path | None = None
    """Make every run a fork of this one (`primacy fork`)."""
    lanes: Literal["seeds", "remedies"] = "seeds"
    """What shares a process: the seeds of a run, or also runs that differ in remedies alone."""
    at: str = ""
    """Env steps to fork at, with commas between them: 50000,100000."""


@dataclass(frozen=True)
class Cell:
    """One run of a sweep."""

    name: str
    arguments: tuple[str, ...]
    """The command and its options."""
    config: RunConfig
    after: str = ""
    """The cell that must be finished first."""
    together: tuple["Cell", ...] = ()
    """The runs, where one process trains several."""
    origin: dict[str, Any] | None = None
    """Of a fork, what its config.json says of where it comes from."""
    file: str = ""
    """Ending of the file that it makes, where it makes no run folder; such a command is always
    given, for it alone knows whether the file that is there is the right one."""

    @property
    def runs(self) -> tuple["Cell", ...]:
        """The cells with a run folder each: those that it trains together, or itself."""
        return () if self.file else self.together or (self,)


def parse_axis(text: str) -> tuple[str, list[list[str]]]:
    """ "remedies=none;reset:every=2000 l2:strength=1e-4" -> (remedies, [[], [reset..., l2...]])."""
    name, separator, values = text.partition("=")
    choices = values.split(";") if ";" in values or name == "remedies" else values.split(",")
    if not separator or not name or not all(choice.strip() for choice in choices):
        raise UserError(
            f"--grid {text}: not understood",
            'write option=value,value: replay-ratio=1,16 or "remedies=none;reset:every=2000"',
        )
    return name, [[] if choice == "none" else choice.split() for choice in choices]


def cells(options: SweepOptions, common: Sequence[str]) -> list[Cell]:
    """Every combination as a checked configuration.

    Raises:
        UserError: the first that is wrong, or two that would share a folder.
    """
    axes = [parse_axis(text) for text in options.grid]
    default = read(options.fork_of) if options.fork_of else None
    found: dict[str, Cell] = {}
    grid = list(itertools.product(*(choices for _, choices in axes)))
    for (names, command), combination in itertools.product(_beginnings(options), grid):
        arguments = list(common)
        pieces = list(names)
        for (axis, _), values in zip(axes, combination, strict=True):
            # A fork would keep its parent's remedies if they were only left out.
            given = values or (["none"] if options.fork_of else [])
            arguments += [f"--{axis}", *given] if given else []
            pieces.append(f"{axis}={'+'.join(values) or 'none'}")
        name = _folder_name("__".join(pieces) or "run")
        if name in found:
            raise UserError(
                f"two runs of the grid would share the folder {name}",
                "give each value and step once; values that differ in / : - alone need two sweeps",
            )
        arguments += ["--out", str(options.out / name)]
        config = parse_train(arguments, "primacy sweep", default).run
        cell = Cell(name, (*command, *arguments), config)
        found[name] = _forked(cell, options.fork_of, default) if default else cell
    return list(found.values())


def _folder_name(text: str) -> str:
    """A text without what folders cannot be called; what is cut off lives on in a hash."""
    name = text.replace("/", "-").replace(":", "-").replace(" ", "+")
    if len(name.encode()) <= LONGEST_NAME:
        return name
    end = "-" + hashlib.sha256(text.encode()).hexdigest()[:8]
    return name.encode()[: LONGEST_NAME - len(end)].decode(errors="ignore") + end


def _forked(cell: Cell, parent: Path | None, settings: RunConfig) -> Cell:
    """A cell whose command is `primacy fork PARENT --at STEP`, with the configuration that this
    writes: "none" takes the parent's remedies away and is none itself."""
    from primacy.runs.fork import origin

    kept = {
        name: tuple(text for text in getattr(cell.config, name) if text != "none")
        for name in ("remedies", "at_switch")
    }
    config = replace(cell.config, **kept)
    at = int(cell.arguments[3])
    assert parent is not None
    return replace(cell, config=config, origin=origin(parent, settings, at, config))


def _beginnings(options: SweepOptions) -> list[tuple[list[str], list[str]]]:
    """Pieces of a cell's name, and the command that its options are given to."""
    steps = [text for text in options.at.split(",") if text]
    if bool(options.fork_of) != bool(steps) or not all(text.isdecimal() for text in steps):
        raise UserError(
            "--fork-of and --at belong together, and --at takes env steps",
            "write for example --fork-of RUN --at 50000,100000",
        )
    if not options.fork_of:
        return [([], ["train"])]
    parent = str(options.fork_of)
    return [([f"at={step}"], ["fork", parent, "--at", step]) for step in steps]


@dataclass
class _Job:
    cell: Cell
    process: subprocess.Popen


def _start(cell: Cell, folder: Path) -> _Job:
    with refusing(folder, PLACE):
        folder.mkdir(parents=True, exist_ok=True)
        log = (folder / "log.txt").open("ab")
    command = [sys.executable, "-m", "primacy.runs", *cell.arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with log:
        return _Job(cell, subprocess.Popen(command, stdout=log, stderr=log, env=environment))


def check_folders(found: Sequence[Cell], out: Path) -> None:
    """Raises UserError where a file is in the place of a folder, or where a run of another
    configuration, or the fork of another run, is in that of a cell's."""
    for cell in found:
        folder = out / cell.name
        there = next((path for path in (folder, *folder.parents) if os.path.exists(path)), out)
        if not there.is_dir():
            raise UserError(f"{there} is not a folder", "move it away, or give another --out")
        for run in cell.runs:
            check_run(out / run.name, run.config)
            if run.origin and (out / run.name / "config.json").exists():
                check_origin(out / run.name, "fork", run.origin)


def _finished(cell: Cell, out: Path) -> bool:
    # All are looked at, the first unfinished one or not: each may be of another configuration.
    return bool(cell.runs) and all([finished(out / run.name, run.config) for run in cell.runs])


def check_jobs(jobs: int) -> None:
    """Raises UserError for a negative number."""
    if jobs < 0:
        raise UserError(f"--jobs {jobs} is negative", "give 0 for one run per core, or a number")


def at_once(jobs: int, found: Sequence[Cell]) -> int:
    """How many runs go side by side: `jobs`, or for 0 one per core, on a GPU one."""
    on_gpu = any(cell.config.device == "cuda" for cell in found)
    return jobs or (1 if on_gpu else os.cpu_count() or 1)


def stacked(found: Sequence[Cell], out: Path) -> list[Cell]:
    """One cell for all runs that fit into one stack; writes what its process reads.

    Raises:
        UserError: forks, which begin one by one.
    """
    from primacy.runs.stack import shared

    if any(cell.arguments[0] != "train" for cell in found):
        raise UserError("--lanes remedies trains from scratch", "leave --fork-of or --lanes out")
    groups: dict[str, list[Cell]] = {}
    for cell in found:
        groups.setdefault(shared(cell.config), []).append(cell)
    made = []
    for number, group in enumerate(groups.values()):
        path = out / f"stack-{number}.json"
        with refusing(path, PLACE):
            out.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps([list(cell.arguments[1:]) for cell in group], indent=1))
        made.append(Cell(path.stem, ("stack", str(path)), group[0].config, together=tuple(group)))
    return made


def run_cells(found: Sequence[Cell], out: Path, jobs: int) -> list[str]:
    """Run what is not finished, at most `jobs` at once, the longest first; returns the names of
    those that failed.

    Raises:
        UserError: before any starts, a finished run of another configuration.
    """
    waiting = [cell for cell in found if not _finished(cell, out)]
    waiting.sort(key=lambda cell: -planned_updates(cell.config))
    print(f"{len(found)} runs, {len(found) - len(waiting)} already finished, {jobs} at once")
    running: list[_Job] = []
    failed: list[str] = []
    ended: set[str] = set()
    reported = time.monotonic()
    try:
        while waiting or running:
            failed += _dropped(waiting, failed)
            ready = [c for c in waiting if not c.after or c.after in ended or _ended_well(c, out)]
            for cell in ready[: jobs - len(running)]:
                waiting.remove(cell)
                running.append(_start(cell, out / cell.name))
            time.sleep(POLL_SECONDS)
            for job in [job for job in running if job.process.poll() is not None]:
                running.remove(job)
                wrong = _ended(job, out)
                failed += wrong
                ended |= {job.cell.name} - set(wrong)
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                for job in running:
                    _show(job.cell, out)
    except BaseException:
        for job in running:
            job.process.terminate()
        for job in running:
            job.process.wait()
        raise
    return failed


def _dropped(waiting: list[Cell], failed: Sequence[str]) -> list[str]:
    """Takes out the cells that wait for one that failed; returns their names."""
    hopeless = [cell for cell in waiting if cell.after in failed]
    for cell in hopeless:
        waiting.remove(cell)
        print(f"left out  {cell.name}: {cell.after} failed", flush=True)
    return [cell.name for cell in hopeless]


def _ended_well(cell: Cell, out: Path) -> bool:
    return read_status(out / cell.after).get("state") == "finished"


def _ended(job: _Job, out: Path) -> list[str]:
    if job.process.returncode == 0:
        print(f"finished  {job.cell.name}", flush=True)
        return []
    log = (out / job.cell.name / "log.txt").read_text(errors="replace").strip().splitlines()
    print(f"failed    {job.cell.name}: {' / '.join(log[-2:])}", flush=True)
    return [job.cell.name]


def _show(cell: Cell, out: Path) -> None:
    states = [read_status(out / run.name) for run in cell.runs]
    state = min(states, key=lambda state: state.get("env_step", 0), default={})
    done, total = state.get("env_step", 0), state.get("env_steps", cell.config.env_steps)
    print(f"running   {cell.name}: step {done:,} of {total:,}", flush=True)


def sweep(arguments: Sequence[str]) -> int:
    """Run a grid; exit code 0 where every run finished, 1 where one failed."""
    options, common = parse(
        SweepOptions, "primacy sweep", _gather_grid(arguments), return_unknown_args=True
    )
    check_jobs(options.jobs)
    found = cells(options, common)
    jobs = at_once(options.jobs, found)
    check_folders(found, options.out)
    if options.lanes == "remedies":
        found = stacked(found, options.out)
    return 1 if run_all(found, options.out, jobs) else 0


def run_all(found: Sequence[Cell], out: Path, jobs: int) -> list[str]:
    """`run_cells`, with a last line; asked to end, it takes its runs with it and exits."""
    start = time.monotonic()
    # Each run saves and can go on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        failed = run_cells(found, out, jobs)
    except KeyboardInterrupt:
        print("stopped; the same command goes on", flush=True)
        raise SystemExit(130) from None
    print(
        f"{len(found) - len(failed)} of {len(found)} runs finished in "
        f"{duration(time.monotonic() - start)}"
    )
    return failed


def _gather_grid(arguments: Sequence[str]) -> list[str]:
    """All --grid values behind one flag, so that `--grid a=1,2 --grid b=3,4` works like `--grid
    a=1,2 b=3,4`."""
    rest: list[str] = []
    grid: list[str] = []
    collecting = False
    for argument in arguments:
        if argument.startswith("--"):
            collecting = argument == "--grid"
            if not collecting:
                rest.append(argument)
        else:
            (grid if collecting else rest).append(argument)
    return (["--grid", *grid] if grid else []) + rest
