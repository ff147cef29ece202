"""The figures of a report, and those of values over time: returns, mean Q, diagnostics."""

from collections.abc import Iterable, Sequence

import numpy as np

from primacy.runs.report_curves import Axes, curve_panel
from primacy.runs.report_diagnostics import MEAN_Q, layers, value_caps
from primacy.runs.report_drawing import Canvas, Figure, Group, slug
from primacy.runs.report_exposure import exposure
from primacy.runs.report_figures_networks import interventions, relations
from primacy.runs.report_figures_scores import (
    aggregates,
    differences,
    efficiency,
    improvement,
    profiles,
    ratios,
)
from primacy.runs.report_labels import metric_name, remedy_name
from primacy.runs.report_panels import Brush, Point, limits_of, styles, thin
from primacy.runs.report_progress import UNITS, along
from primacy.runs.report_request import Progress
from primacy.runs.report_study import Condition, Experiment, Study
from primacy.runs.report_tables import Numbers
from primacy.runs.report_words import band_basis
from primacy.runs.results import Course, CourseKey
from primacy.runs.statistics import Bootstrap

DIAGNOSTIC_POINTS = 100
"""Most points of a diagnostic's curve: there are many of them."""

ONCE = {
    "aggregates": aggregates,
    "differences": differences,
    "profiles": profiles,
    "improvement": improvement,
    "sample-efficiency": efficiency,
    "replay-ratio": ratios,
    "relations": relations,
    "interventions": interventions,
}
"""Figures with at most one group per experiment: name -> what draws it."""


def figures(study: Study, numbers: Numbers, bootstrap: Bootstrap) -> dict[str, list[Figure]]:
    """Section of the page -> its figures; empty where there is nothing to draw."""
    canvas = Canvas(numbers, styles(study), bootstrap)
    cells = [(e, task) for e in study.experiments for task in e.tasks]
    found = {"overview": [Figure("overview", [_overview(e, task, canvas) for e, task in cells])]}
    for name, draw in ONCE.items():
        groups = [group for e in study.experiments for group in draw(e, canvas)]
        found[name] = [Figure(name, groups)] if groups else []
    found["diagnostics"] = [f for e, task in cells for f in _diagnostics(e, task, canvas)]
    found["diagnostics"] += [f for e, task in cells for f in exposure(e, task, canvas)]
    return found


def _x_title(experiment: Experiment, task: str, x: Progress) -> str:
    if x != "env_steps":
        return UNITS[x].title
    if all(c.imported for c in experiment.on(task)):
        return "steps, as the files count them"
    repeats = sorted({c.config("action_repeat", task) or 1 for c in experiment.on(task)})
    return f"env steps (after action repeat {' or '.join(map(str, repeats))})"


def _overview(experiment: Experiment, task: str, canvas: Canvas) -> Group:
    conditions = experiment.on(task)
    brush = Brush(canvas.looks, conditions)
    names = {condition.label: condition.name for condition in conditions}
    rows = [r for r in canvas.numbers.curves if r["task"] == task and r["condition"] in names]
    points = [(names[r["condition"]], r["env_step"], r["mean"], r["low"], r["high"]) for r in rows]
    x = canvas.numbers.request.x
    move = _Move(conditions, task, x)
    points, worth = move.points(points), move.points(_courses(conditions, task, MEAN_Q))
    marks = move.marks(_marks(conditions, task))
    steps = [point[1] for point in (*points, *worth)]
    begin = min(steps + [step for _, step in marks])
    span, x_title = (begin, max(steps)), _x_title(experiment, task, x)
    top = float(np.nanmax([p[2:5:2] for p in points]))
    returns = Axes(
        UNITS[x].one,
        "mean return",
        "" if worth else x_title,
        experiment.normaliser.returns,
        span,
        limits_of(experiment.normaliser.maximum, top),
    )
    panels = [curve_panel(brush, _thinned(points), returns, height=230, marks=marks)]
    if worth:
        caps = value_caps(conditions, task)
        cap = f"cap {caps[-1]:,.0f} = largest reward / (1 - discount)" if caps else ""
        axes = Axes(UNITS[x].one, "median mean Q", x_title, "mean Q (discounted return)", span)
        reference = (caps[-1], cap) if caps else None
        panels.append(curve_panel(brush, worth, axes, height=150, reference=reference))
    return Group(task, panels, conditions, band_basis(experiment, canvas.how, task))


class _Move:
    """From env steps to what curves run over, for each condition of a task."""

    def __init__(self, conditions: Sequence[Condition], task: str, x: Progress) -> None:
        self._along = {c.name: along(c, task, x) for c in conditions}

    def _at(self, name: str, step: float) -> float:
        return self._along[name](np.asarray(step)).item()

    def points(self, points: Iterable[Point]) -> list[Point]:
        """The points with their second entry moved."""
        return [(c, self._at(c, step), y, low, high) for c, step, y, low, high in points]

    def marks(self, marks: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
        """The marks, moved."""
        return [(name, self._at(name, step)) for name, step in marks]


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
        at_switch = condition.config("at_switch", task) or ()
        remedies = {remedy_name(remedy) for remedy in (*condition.remedies, *at_switch)}
        steps = {
            int(step)
            for run in condition.runs[task]
            for step, event in zip(run.events["env_step"], run.events["event"], strict=True)
            if remedy_name(event) in remedies
        }
        ordered = sorted(steps)
        yield from ((condition.name, ordered[at]) for at in thin(len(ordered)) if ordered)


def _diagnostics(experiment: Experiment, task: str, canvas: Canvas) -> Iterable[Figure]:
    """One figure per network; its panels go metric by metric, layer by layer."""
    conditions = experiment.on(task)
    brush, marks = Brush(canvas.looks, conditions), list(_marks(conditions, task))
    for network, metrics in layers(conditions, task).items():
        panels = [
            curve_panel(
                brush,
                _courses(conditions, task, (network, layer, metric)),
                Axes("env step", "median", "env steps"),
                title=f"{metric_name(metric)}{f' ({layer})' if layer else ''}",
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
