"""From a run's evaluations to its score: at which step, over how many evaluations, or over a reset
period."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise

import numpy as np

from primacy.runs.errors import UserError
from primacy.runs.import_options import ImportOptions
from primacy.runs.report_labels import remedy_name
from primacy.runs.results import Curve, Run

Window = tuple[int, int]
"""Steps (first, last]: evaluations after the first, up to and with the last."""


POOLED = "Every run counts equally in the IQM and in profiles"


@dataclass(frozen=True)
class Scoring:
    """How each run is scored."""

    at: int | None = None
    """Step; None for the last that every condition and seed reached."""
    own_end: bool = False
    """At each seed's own last step instead."""
    last: int = 1
    """Mean of so many evaluations."""
    since_reset: bool = False
    """Mean over the last full period between resets instead."""
    reset_every: int = 0
    """Steps between resets where no events tell."""
    smooth: int = 1
    """Curves are means of so many evaluations."""
    pool: bool = False
    """Whether every run counts equally in the IQM and in profiles, and not every task."""

    @classmethod
    def of(cls, options: ImportOptions) -> "Scoring":
        """What the options ask for.

        Raises:
            UserError: options that are no numbers or contradict each other.
        """
        step = None
        if options.at not in ("", "last"):
            try:
                step = int(float(options.at))
            except (ValueError, OverflowError) as error:
                raise UserError(
                    f"--at {options.at} is no step", 'write a number of steps, or "last"'
                ) from error
        for name in ("last", "smooth"):
            if getattr(options, name) < 1:
                raise UserError(f"--{name} is {getattr(options, name)}", "it is at least 1")
        if options.since_reset and options.last > 1:
            raise UserError("--since-reset and --last are two different scores", "choose one")
        if options.reset_every < 0 or (options.reset_every and not options.since_reset):
            raise UserError("--reset-every is for --since-reset", "give both, or neither")
        return cls(
            step,
            options.at == "last",
            options.last,
            options.since_reset,
            options.reset_every,
            options.smooth,
            options.pool,
        )

    @property
    def words(self) -> list[str]:
        """What differs from a score at the last shared step, as sentences."""
        said = []
        if self.at is not None:
            said.append(f"Scores are taken at env step {self.at:,}, as asked.")
        if self.last > 1:
            said.append(f"Scores are means of the last {self.last} evaluations up to their step.")
        if self.smooth > 1:
            said.append(
                f"Curves are means of {self.smooth} evaluations up to each step; scores and tables "
                "are not smoothed."
            )
        if self.pool:
            said.append(f"{POOLED}: tasks with more seeds weigh more.")
        return said


def cut(runs: Sequence[Run], scoring: Scoring, notes: list[str]) -> list[Run]:
    """The runs without seeds that were not evaluated at the step asked for, which are named.

    Raises:
        UserError: no seed was.
    """
    if scoring.at is None:
        return list(runs)
    kept, short = [], []
    for run in runs:
        table = run.evaluations
        has = table.loc[table["env_step"] == scoring.at, "seed"].tolist()
        for seed, steps in table.groupby("seed")["env_step"]:
            if seed not in has:
                short.append(f"{_where(run, int(str(seed)))} ends at {int(steps.max()):,}")
        if has:
            kept.append(replace(run, evaluations=table[table["seed"].isin(has)]))
    if not kept:
        raise UserError(
            f"no run was evaluated at --at {scoring.at}: {_some(short, 3)}",
            "choose a step of the files, or --at last for the last of each",
        )
    if short:
        notes.append(
            f"{len(short)} runs have no evaluation at env step {scoring.at:,} and are left out: "
            f"{_some(short, 40)}."
        )
    return kept


def _where(run: Run, seed: int) -> str:
    return f"{run.folder} (seed {seed}, {run.task})"


def _some(items: Sequence[str], most: int) -> str:
    more = f"; and {len(items) - most} more" if len(items) > most else ""
    return "; ".join(items[:most]) + more


def align(runs: Sequence[Run], scoring: Scoring) -> list[Run]:
    """Runs of one condition and task, for a curve at shared steps.

    Where each seed is scored at its own end and they share no step, all that can be drawn is the
    scores, at the greatest step.
    """
    if not scoring.own_end:
        return list(runs)
    grids = [set(steps) for run in runs for _, steps in run.evaluations.groupby("seed")["env_step"]]
    if not grids or set.intersection(*grids):
        return list(runs)
    end = max(max(grid) for grid in grids)
    return [
        replace(run, evaluations=ends.assign(env_step=end))
        for run in runs
        for ends in [run.evaluations.sort_values("env_step").groupby("seed").tail(1)]
    ]


def grid_note(label: str, task: str, runs: Sequence[Run], curve: Curve) -> str:
    """What seeds of unequal grids cost: steps that are not shared, and who ends early."""
    every = set().union(*(run.evaluations["env_step"].tolist() for run in runs))
    if len(every) == len(curve.env_steps):
        return ""
    ends = {
        _where(run, int(str(seed))): int(steps.max())
        for run in runs
        for seed, steps in run.evaluations.groupby("seed")["env_step"]
    }
    short = [f"{where} at {end:,}" for where, end in ends.items() if end < max(ends.values())]
    early = f" These end early: {_some(short, 10)}." if short else ""
    return (
        f"{label} on {task}: {len(every) - len(curve.env_steps)} of {len(every)} evaluation steps "
        f"are not shared by all seeds and left out of its curve.{early}"
    )


