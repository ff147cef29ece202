"""The tables of a report for people: cells with intervals, as text, CSV and Markdown."""

import csv
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from primacy.runs.report_labels import metric_name
from primacy.runs.report_tables import NAMES, Numbers, Row

DECIMALS = {"Tasks": 1, "P-values": 4, "Offline-to-online": 2, "Published by game": 1}
"""Of each table's numbers, where not 3."""

PARTS_SHOWN = {"environment": "environment", "update": "updates", "evaluation": "evaluation"}


class Interval(NamedTuple):
    """A number with its interval, in one cell of a table."""

    value: float
    low: float
    high: float


def wide_tables(numbers: Numbers) -> dict[str, list[Row]]:
    """The tables people read, heading -> cell: aggregates side by side, intervals in one cell."""
    return {
        "Aggregates": _wide(numbers.aggregates, {"condition": "condition"}),
        "Differences": _wide(
            numbers.differences, {"a": "a", "b": "b"}, {"P(a > b)": "p_improvement"}
        ),
        "Tasks": [
            {
                "task": row["task"],
                "condition": row["condition"],
                "mean return": _cell(row, "mean"),
                "mean of the last four evaluations": Interval(
                    row["last_four_mean"], row["last_four_low"], row["last_four_high"]
                ),
                "return of each seed": row["values"],
                "seeds": row["seeds"],
                "env step": row["step"],
            }
            for row in numbers.per_task
        ],
    }


def side_tables(numbers: Numbers) -> dict[str, list[Row]]:
    """Tables about networks, cost and what was asked for, heading -> cell."""
    return {
        "Offline-to-online": list(_offline(numbers.offline_to_online)),
        "Published": [_published(row) for row in numbers.published],
        "Published by game": list(_games(numbers.published_games)),
        "Relations": [_relation(row) for row in numbers.relations],
        "Interventions": [_intervention(row) for row in numbers.interventions],
        "Costs": list(_costs(numbers.costs)),
        "Thresholds": [_threshold(row) for row in numbers.thresholds],
        "P-values": list(_p_values(numbers.differences)),
        "Runs": [_run(row) for row in numbers.costs],
    }


def _wide(rows: list[Row], first: dict[str, str], extra: dict[str, str] | None = None) -> list[Row]:
    last = {"tasks": "tasks", "seeds": "seeds", "env step": "step"}
    present = dict.fromkeys(row["aggregate"] for row in rows)
    nothing = Interval(math.nan, math.nan, math.nan)
    merged: dict[tuple, Row] = {}
    for row in rows:
        key = tuple(row[column] for column in first.values())
        if key not in merged:
            merged[key] = {
                **dict(zip(first, key, strict=True)),
                **{NAMES[name]: nothing for name in present},
                **{heading: _cell(row, column) for heading, column in (extra or {}).items()},
                **{heading: row[column] for heading, column in last.items()},
            }
        merged[key][NAMES[row["aggregate"]]] = _cell(row, "value")
    return list(merged.values())


def _cell(row: Row, column: str) -> Interval:
    ends = (f"{column}_low", f"{column}_high") if f"{column}_low" in row else ("low", "high")
    return Interval(row[column], *(row[end] for end in ends))


OFFLINE = {
    "score at the switch": "score_at_switch",
    "drop after it": "initial_drop",
    "online regret": "regret",
    "50% by env step": "env_steps_to_50",
    "90% by env step": "env_steps_to_90",
    "score at the end": "score_at_end",
}
"""Heading -> metric of offline_to_online.csv."""


def _offline(rows: list[Row]) -> Iterable[Row]:
    """A row per task and condition."""
    for task, condition in dict.fromkeys((row["task"], row["condition"]) for row in rows):
        own = {r["metric"]: r for r in rows if (r["task"], r["condition"]) == (task, condition)}
        cells = {heading: _cell(own[metric], "value") for heading, metric in OFFLINE.items()}
        seeds = max(row["seeds"] for row in own.values())
        yield {"task": task, "condition": condition, **cells, "seeds": seeds}


