"""The numbers of a report as rows, and the rows as CSV, Markdown and text."""

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from primacy.runs.errors import UserError
from primacy.runs.report_study import Condition, Experiment, Study
from primacy.runs.scoring import smoothed
from primacy.runs.statistics import (
    AGGREGATES,
    Bootstrap,
    Estimate,
    Scores,
    difference,
    estimate,
    evaluate,
    probability_of_improvement,
    shared_tasks,
)

Row = dict[str, Any]

NAMES = {"iqm": "IQM", "median": "median", "mean": "mean", "optimality_gap": "optimality gap"}
"""Aggregates as readers call them."""

COLUMNS = {
    "aggregates": "condition aggregate value low high tasks seeds step".split(),
    "differences": "a b aggregate value low high p_improvement tasks seeds step".split(),
    "per_task": "task condition mean low high seeds step values last_four_mean last_four_low "
    "last_four_high".split(),
    "curves": "task condition env_step gradient_step frame mean low high seeds".split(),
}
"""Columns of each CSV: aggregates and differences of normalised scores, the others of returns."""


class Interval(NamedTuple):
    """A number with its interval, in one cell of a table."""

    value: float
    low: float
    high: float


class Comparison(NamedTuple):
    """`a` is compared with `b`, its reference, because of `change`."""

    experiment: Experiment
    a: Condition
    b: Condition
    change: str
    """remedies, priming, replay_ratio or baseline."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """All tables of a report, as rows with the keys of `COLUMNS`."""

    aggregates: list[Row]
    differences: list[Row]
    per_task: list[Row]
    curves: list[Row]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    """Which conditions have no interval, and why."""


def numbers(study: Study, bootstrap: Bootstrap, baseline: str = "") -> Numbers:
    """Compute every table.

    Raises:
        UserError: no condition is called `baseline`.
    """
    pairs = tuple(compare(study, baseline))
    members = [(e, c) for e in study.experiments for c in e.conditions if c.curves]
    estimates = [(e, c, estimate(scores(e, c), tuple(AGGREGATES), bootstrap)) for e, c in members]
    return Numbers(
        aggregates=[
            {
                "condition": c.label,
                "aggregate": name,
                **_interval(found, scale=e.normaliser.gamma),
                **_size(e, c, tuple(c.curves)),
            }
            for e, c, aggregates in estimates
            for name, found in aggregates.items()
        ],
        differences=[row for pair in pairs for row in _differences(pair, bootstrap)],
        per_task=[_per_task(e, c, t, bootstrap) for e in study.experiments for t, c in _cells(e)],
        curves=[
            r for e in study.experiments for t, c in _cells(e) for r in _curve(e, c, t, bootstrap)
        ],
        comparisons=pairs,
        notes=tuple(
            f"{c.label}: {aggregates['iqm'].note}."
            for _, c, aggregates in estimates
            if aggregates["iqm"].note
        ),
    )


def scores(experiment: Experiment, condition: Condition) -> Scores:
    """Normalised scores of each task's seeds, as shares of gamma: 1 has no optimality gap."""
    by = experiment.normaliser
    return Scores.of(
        {
            task: {s: float(by.apply(task, v)) / by.gamma for s, v in seeds.items()}
            for task, seeds in condition.finals.items()
        }
    )


def compare(study: Study, baseline: str = "") -> Iterable[Comparison]:
    """Pairs that differ in remedies alone, in priming alone, or in replay ratio alone.

    With a baseline: every other condition of its experiment against it.
    """
    if baseline:
        named = [(e, c) for e in study.experiments for c in e.conditions if c.label == baseline]
        if not named:
            known = "; ".join(condition.label for condition in study.conditions)
            raise UserError(f"no condition is called {baseline!r}", f"the conditions are: {known}")
        experiment, reference = named[0]
        for other in experiment.conditions:
            if other is not reference and set(other.curves) & set(reference.curves):
                yield Comparison(experiment, other, reference, "baseline")
        return
    for experiment in study.experiments:
        for b, a in permutations(experiment.conditions, 2):
            change = _change(experiment, a, b)
            if change and set(a.curves) & set(b.curves):
                yield Comparison(experiment, a, b, change)


def _change(experiment: Experiment, a: Condition, b: Condition) -> str:
    """In what alone `a` differs from its reference `b`, or an empty string."""
    if a.remedies and not b.remedies and a.without("remedies") == b.without("remedies"):
        return "remedies"
    priming = ("prime_updates", "prime_transitions")
    if a.settings.get("prime_updates") and not b.settings.get("prime_updates"):
        return "priming" if a.without(*priming) == b.without(*priming) else ""
    if "replay_ratio" not in a.settings or a.without("replay_ratio") != b.without("replay_ratio"):
        return ""
    ratios = [
        replay_ratio(c)
        for c in experiment.conditions
        if c.without("replay_ratio") == a.without("replay_ratio")
    ]
    ends = (min(ratios), max(ratios))
    return "replay_ratio" if (replay_ratio(b), replay_ratio(a)) == ends else ""


def replay_ratio(condition: Condition) -> float:
    """Gradient steps per env step."""
    above, _, below = str(condition.config("replay_ratio")).partition("/")
    return float(above) / float(below or 1)


def _cells(experiment: Experiment) -> Iterable[tuple[str, Condition]]:
    return ((t, c) for t in experiment.tasks for c in experiment.on(t))


def _interval(found: Estimate, at: int = -1, scale: float = 1.0) -> Row:
    return {
        "value": scale * float(found.value[at]),
        "low": scale * float(found.low[at]),
        "high": scale * float(found.high[at]),
    }


