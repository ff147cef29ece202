"""The report as one HTML file that needs nothing but itself, and as Markdown."""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import count
from typing import Any

from primacy import __version__
from primacy.runs.report_drawing import CONFIG, Figure, Group
from primacy.runs.report_formats import (
    DECIMALS,
    Interval,
    exact,
    markdown,
    plain_text,
    shown,
    side_tables,
    wide_tables,
)
from primacy.runs.report_panels import Panel, Style, styles
from primacy.runs.report_progress import UNITS
from primacy.runs.report_settings import commands, settings
from primacy.runs.report_study import Study
from primacy.runs.report_tables import COLUMNS, Numbers, Row
from primacy.runs.report_words import (
    P_VALUES,
    basis,
    caveats,
    findings,
    method,
    size,
    value_findings,
)
from primacy.runs.results import RUN_FOLDER
from primacy.runs.scoring import POOLED
from primacy.runs.statistics import Bootstrap

ASKED = ("Thresholds", "P-values", "Offline-to-online", "Published", "Published by game")
"""Tables that are there only where they were asked for, or have something to say."""

FEW_TASKS = 5
"""Below this many tasks aggregates are unstable, and the page shows the tasks first."""


@dataclass(frozen=True, eq=False)
class Report:
    """Everything a report shows, ready to be written."""

    title: str
    study: Study
    numbers: Numbers
    figures: dict[str, list[Figure]]
    bootstrap: Bootstrap
    reload: int = 0
    """Seconds after which the page loads itself anew, while it is watched; 0: never."""

    @property
    def notes(self) -> list[str]:
        """What was left out or is unfinished, and why intervals are missing."""
        return [*self.study.notes, *self.numbers.notes]

    @property
    def summary(self) -> str:
        """How much was read, in one line."""
        tasks = [task for experiment in self.study.experiments for task in experiment.tasks]
        seeds = sum(len(x.seeds) for c in self.study.conditions for x in c.curves.values())
        return (
            f"{', '.join(tasks) if len(tasks) <= 4 else f'{len(tasks)} tasks'}: "
            f"{_several(len(self.study.conditions), 'condition')}, "
            f"{_several(seeds, 'trained agent')} in "
            f"{_several(len({run.folder for run in self.study.runs}), self._source)}."
        )

    @property
    def _source(self) -> str:
        forms = {run.form for run in self.study.runs}
        return "run folder" if forms == {RUN_FOLDER} else "file"

    @property
    def imported(self) -> bool:
        """Whether nothing is known but returns."""
        return all(condition.imported for condition in self.study.conditions)

    @property
    def words(self) -> str:
        """What a normalised score is, of each experiment."""
        return " and ".join(dict.fromkeys(e.normaliser.words for e in self.study.experiments))

    @property
    def method(self) -> str:
        """How intervals were made, and of what if not of tasks that count equally."""
        pooled = any(experiment.scoring.pool for experiment in self.study.experiments)
        said = method(self.bootstrap)
        return f"{said}. {POOLED}" if pooled else said

    @property
    def unit(self) -> str:
        """What curves run over, one of it."""
        return UNITS[self.numbers.request.x].one

    @property
    def p_values(self) -> str:
        """What the permutation p-values are."""
        return P_VALUES.format(
            number=self.bootstrap.resamples,
            seed=self.bootstrap.seed,
            tests=sum(not math.isnan(row["p_value"]) for row in self.numbers.differences),
        )

    @property
    def returns(self) -> str:
        """Between which bounds returns lie, where there are bounds."""
        bounds = {e.normaliser.maximum for e in self.study.experiments}
        maximum = bounds.pop()
        return f", 0 to {maximum:g}" if maximum and not bounds else ""

    def decimals(self, table: str) -> int:
        """Of a table's numbers: those of returns depend on their size."""
        by = [experiment.normaliser.decimals for experiment in self.study.experiments]
        return 1 + max(by) if table == "Tasks" else DECIMALS.get(table, 3)


