"""Figures of scores: aggregates, differences, profiles, replay ratios."""

from collections.abc import Iterable, Sequence

import numpy as np

from primacy.runs.report_comparisons import Comparison, replay_ratio
from primacy.runs.report_curves import Axes, curve_panel, ratio_panel
from primacy.runs.report_drawing import Canvas, Group
from primacy.runs.report_labels import remedy_names
from primacy.runs.report_panels import Brush, Panel, Point, thin
from primacy.runs.report_points import interval_panel, pair_panel
from primacy.runs.report_progress import UNITS
from primacy.runs.report_study import Condition, Experiment
from primacy.runs.report_tables import NAMES, Row
from primacy.runs.report_words import band_basis, basis

TITLES = {
    "iqm": "IQM of {}",
    "median": "median over tasks of {}",
    "mean": "mean of {}",
    "optimality_gap": "optimality gap of {} (low is good)",
    "auc": "area under the curve of {} (IQM)",
}
"""With what a normalised score is."""

LONGEST_TITLE = 50
"""Letters of an axis title that fit; its remark in brackets is left out where it is longer."""


def _title(aggregate: str, experiment: Experiment) -> str:
    title = TITLES[aggregate].format(experiment.normaliser.words)
    return title if len(title) <= LONGEST_TITLE else title.rpartition(" (")[0] or title


def _evaluated(experiment: Experiment) -> list[Condition]:
    return [c for c in experiment.conditions if c.curves]


def _ends(row: Row) -> tuple[float, float, float]:
    return row["value"], row["low"], row["high"]


def _values(rows: Iterable[Row], conditions: Sequence[Condition]) -> list[Point]:
    """The rows of `conditions`, which have one row each at most."""
    found = {row["condition"]: row for row in rows}
    return [(c.name, 0.0, *_ends(found[c.label])) for c in conditions if c.label in found]


def aggregates(experiment: Experiment, canvas: Canvas) -> Iterable[Group]:
    """Every aggregate of every condition."""
    conditions = _evaluated(experiment)
    brush, caption = Brush(canvas.looks, conditions), basis(experiment, canvas.how)
    panels = []
    for name in TITLES:
        rows = [row for row in canvas.numbers.aggregates if row["aggregate"] == name]
        if points := _values(rows, conditions):
            panels.append(interval_panel(brush, points, x_title=_title(name, experiment)))
    yield Group(experiment.title, panels, conditions, caption, columns=2)


def _compared(experiment: Experiment, canvas: Canvas) -> list[Comparison]:
    return [pair for pair in canvas.numbers.comparisons if pair.experiment is experiment]


def _between(pair: Comparison, rows: Iterable[Row]) -> tuple[str, str, float, float, float]:
    labels = (pair.a.label, pair.b.label)
    row = next(row for row in rows if (row["a"], row["b"]) == labels)
    return (pair.a.name, pair.b.name, *_ends(row))


def differences(experiment: Experiment, canvas: Canvas) -> Iterable[Group]:
    """Every aggregate of every comparison, a minus b."""
    pairs = _compared(experiment, canvas)
    if not pairs:
        return
    conditions = _evaluated(experiment)
    brush, caption = Brush(canvas.looks, conditions), basis(experiment, canvas.how)
    panels: list[Panel] = []
    for name in TITLES:
        rows = [row for row in canvas.numbers.differences if row["aggregate"] == name]
        if rows:
            between = [_between(pair, rows) for pair in pairs]
            panels.append(
                pair_panel(brush, between, x_title=f"difference of {NAMES[name]}", between="minus")
            )
    yield Group(experiment.title, panels, conditions, caption, columns=2)


def improvement(experiment: Experiment, canvas: Canvas) -> Iterable[Group]:
    """The probability of improvement of every comparison."""
    pairs = _compared(experiment, canvas)
    if not pairs:
        return
    conditions = _evaluated(experiment)
    panel = pair_panel(
        Brush(canvas.looks, conditions),
        [_between(pair, canvas.numbers.improvement) for pair in pairs],
        x_title="probability of improvement",
        between="better than",
        middle=0.5,
        limits=(0.0, 1.0),
        width=420,
    )
    yield Group(experiment.title, [panel], conditions, basis(experiment, canvas.how))


def _lines(rows: Iterable[Row], conditions: Sequence[Condition], x: str) -> list[Point]:
    names = {condition.label: condition.name for condition in conditions}
    points = [(names[r["condition"]], r[x], *_ends(r)) for r in rows if r["condition"] in names]
    return [
        own[at]
        for name in names.values()
        for own in [[point for point in points if point[0] == name]]
        for at in thin(len(own))
        if own
    ]


def profiles(experiment: Experiment, canvas: Canvas) -> Iterable[Group]:
    """The share of runs that score more than each threshold."""
    conditions = _evaluated(experiment)
    axes = Axes(
        "threshold",
        "share of runs",
        f"threshold of {experiment.normaliser.words}",
        "share of runs that score more",
        limits=(0.0, 1.0),
        x_format="~g",
    )
    panel = curve_panel(
        Brush(canvas.looks, conditions),
        _lines(canvas.numbers.profiles, conditions, "threshold"),
        axes,
        height=230,
        reference=(0.5, "half of the runs"),
    )
    yield Group(experiment.title, [panel], conditions, band_basis(experiment, canvas.how))


def efficiency(experiment: Experiment, canvas: Canvas) -> Iterable[Group]:
    """The IQM over tasks on the way, where there are several tasks."""
    conditions = _evaluated(experiment)
    unit = UNITS[canvas.numbers.request.x]
    points = _lines(canvas.numbers.sample_efficiency, conditions, unit.column)
    if not points:
        return
    axes = Axes(unit.one, "IQM", unit.title, _title("iqm", experiment))
    panel = curve_panel(Brush(canvas.looks, conditions), points, axes, height=230)
    yield Group(experiment.title, [panel], conditions, band_basis(experiment, canvas.how))


def ratios(experiment: Experiment, canvas: Canvas) -> Iterable[Group]:
    """The replay-ratio curve, where more than one replay ratio was run."""
    conditions = [c for c in _evaluated(experiment) if c.config("replay_ratio")]
    every = sorted({replay_ratio(c) for c in conditions})
    if len(every) < 2:
        return
    rows = [row for row in canvas.numbers.aggregates if row["aggregate"] == "iqm"]
    found = {point[0]: point for point in _values(rows, conditions)}
    lines = []
    for identity in dict.fromkeys(c.without("replay_ratio") for c in conditions):
        own = {replay_ratio(c): c for c in conditions if c.without("replay_ratio") == identity}
        name = remedy_names(next(iter(own.values())).remedies) or "no remedy"
        lines += [(name, r, found[own[r].name][2] if r in own else np.nan) for r in every]
    points = [(c.name, replay_ratio(c), *found[c.name][2:]) for c in conditions]
    panel = ratio_panel(
        Brush(canvas.looks, conditions), points, lines, y_title=_title("iqm", experiment)
    )
    yield Group(experiment.title, [panel], conditions, basis(experiment, canvas.how))
