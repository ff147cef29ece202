"""The figures of a report: which panels are drawn, and their PNG and SVG files."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from primacy.runs.report_diagnostics import MEAN_Q, layers, value_caps
from primacy.runs.report_labels import remedy_name, remedy_names
from primacy.runs.report_panels import (
    Brush,
    Point,
    Style,
    curve_panel,
    interval_panel,
    legend_panel,
    ratio_panel,
    styles,
    thin,
)
from primacy.runs.report_study import Condition, Experiment, Study
from primacy.runs.report_tables import Numbers, replay_ratio
from primacy.runs.report_words import basis
from primacy.runs.results import Course, CourseKey
from primacy.runs.statistics import Bootstrap

DIAGNOSTIC_POINTS = 100
"""Most points of a diagnostic's curve: there are many of them."""

METRICS = {
    "dead": "share of dead units",
    "dist_init": "distance from initialisation",
    "dormant_0.025": "dormant share at 0.025",
    "dormant_0.1": "dormant share at 0.1",
    "erank": "effective rank",
    "erank_centred": "effective rank, centred",
    "fau": "fraction of active units",
    "grad_norm": "gradient norm",
    "srank_0.99": "srank at 0.99",
    "stable_rank_fro": "stable rank",
}
"""Diagnostics by the names of papers; others are shown by their own."""

AGGREGATE_TITLES = {
    "iqm": "IQM of {}",
    "median": "median over tasks of {}",
    "mean": "mean of {}",
    "optimality_gap": "optimality gap of {} (low is good)",
}
"""With what a normalised score is."""

CONFIG: dict[str, Any] = {
    "font": "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "gridOpacity": 0.5,
        "domain": False,
        "ticks": False,
        "labelPadding": 5,
        "labelFlush": False,
    },
    "axisY": {"minExtent": 40},
    "axisX": {"grid": False, "domain": True, "ticks": True, "tickCount": 5},
    "title": {"fontSize": 13, "anchor": "start", "fontWeight": 600, "offset": 8},
}
"""Vega-Lite configuration of every figure."""


@dataclass(frozen=True)
class Group:
    """Panels that belong together: one task, or one experiment."""

    title: str
    panels: Sequence[dict[str, Any]]
    """Vega-Lite specifications."""
    conditions: Sequence[Condition]
    caption: str
    columns: int = 1
    """Panels side by side in PNG and SVG; the page chooses by its width."""


@dataclass(frozen=True)
class Figure:
    """One picture: a part of the page, and DIR/figures/NAME.png and .svg."""

    name: str
    groups: Sequence[Group]


def figures(study: Study, numbers: Numbers, bootstrap: Bootstrap) -> dict[str, list[Figure]]:
    """Section of the page -> its figures."""
    looks = styles(study)
    experiments = study.experiments
    overview = [
        _overview(e, task, numbers, looks, bootstrap) for e in experiments for task in e.tasks
    ]
    ratios = [g for e in experiments for g in _ratios(e, numbers, looks, bootstrap)]
    aggregates = [_aggregates(e, numbers, looks, bootstrap) for e in experiments]
    return {
        "overview": [Figure("overview", overview)],
        "replay_ratio": [Figure("replay-ratio", ratios)] if ratios else [],
        "aggregates": [Figure("aggregates", aggregates)],
        "diagnostics": [f for e in experiments for t in e.tasks for f in _diagnostics(e, t, looks)],
    }


def _x_title(experiment: Experiment, task: str) -> str:
    if all(c.imported for c in experiment.on(task)):
        return "steps, as the files count them"
    repeats = sorted({c.config("action_repeat", task) or 1 for c in experiment.on(task)})
    return f"env steps (after action repeat {' or '.join(map(str, repeats))})"


