"""The figure of exposure: how often transitions were drawn, by when they arrived.

Counting takes as long as drawing did, so that a report does not do it: it shows the exposure.csv
that `primacy exposure` left in a run folder.
"""

from collections.abc import Iterable

from primacy.runs.exposure import Row
from primacy.runs.exposure_command import FILE
from primacy.runs.report_curves import Axes, curve_panel
from primacy.runs.report_drawing import Canvas, Figure, Group, slug
from primacy.runs.report_panels import Brush, Point
from primacy.runs.report_study import Condition, Experiment
from primacy.runs.results import RUN_FOLDER, read_table


def exposure(experiment: Experiment, task: str, canvas: Canvas) -> Iterable[Figure]:
    """One figure per task, of the conditions whose runs have an exposure.csv."""
    points = {c.name: list(_points(c, task)) for c in experiment.on(task)}
    conditions = [c for c in experiment.on(task) if points[c.name]]
    if not conditions:
        return
    brush = Brush(canvas.looks, conditions)
    both = [pair for c in conditions for pair in points[c.name]]
    x_title = "env step of arrival (0 and below: given before the run)"
    y_title = "draws of a transition"
    panels = [
        curve_panel(
            brush,
            [pair[which] for pair in both],
            Axes("env step of arrival", y_title, x_title, y_title),
            title=title,
            height=150,
        )
        for which, title in enumerate(("Counted", "Expected"))
    ]
    caption = (
        "How often a gradient step drew a transition, by when it arrived. Counted: mean over the "
        "transitions of a group and over seeds, bands from the least to the greatest of all of "
        "them. Expected: from the settings alone. `primacy exposure` made the numbers."
    )
    group = Group(f"{task}: exposure", panels, conditions, caption, columns=2)
    yield Figure(slug(f"exposure-{task}"), [group])


def _points(condition: Condition, task: str) -> Iterable[tuple[Point, Point]]:
    """Counted and expected draws of each group of transitions."""
    import pandas as pd

    paths = [run.folder / FILE for run in condition.runs[task] if run.form == RUN_FOLDER]
    tables = [read_table(path, Row._fields) for path in paths if path.exists()]
    if not tables:
        return
    table = pd.concat(tables)
    table = table[table["seed"].isin(condition.curves[task].seeds)]
    for _, rows in table.groupby(["first_env_step", "last_env_step"]):
        middle = float(rows["first_env_step"].mean() + rows["last_env_step"].mean()) / 2
        mean = float(rows["expected"].mean())
        low, high = float(rows["counted_min"].min()), float(rows["counted_max"].max())
        counted = (condition.name, middle, float(rows["counted_mean"].mean()), low, high)
        yield counted, (condition.name, middle, mean, mean, mean)
