"""`primacy exposure`: how often each transition of a run was drawn, as a table and a CSV."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import tyro

from primacy.runs.arguments import parse
from primacy.runs.errors import UserError, naming
from primacy.runs.exposure import (
    BINS,
    Draws,
    Row,
    Schedule,
    Span,
    counted,
    edges,
    expected,
    history,
    rows,
    until,
)
from primacy.runs.results import read_json

FILE = "exposure.csv"


@dataclass(frozen=True)
class ExposureOptions:
    """How often each transition was drawn for a gradient step: expected, and counted per seed.

    Both follow from settings and seeds; the run is only read, and may be running.
    """

    run: tyro.conf.Positional[Path]
    """Run folder."""
    at: int | None = None
    """Env step at whose end to count (default: as far as the run has got)."""
    bins: int = BINS
    """Groups of transitions, in order of arrival; cuts are added where exposure jumps."""
    output: Path | None = None
    """CSV to write (default: exposure.csv in the run folder, where `primacy report` finds it)."""


class History(NamedTuple):
    """What a run has drawn so far."""

    draws: list[Draws]
    seeds: tuple[int, ...]
    schedule: Schedule
    """The settings the run began with."""
    env_step: int
    notes: list[str]

    @property
    def transitions(self) -> int:
        """Per seed, given ones included."""
        return self.schedule.given + self.env_step


def exposure(arguments: Sequence[str]) -> int:
    """Print the table and write the CSV."""
    options = parse(ExposureOptions, "primacy exposure", arguments)
    if options.bins < 1:
        raise UserError(f"--bins {options.bins}", "give at least one group")
    found = read_history(options.run, options.at)
    counts = {seed: counted(found.draws, seed, found.transitions) for seed in found.seeds}
    mean = expected(found.draws, found.transitions)
    ends = edges(found.schedule, found.transitions, options.bins)
    table = rows(counts, mean, ends, found.schedule.given)
    output = options.output or options.run / FILE
    _write(output, table)
    total = sum(part.total for part in found.draws)
    print(f"{options.run}: {total:,} gradient steps by env step {found.env_step:,}")
    print("\n".join([*_lines(table), *found.notes, str(output)]))
    return 0


def read_history(run: Path, at: int | None) -> History:
    """What a run has drawn by the end of env step `at`, or as far as it has got.

    Raises:
        UserError: no run, a step it has not reached, or a fork whose settings before the fork are
            not known.
    """
    if not (run / "config.json").exists():
        raise UserError(
            f"{run} is not a run folder: it has no config.json",
            "give the folder that `primacy train --out` wrote",
        )
    if not (run / "status.json").exists():
        raise UserError(f"{run} has not begun: it has no status.json", "let it train first")
    status, document = read_json(run / "status.json"), read_json(run / "config.json")
    if document["config"].get("priority_exponent", 0) or document["config"].get("margin", 0):
        raise UserError(
            f"{run} draws by priority or without its newest transitions",
            "exposure is known of agents that draw all transitions alike",
        )
    reached, done = status.get("env_step", 0), status.get("gradient_step", 0)
    step = reached if at is None else at
    if not 0 <= step <= reached:
        raise UserError(f"{run} has reached env step {reached:,}, not {step:,}", "lower --at")
    notes: list[str] = []
    spans = _spans(run, document, step, notes)
    draws = history(spans)
    if sum(part.total for part in draws) < done and step == reached:
        raise UserError(
            f"{run} did {done:,} gradient steps by env step {reached:,}, its settings mean "
            f"{sum(part.total for part in draws):,}",
            "config.json or status.json was changed, or is of another version",
        )
    if step == reached:
        draws = until(draws, done)
    seeds = tuple(document["config"]["seeds"])
    return History(draws, seeds, spans[0].schedule, step, notes)


def _spans(run: Path, document: dict[str, Any], stop: int, notes: list[str]) -> list[Span]:
    """The schedules of a run up to an env step: its own, after those of the runs it was forked
    from."""
    own = Schedule.of(document["config"])
    fork = document.get("fork")
    if fork is None:
        return [Span(own, 0, stop)]
    at, parent = min(fork["at"], stop), Path(fork["parent"])
    if (parent / "config.json").exists():
        before = _spans(parent, read_json(parent / "config.json"), at, notes)
    else:
        before = [Span(own, 0, at)]
        shared = [Span(_unswitched(own, fork["at"]), 0, fork["at"])]
        _demand_equal(run, fork["at"], history(shared)[0].total, parent)
        notes.append(f"note: {parent} is gone; it is taken to have had the settings of {run}")
    if fork["at"] == 0:  # The switch is the fork's own.
        before = [span._replace(schedule=_unswitched(span.schedule, 0)) for span in before]
        return [*before, Span(own, 0, stop)]
    return [*before, Span(own, at, stop)] if stop > at else before


def _unswitched(schedule: Schedule, at: int) -> Schedule:
    """A schedule as it was at env step `at`: the switch comes after env step 0."""
    return schedule if at else replace(schedule, relearn_updates=0)


def _demand_equal(run: Path, at: int, steps: int, parent: Path) -> None:
    """A fork's own settings must explain the gradient steps before it, where no others are known.

    Raises UserError otherwise.
    """
    with (run / "events.csv").open(newline="") as file:
        forks = [row for row in csv.DictReader(file) if row["event"] == "fork"]
    found = [int(row["gradient_step"]) for row in forks if int(row["env_step"]) == at]
    if found != [steps]:
        raise UserError(
            f"{run} was forked with other settings from {parent}, which is not there",
            "move the parent back, so that its settings can be read",
        )


def _write(path: Path, table: Sequence[Row]) -> None:
    temporary = path.with_suffix(".tmp")
    try:
        with naming(temporary), temporary.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Row._fields)
            writer.writerows(table)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}", "choose another file with --output"
        ) from error


def _lines(table: Sequence[Row]) -> list[str]:
    """The table in columns: groups down, seeds across."""
    seeds = list(dict.fromkeys(row.seed for row in table))
    groups: dict[int, list[Row]] = {}
    for row in table:
        groups.setdefault(row.first_env_step, []).append(row)
    head = ["env steps", "age", "expected", *(f"seed {seed} (min-max)" for seed in seeds)]
    cells = [head]
    for own in groups.values():
        one = own[0]
        shown = [f"{r.counted_mean:,.1f} ({r.counted_min:,}-{r.counted_max:,})" for r in own]
        cells.append(
            [
                f"{one.first_env_step:,} to {one.last_env_step:,}",
                f"{one.oldest_age:,} to {one.newest_age:,}",
                f"{one.expected:,.1f}",
                *shown,
            ]
        )
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