def _size(experiment: Experiment, condition: Condition, tasks: Sequence[str]) -> Row:
    """How much a number rests on: tasks, seeds of each task, env step."""
    return {
        "tasks": len(tasks),
        "seeds": _range(len(condition.curves[task].seeds) for task in tasks),
        "step": _range(experiment.steps[task] for task in tasks) or "",
    }


def _range(counts: Iterable[int]) -> int | str:
    different = sorted(set(counts))
    return different[0] if len(different) == 1 else f"{different[0]}-{different[-1]}"


def _differences(pair: Comparison, bootstrap: Bootstrap) -> Iterable[Row]:
    a, b = scores(pair.experiment, pair.a), scores(pair.experiment, pair.b)
    tasks = shared_tasks(a, b)
    size = _size(pair.experiment, pair.a, tasks)
    other = _size(pair.experiment, pair.b, tasks)["seeds"]
    size["seeds"] = size["seeds"] if size["seeds"] == other else f"{size['seeds']} and {other}"
    a, b = a.only(tasks), b.only(tasks)
    gamma = pair.experiment.normaliser.gamma
    for name in AGGREGATES:
        yield {
            "a": pair.a.label,
            "b": pair.b.label,
            "aggregate": name,
            "of_a": gamma * float(evaluate(a, name)[0]),
            "of_b": gamma * float(evaluate(b, name)[0]),
            **_interval(difference(a, b, name, bootstrap), scale=gamma),
            "p_improvement": probability_of_improvement(a, b),
            **size,
        }


def _per_task(experiment: Experiment, condition: Condition, task: str, how: Bootstrap) -> Row:
    curve, step, ends = condition.curves[task], experiment.steps[task], condition.finals[task]
    digits = 1 + experiment.normaliser.decimals
    last = _mean(ends, how)
    four = _mean(curve.last_four(step), how)
    return {
        "task": task,
        "condition": condition.label,
        "mean": last["value"],
        "low": last["low"],
        "high": last["high"],
        "seeds": len(ends),
        "step": step or "",
        "values": " ".join(f"{value:.{digits}f}" for value in ends.values()),
        "last_four_mean": four["value"],
        "last_four_low": four["low"],
        "last_four_high": four["high"],
    }


def _mean(returns: Mapping[int, float], bootstrap: Bootstrap) -> Row:
    found = estimate(Scores.of({"": dict(returns)}), ("mean",), bootstrap)["mean"]
    return _interval(found)


def _curve(
    experiment: Experiment, condition: Condition, task: str, bootstrap: Bootstrap
) -> Iterable[Row]:
    curve = smoothed(condition.curves[task], experiment.scoring.smooth)
    table = Scores.of({task: dict(zip(curve.seeds, curve.returns, strict=True))})
    found = estimate(table, ("mean",), bootstrap)["mean"]
    for at in range(len(curve.env_steps)):
        band = _interval(found, at)
        yield {
            "task": task,
            "condition": condition.label,
            "env_step": int(curve.env_steps[at]),
            "gradient_step": _counter(curve.gradient_steps[at]),
            "frame": _counter(curve.frames[at]),
            "mean": band["value"],
            "low": band["low"],
            "high": band["high"],
            "seeds": len(curve.seeds),
        }


def _counter(value: float) -> int | str:
    return "" if math.isnan(value) else int(value)


def wide_tables(numbers: Numbers) -> dict[str, list[Row]]:
    """The tables people read, heading -> cell: aggregates side by side, intervals in one cell."""
    return {
        "Tasks": [
            {
                "task": row["task"],
                "condition": row["condition"],
                "mean return": Interval(row["mean"], row["low"], row["high"]),
                "mean of the last four evaluations": Interval(
                    row["last_four_mean"], row["last_four_low"], row["last_four_high"]
                ),
                "return of each seed": row["values"],
                "seeds": row["seeds"],
                "env step": row["step"],
            }
            for row in numbers.per_task
        ],
        "Aggregates": _wide(numbers.aggregates, {"condition": "condition"}, {}),
        "Differences": _wide(
            numbers.differences, {"a": "a", "b": "b"}, {"P(a > b)": "p_improvement"}
        ),
    }


def _wide(rows: list[Row], first: dict[str, str], extra: dict[str, str]) -> list[Row]:
    last = {**extra, "tasks": "tasks", "seeds": "seeds", "env step": "step"}
    merged: dict[tuple, Row] = {}
    for row in rows:
        key = tuple(row[column] for column in first.values())
        cells = merged.setdefault(key, dict(zip(first, key, strict=True)))
        cells[NAMES[row["aggregate"]]] = Interval(row["value"], row["low"], row["high"])
        if row["aggregate"] == list(AGGREGATES)[-1]:
            cells.update({heading: row[column] for heading, column in last.items()})
    return list(merged.values())


def shown(value: Any, digits: int = 3) -> str:
    """A number as the tables show it; nothing for a missing one."""
    if isinstance(value, Interval):
        middle, low, high = (shown(part, digits) for part in value)
        return f"{middle} [{low}, {high}]" if low else middle
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else f"{value:.{digits}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def exact(value: Any) -> str:
    """A number with all its digits, for CSV; nothing for a missing one."""
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else repr(float(value))
    return str(value)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows with all digits of their numbers."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([exact(row[column]) for column in columns] for row in rows)


def markdown(rows: Sequence[Row], digits: int = 3) -> str:
    """A Markdown table of rows with equal headings; names from data stay in their cells."""
    if not rows:
        return "None.\n"
    lines = [list(rows[0]), ["---"] * len(rows[0])]
    lines += [[plain_text(shown(value, digits)) for value in row.values()] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def plain_text(text: str) -> str:
    """`text` as Markdown that shows it as it is and stays in its table cell."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")
    return re.sub(r"([\\`|])", r"\\\1", safe)
