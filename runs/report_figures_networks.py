"""Figures of networks: diagnostics against return, and before and after interventions."""

import math
from collections.abc import Iterable

from primacy.runs.report_drawing import Canvas, Group
from primacy.runs.report_interventions import Change, drawn
from primacy.runs.report_labels import metric_name
from primacy.runs.report_panels import Brush
from primacy.runs.report_points import Dot, Slope, scatter_panel, slope_panel
from primacy.runs.report_relations import Frame, Relation
from primacy.runs.report_study import Condition, Experiment

DOTS = 400
"""Most points of a scatter; above it a point is the mean over the seeds of a condition and task."""

SLOPES = 60
"""Most thin lines of a slope chart."""


def relations(experiment: Experiment, canvas: Canvas) -> Iterable[Group]:
    """A scatter per diagnostic: the diagnostic across, the score up, a point per agent."""
    found = canvas.numbers.related[experiment.title]
    if not found:
        return
    conditions = [c for c in experiment.conditions if c.curves]
    brush = Brush(canvas.looks, conditions)
    merged = any(len(one.table) > DOTS for one in found)
    panels = [
        scatter_panel(
            brush,
            _dots(one, merged),
            title=_where(one),
            subtitle=f"rank correlation {_signed(one.across)}, "
            f"within conditions {_signed(one.within)}",
            x_title=metric_name(one.metric),
            y_title=experiment.normaliser.words,
        )
        for one in found
    ]
    point = "the mean over seeds of a condition on a task" if merged else "an agent"
    caption = (
        f"Each point is {point}: means of its last four measurements and evaluations; hollow where "
        "the line of the legend is dashed. Rank correlations are of agents, within tasks and then "
        "averaged; they have no interval, and a condition may cause both."
    )
    yield Group(experiment.title, panels, conditions, caption, columns=4)


def _where(one: Relation | Change) -> str:
    return f"{metric_name(one.metric)} ({one.layer or one.network})"


def _signed(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:+.2f}"


def _dots(one: Relation, merged: bool) -> list[Dot]:
    table = one.table
    if merged:
        means = table.groupby(["condition", "task"], sort=False)[["x", "y"]].mean().reset_index()
        table = means.assign(seed="all")
    names = ("condition", "task", "seed", "x", "y")
    return [
        (c, t, s if isinstance(s, str) else str(int(s)), x, y)
        for c, t, s, x, y in zip(*(table[name] for name in names), strict=True)
    ]


def interventions(experiment: Experiment, canvas: Canvas) -> Iterable[Group]:
    """A slope chart per diagnostic, from just before to just after."""
    found = drawn(canvas.numbers.changed[experiment.title])
    if not found:
        return
    names = {name for one in found for name in one.table["condition"]}
    conditions = [c for c in experiment.conditions if c.name in names]
    brush = Brush(canvas.looks, conditions)
    panels = [
        slope_panel(brush, _slopes(one)[:SLOPES], _medians(one, conditions), title=_where(one))
        for one in found
    ]
    caption = (
        "Thin: median over seeds at one intervention on one task; thick: median over all "
        "interventions and seeds of a condition. Measured just before and just after the first "
        "intervention of each interval of --diagnose-every, on the same states."
    )
    yield Group(experiment.title, panels, conditions, caption, columns=4)


def _slopes(one: Change) -> list[Slope]:
    keys = ["condition", "task", "env_step"]
    rows = one.table.groupby(keys, sort=False)[["before", "after"]].median().reset_index()
    return _tuples(rows)


def _medians(one: Change, conditions: list[Condition]) -> list[Slope]:
    medians = one.table.groupby("condition", sort=False)[["before", "after"]].median()
    return [
        (c.name, "", 0, float(medians["before"][c.name]), float(medians["after"][c.name]))
        for c in conditions
        if c.name in medians.index
    ]


def _tuples(rows: Frame) -> list[Slope]:
    names = ("condition", "task", "env_step", "before", "after")
    columns = zip(*(rows[name] for name in names), strict=True)
    return [(c, t, int(step), float(a), float(b)) for c, t, step, a, b in columns]