def _overview(
    experiment: Experiment, task: str, numbers: Numbers, looks: dict[str, Style], how: Bootstrap
) -> Group:
    conditions = experiment.on(task)
    brush = Brush(looks, conditions)
    names = {condition.label: condition.name for condition in conditions}
    rows = [r for r in numbers.curves if r["task"] == task and r["condition"] in names]
    points = [(names[r["condition"]], r["env_step"], r["mean"], r["low"], r["high"]) for r in rows]
    top = np.nanmax([p[2:5:2] for p in points])
    worth = _courses(conditions, task, MEAN_Q)
    steps = [point[1] for point in (*points, *worth)]
    span, x_title = (min(steps), max(steps)), _x_title(experiment, task)
    panels = [
        curve_panel(
            brush,
            _thinned(points),
            title="",
            x_title="" if worth else x_title,
            y_title=experiment.normaliser.returns,
            height=230,
            span=span,
            limits=_limits(experiment.normaliser.maximum, float(top)),
            marks=list(_marks(conditions, task)),
        )
    ]
    if worth:
        caps = value_caps(conditions, task)
        cap = f"cap {caps[-1]:,.0f} = largest reward / (1 - discount)" if caps else ""
        panels.append(
            curve_panel(
                brush,
                worth,
                title="",
                x_title=x_title,
                y_title="mean Q (discounted return)",
                height=150,
                span=span,
                reference=(caps[-1], cap) if caps else None,
            )
        )
    return Group(task, panels, conditions, basis(experiment, how, task))


def _limits(maximum: float | None, top: float) -> tuple[float, float] | None:
    """From 0 to a tenth of the greatest return above `top`; None where returns have no bounds."""
    tenth = (maximum or 0) / 10
    return (0.0, min(10 * tenth, tenth * np.ceil(top / tenth + 0.01))) if maximum else None


def _courses(conditions: Sequence[Condition], task: str, key: CourseKey) -> list[Point]:
    return [
        point
        for condition in conditions
        for found in [condition.courses[task].get(key)]
        if found is not None
        for point in _course(condition.name, found)
    ]


def _course(name: str, found: Course) -> Iterable[Point]:
    for at in thin(len(found.env_steps), DIAGNOSTIC_POINTS):
        median, low, high = (float(part[at]) for part in (found.median, found.low, found.high))
        yield name, int(found.env_steps[at]), median, low, high


def _thinned(points: list[Point]) -> list[Point]:
    """At most 400 points of each condition."""
    kept = []
    for name in dict.fromkeys(point[0] for point in points):
        own = [point for point in points if point[0] == name]
        kept += [own[at] for at in thin(len(own))]
    return kept


def _marks(conditions: Sequence[Condition], task: str) -> Iterable[tuple[str, float]]:
    """Where a remedy fired; other events (start, restart, frozen) get no mark."""
    for condition in conditions:
        remedies = {remedy_name(remedy) for remedy in condition.remedies}
        steps = {
            int(step)
            for run in condition.runs[task]
            for step, event in zip(run.events["env_step"], run.events["event"], strict=True)
            if remedy_name(event) in remedies
        }
        ordered = sorted(steps)
        yield from ((condition.name, ordered[at]) for at in thin(len(ordered)) if ordered)


def _ratios(
    experiment: Experiment, numbers: Numbers, looks: dict[str, Style], how: Bootstrap
) -> Iterable[Group]:
    """The replay-ratio curve, where more than one replay ratio was run."""
    conditions = [c for c in experiment.conditions if c.curves and c.config("replay_ratio")]
    every = sorted({replay_ratio(c) for c in conditions})
    if len(every) < 2:
        return
    found = _values(numbers, conditions, "iqm")
    lines = []
    for identity in dict.fromkeys(c.without("replay_ratio") for c in conditions):
        own = {replay_ratio(c): c for c in conditions if c.without("replay_ratio") == identity}
        name = remedy_names(next(iter(own.values())).remedies) or "no remedy"
        lines += [(name, r, found[own[r].name][2] if r in own else np.nan) for r in every]
    points = [(c.name, replay_ratio(c), *found[c.name][2:]) for c in conditions]
    panel = ratio_panel(
        Brush(looks, conditions),
        points,
        lines,
        y_title=_title("iqm", experiment),
    )
    yield Group(experiment.title, [panel], conditions, basis(experiment, how))