def finals(
    runs: Sequence[Run], curve: Curve, step: int, scoring: Scoring, window: Window | None
) -> dict[int, float]:
    """Seed -> its score, not normalised.

    Args:
        window: the reset period to average over, where scores are such means.

    Raises:
        UserError: no evaluation of a seed lies in the window.
    """
    if not scoring.own_end and window is None:
        stop = int(np.searchsorted(curve.env_steps, step)) + 1
        means = curve.returns[:, max(0, stop - scoring.last) : stop].mean(axis=1)
        return dict(zip(curve.seeds, means.tolist(), strict=True))
    found = {}
    for run in runs:
        for seed, table in run.evaluations.sort_values("env_step").groupby("seed"):
            if window is not None:
                inside = table["env_step"].between(window[0] + 1, window[1])
                values = table.loc[inside, "return_mean"].to_numpy()
            else:
                values = table["return_mean"].to_numpy()[-scoring.last :]
            if not len(values):
                raise UserError(
                    f"{_where(run, int(str(seed)))} has no evaluation in the reset period after "
                    f"env step {window and window[0]:,} up to {window and window[1]:,}",
                    "leave it out, or do without --since-reset",
                )
            found[int(str(seed))] = float(values.mean())
    return dict(sorted(found.items()))


def end_note(task: str, runs: Iterable[Run]) -> str:
    """At how many different steps the seeds of a task end."""
    ends: dict[int, list[str]] = {}
    for run in runs:
        for seed, steps in run.evaluations.groupby("seed")["env_step"]:
            ends.setdefault(int(steps.max()), []).append(_where(run, int(str(seed))))
    if len(ends) == 1:
        return ""
    early = [f"{where} at {end:,}" for end in sorted(ends)[:-1] for where in ends[end]]
    return (
        f"{task}: each seed is scored at its own last step (--at last), {len(ends)} different ones "
        f"from {min(ends):,} to {max(ends):,}. Those that end early: {_some(early, 10)}."
    )


def reset_windows(
    runs: Mapping[str, Sequence[Run]], step: int, scoring: Scoring
) -> dict[str, Window]:
    """Condition -> the steps its score is a mean over, on one task.

    A condition without resets is averaged over as many steps, the last ones, as the longest period
    of another has.

    Raises:
        UserError: no condition was reset.
    """
    found = {
        name: window
        for name, group in runs.items()
        if (window := _period(_resets(group, step, scoring), step)) is not None
    }
    if not found:
        raise UserError(
            "--since-reset needs resets, and no condition had a full period between two",
            "say how far apart resets are: --reset-every STEPS",
        )
    longest = max(last - first for first, last in found.values())
    return {name: found.get(name, (max(step - longest, -1), step)) for name in runs}


def period_note(label: str, window: Window, tasks: Sequence[str]) -> str:
    """Over which steps the scores of a condition are means."""
    return (
        f"{label}: scores are means over env steps {window[0] + 1:,} to {window[1]:,}, the last "
        "full period between resets, or the last steps, as many, where nothing was reset "
        f"({_some(tasks, 4)})."
    )


def _resets(runs: Sequence[Run], step: int, scoring: Scoring) -> list[int]:
    if scoring.reset_every:
        return list(range(scoring.reset_every, step + 1, scoring.reset_every))
    names = {remedy_name(remedy) for run in runs for remedy in run.config.get("remedies") or ()}
    return sorted(
        {
            int(at)
            for run in runs
            for at, event in zip(run.events["env_step"], run.events["event"], strict=True)
            if remedy_name(event) in names and at <= step
        }
    )


def _period(resets: Sequence[int], step: int) -> Window | None:
    """The last full period up to `step`; an evaluation at a reset's step comes before the reset."""
    if not resets:
        return None
    *_, (first, last) = pairwise([0, *resets])
    return (last, step) if step - last >= last - first else (first, last)


def last_shared_step(task: str, curves: Sequence[Curve], scoring: Scoring) -> int:
    """The step to score at.

    Raises:
        UserError: the conditions share none.
    """
    if scoring.at is not None:
        return scoring.at
    if scoring.own_end:
        return max(int(curve.env_steps[-1]) for curve in curves)
    shared = reduce(np.intersect1d, [curve.env_steps for curve in curves])
    if not len(shared):
        raise UserError(
            f"the conditions on {task} share no evaluation step",
            "report runs that were evaluated at the same env steps, or use --at last",
        )
    return int(shared[-1])


def smoothed(curve: Curve, count: int) -> Curve:
    """Each return as the mean of `count` evaluations up to its step, fewer at the start."""
    if count == 1:
        return curve
    total = np.cumsum(curve.returns, axis=1)
    total[:, count:] -= total[:, :-count].copy()
    sizes = np.minimum(np.arange(1, total.shape[1] + 1), count)
    return replace(curve, returns=total / sizes)