def _several(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def html(report: Report) -> str:
    """The page. Names from data are escaped; a policy in its head forbids any request."""
    import vl_convert
    from jinja2 import Environment, StrictUndefined

    templates = files("primacy.runs") / "templates"
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    charts: dict[str, Panel] = {}
    first, more = findings(report.numbers)
    numbering = count()
    sections = {
        section: [_figure(figure, report, charts, numbering) for figure in drawn]
        for section, drawn in report.figures.items()
    }
    labels = {condition.name: condition.label for condition in report.study.conditions}
    tables = wide_tables(report.numbers) | side_tables(report.numbers)
    return environment.from_string((templates / "report.html").read_text("utf-8")).render(
        report=report,
        first=first,
        more=more,
        values=value_findings(report.study),
        caveats=caveats(report.study, report.bootstrap),
        basis=[basis(e, report.bootstrap) for e in report.study.experiments],
        sizes=[f"{size(e)}." for e in report.study.experiments],
        tasks_first=all(len(e.tasks) < FEW_TASKS for e in report.study.experiments),
        sections=sections,
        tables={title: _table(rows, report.decimals(title)) for title, rows in tables.items()},
        settings=[(e, s) for e in report.study.experiments for s in [settings(e)] if any(s)],
        commands=commands(report.study),
        style=(templates / "report.css").read_text("utf-8"),
        script=(templates / "report.js").read_text("utf-8"),
        library=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"),
        version=__version__,
        data=_inert({"charts": charts, "config": CONFIG, "labels": labels}),
        files=list(COLUMNS),
    )


def _inert(document: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(document, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _figure(
    figure: Figure, report: Report, charts: dict[str, Panel], numbering: Iterator[int]
) -> dict[str, Any]:
    looks = styles(report.study)
    groups = [_group(g, looks, charts, numbering) for g in figure.groups]
    legends = [group["legend"] for group in groups]
    shared = legends[0] if len(groups) > 2 and legends.count(legends[0]) == len(groups) else []
    return {"name": figure.name, "groups": groups, "legend": shared}


def _group(
    group: Group, looks: dict[str, Style], charts: dict[str, Panel], numbering: Iterator[int]
) -> dict[str, Any]:
    panels = []
    for panel in group.panels:
        name = f"chart-{next(numbering)}"
        charts[name] = interactive(panel)
        panels.append((name, _height(panel)))
    legend = [
        (c.name, looks[c.name], ", ".join(c.remedies) or ("" if c.imported else "no remedy"))
        for c in group.conditions
    ]
    return {"title": group.title, "caption": group.caption, "panels": panels, "legend": legend}


def _height(panel: Panel) -> int:
    """Pixels to keep free until the panel is drawn, so that the page does not jump."""
    height = panel["height"]
    if isinstance(height, dict):
        height = height["step"] * (panel["data"]["values"].count("\n") - 1)
    return height + (60 if panel.get("title") else 40)


def interactive(panel: Panel) -> Panel:
    """A panel for the page: as wide as its place, its conditions hidden on demand."""
    hidden = {"filter": "indexof(hidden, datum.c) < 0 && indexof(hidden, datum.d) < 0"}
    layers = [
        {**layer, "transform": [*layer.get("transform", []), hidden]}
        if "data" in layer and "color" in layer["encoding"]
        else layer
        for layer in panel["layer"]
    ]
    return {
        **panel,
        "transform": [*panel["transform"], hidden],
        "layer": layers,
        "width": "container",
        "autosize": {"type": "fit-x", "contains": "padding"},
        "background": "transparent",
        "params": [{"name": "hidden", "value": []}],
    }


def _table(rows: list[Row], digits: int) -> dict[str, Any]:
    """Headings, and each cell as parts (text, exact number or None)."""
    return {
        "columns": list(rows[0]) if rows else [],
        "rows": [[_parts(value, digits) for value in row.values()] for row in rows],
    }


def _parts(value: Any, digits: int) -> list[tuple[str, str | None]]:
    if isinstance(value, Interval):
        value, low, high = (_end(end, digits) for end in value)
        return (
            [value] if not low[0] else [value, (" [", None), low, (", ", None), high, ("]", None)]
        )
    return [(shown(value, digits), exact(value) if isinstance(value, float) else None)]


def _end(value: float, digits: int) -> tuple[str, str]:
    return shown(value, digits), "Infinity" if value == math.inf else exact(value)


def report_markdown(report: Report) -> str:
    """The report's sentences and tables as Markdown."""
    first, more = findings(report.numbers)
    said = [*first, *more, *value_findings(report.study)]
    drawn = [figure for section in report.figures.values() for figure in section]
    parts = [f"# {plain_text(report.title)}", plain_text(report.summary), _bullets(said)]
    if report.notes:
        parts += ["## Note", _bullets(report.notes)]
    parts += [f"![{figure.name}](figures/{figure.name}.png)" for figure in drawn[:1]]
    for title, rows in wide_tables(report.numbers).items():
        parts += [f"## {title}", markdown(rows, report.decimals(title))]
    for title, rows in side_tables(report.numbers).items():
        if title in ASKED and rows:
            parts += [f"## {title}", markdown(rows, report.decimals(title))]
            parts += [report.p_values] if title == "P-values" else []
    parts += [f"Intervals: {report.method}.", "## Read with care"]
    return "\n\n".join([*parts, _bullets(caveats(report.study, report.bootstrap))]) + "\n"


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {plain_text(item)}" for item in items)