def _values(numbers: Numbers, conditions: Sequence[Condition], aggregate: str) -> dict[str, Point]:
    rows = {r["condition"]: r for r in numbers.aggregates if r["aggregate"] == aggregate}
    return {
        c.name: (c.name, 0.0, *(rows[c.label][name] for name in ("value", "low", "high")))
        for c in conditions
    }


def _aggregates(
    experiment: Experiment, numbers: Numbers, looks: dict[str, Style], how: Bootstrap
) -> Group:
    conditions = [c for c in experiment.conditions if c.curves]
    brush = Brush(looks, conditions)
    panels = [
        interval_panel(
            brush,
            list(_values(numbers, conditions, name).values()),
            x_title=_title(name, experiment),
        )
        for name in AGGREGATE_TITLES
    ]
    return Group(experiment.title, panels, conditions, basis(experiment, how), columns=2)


def _title(aggregate: str, experiment: Experiment) -> str:
    """Of an axis: without its remark where that would not fit."""
    title = AGGREGATE_TITLES[aggregate].format(experiment.normaliser.words)
    return title if len(title) <= 46 else title.removesuffix(" (low is good)")


def _diagnostics(experiment: Experiment, task: str, looks: dict[str, Style]) -> Iterable[Figure]:
    """One figure per network; its panels go metric by metric, layer by layer."""
    conditions = experiment.on(task)
    brush, marks = Brush(looks, conditions), list(_marks(conditions, task))
    for network, metrics in layers(conditions, task).items():
        panels = [
            curve_panel(
                brush,
                _courses(conditions, task, (network, layer, metric)),
                title=f"{_readable(metric)}{f' ({layer})' if layer else ''}",
                x_title="env steps",
                y_title="",
                height=110,
                width=230,
                marks=marks,
            )
            for metric, below in metrics.items()
            for layer in below
            if (network, layer, metric) != MEAN_Q
        ]
        if not panels:
            continue
        caption = "Lines: median over seeds; bands: least to greatest seed."
        group = Group(f"{task}: {network}", panels, conditions, caption, columns=4)
        yield Figure(slug(f"diagnostics-{task}-{network}"), [group])


def _readable(metric: str) -> str:
    return METRICS.get(metric, metric.replace("_", " "))


def slug(text: str) -> str:
    """`text` as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def specification(figure: Figure, looks: dict[str, Style]) -> dict[str, Any]:
    """The whole figure as one Vega-Lite specification, legends included."""
    own = {"scale": dict.fromkeys(("color", "strokeDash", "shape", "x", "y"), "independent")}
    groups = [
        {
            "title": {"text": group.title, "fontSize": 15},
            "vconcat": [
                legend_panel(Brush(looks, group.conditions)),
                {"concat": group.panels, "columns": group.columns, "resolve": own},
            ],
            "resolve": own,
        }
        for group in figure.groups
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "concat": groups,
        "columns": 3,
        "resolve": own,
        "config": CONFIG,
        "background": "white",
    }


def write(figure: Figure, looks: dict[str, Style], folder: Path) -> None:
    """FOLDER/NAME.svg and FOLDER/NAME.png, two pixels a point unless that is a poster."""
    import vl_convert

    drawing = vl_convert.vegalite_to_svg(specification(figure, looks))
    scale = 2 if sum(len(group.panels) for group in figure.groups) <= 12 else 1
    (folder / f"{figure.name}.svg").write_text(drawing, encoding="utf-8")
    (folder / f"{figure.name}.png").write_bytes(vl_convert.svg_to_png(drawing, scale=scale))