def _published(row: Row) -> Row:
    return {
        "from": row["source"],
        "condition": row["condition"],
        "games": row["games"],
        "runs a game": row["runs"],
        "IQM": Interval(row["iqm"], row["low"], row["high"]),
        "median": row["median"],
        "mean": row["mean"],
        "optimality gap": row["optimality_gap"],
        "hours a run": row["hours"],
    }


def _games(rows: list[Row]) -> Iterable[Row]:
    """A row per game, a column per agent."""
    for game in dict.fromkeys(row["game"] for row in rows):
        own = {row["agent"]: row["return"] for row in rows if row["game"] == game}
        yield {"game": game, **own}


def _relation(row: Row) -> Row:
    return {
        "experiment": row["experiment"],
        "diagnostic": metric_name(row["metric"]),
        "measured on": row["layer"] or row["network"],
        "correlation with return": row["across"],
        "within conditions": row["within"],
        "agents": row["agents"],
        "tasks": row["tasks"],
    }


def _intervention(row: Row) -> Row:
    return {
        "condition": row["condition"],
        "diagnostic": metric_name(row["metric"]),
        "measured on": row["layer"] or row["network"],
        "before": row["before"],
        "after": row["after"],
        "change": Interval(row["change"], row["low"], row["high"]),
        "measured": row["measured"],
        "tasks": row["tasks"],
    }


def _threshold(row: Row) -> Row:
    return {
        "condition": row["condition"],
        "curve of": NAMES[row["aggregate"]],
        "reaches": row["threshold"],
        "at": _cell(row, "value"),
        "counted in": f"{row['unit']}s",
        "tasks": row["tasks"],
        "seeds": row["seeds"],
        "remark": row["note"],
    }


def _p_values(rows: list[Row]) -> Iterable[Row]:
    """A row per pair that has any."""
    known = [row for row in rows if not math.isnan(row["p_value"])]
    for a, b in dict.fromkeys((row["a"], row["b"]) for row in known):
        own = [row for row in known if (row["a"], row["b"]) == (a, b)]
        cells = {f"p of {NAMES[row['aggregate']]}": row["p_value"] for row in own}
        yield {"a": a, "b": b, **cells, "tasks": own[0]["tasks"], "seeds": own[0]["seeds"]}


def _costs(rows: list[Row]) -> Iterable[Row]:
    for label in dict.fromkeys(row["condition"] for row in rows):
        own = [row for row in rows if row["condition"] == label]
        seconds, steps = (sum(r[name] for r in own) for name in ("seconds", "gradient_steps"))
        yield {
            "condition": label,
            "runs": len(own),
            "seeds": sum(row["seeds"] for row in own),
            **_time(own, seconds, steps),
        }


def _run(row: Row) -> Row:
    return {
        "run": row["run"],
        "task": row["task"],
        "condition": row["condition"],
        "seeds": row["seeds"],
        **_time([row], row["seconds"], row["gradient_steps"]),
    }


def _time(rows: list[Row], seconds: float, steps: int) -> Row:
    shares = {part: sum(r[part] for r in rows) / seconds for part in PARTS_SHOWN if seconds}
    return {
        "env steps": sum(row["env_steps"] for row in rows),
        "gradient steps": steps,
        "wall hours": seconds / 3600,
        "gradient steps per second": steps / seconds if seconds else math.nan,
        **{f"share in {name}": shares.get(part, math.nan) for part, name in PARTS_SHOWN.items()},
    }


def shown(value: Any, digits: int = 3) -> str:
    """A number as the tables show it; nothing for a missing one, never for an infinite time."""
    if isinstance(value, Interval):
        middle, low, high = (shown(part, digits) for part in value)
        return f"{middle} [{low}, {high}]" if low else middle
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            return "" if math.isnan(value) else "never"
        return f"{value:.{digits}f}" if abs(value) < 1e5 else f"{value:.3g}"
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
