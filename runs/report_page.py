"""The report as one HTML file that needs nothing but itself, and as Markdown."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import count
from typing import Any

from primacy import __version__
from primacy.runs.report_figures import CONFIG, Figure, Group
from primacy.runs.report_panels import Style, styles
from primacy.runs.report_settings import commands, settings
from primacy.runs.report_study import Study
from primacy.runs.report_tables import (
    Interval,
    Numbers,
    Row,
    exact,
    markdown,
    plain_text,
    shown,
    wide_tables,
)
from primacy.runs.report_words import caveats, findings, method, value_findings
from primacy.runs.results import RUN_FOLDER
from primacy.runs.statistics import Bootstrap

DECIMALS = {"Aggregates": 3, "Differences": 3}
"""Of each table's numbers; those of returns depend on their size."""


@dataclass(frozen=True, eq=False)
class Report:
    """Everything a report shows, ready to be written."""

    title: str
    study: Study
    numbers: Numbers
    figures: dict[str, list[Figure]]
    bootstrap: Bootstrap

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
    def returns(self) -> str:
        """Between which bounds returns lie, where there are bounds."""
        bounds = {e.normaliser.maximum for e in self.study.experiments}
        maximum = bounds.pop()
        return f", 0 to {maximum:g}" if maximum and not bounds else ""

    def decimals(self, table: str) -> int:
        """Of a table's numbers."""
        by = [experiment.normaliser.decimals for experiment in self.study.experiments]
        return DECIMALS.get(table, 1 + max(by))


def _several(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def html(report: Report) -> str:
    """The page. Names from data are escaped; a policy in its head forbids any request."""
    import vl_convert
    from jinja2 import Environment, StrictUndefined

    templates = files("primacy.runs") / "templates"
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    charts: dict[str, dict[str, Any]] = {}
    first, more = findings(report.numbers)
    numbering = count()
    sections = {
        section: [_figure(figure, report, charts, numbering) for figure in drawn]
        for section, drawn in report.figures.items()
    }
    return environment.from_string((templates / "report.html").read_text("utf-8")).render(
        report=report,
        first=first,
        more=more,
        values=value_findings(report.study),
        caveats=caveats(report.study, report.bootstrap),
        method=method(report.bootstrap),
        sections=sections,
        tables={
            t: _table(rows, report.decimals(t)) for t, rows in wide_tables(report.numbers).items()
        },
        settings=[(e, s) for e in report.study.experiments for s in [settings(e)] if any(s)],
        commands=commands(report.study),
        style=(templates / "report.css").read_text("utf-8"),
        script=(templates / "report.js").read_text("utf-8"),
        library=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"),
        version=__version__,
        data=_inert({"charts": charts, "config": CONFIG}),
    )


def _inert(document: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(document, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _figure(
    figure: Figure, report: Report, charts: dict[str, dict[str, Any]], numbering: Iterator[int]
) -> dict[str, Any]:
    looks = styles(report.study)
    return {
        "name": figure.name,
        "groups": [_group(g, looks, charts, numbering) for g in figure.groups],
    }


def _group(
    group: Group,
    looks: dict[str, Style],
    charts: dict[str, dict[str, Any]],
    numbering: Iterator[int],
) -> dict[str, Any]:
    panels = []
    for panel in group.panels:
        panels.append(f"chart-{next(numbering)}")
        charts[panels[-1]] = interactive(panel)
    legend = [
        (c.name, looks[c.name], ", ".join(c.remedies) or ("" if c.imported else "no remedy"))
        for c in group.conditions
    ]
    return {"title": group.title, "caption": group.caption, "panels": panels, "legend": legend}


def interactive(specification: dict[str, Any]) -> dict[str, Any]:
    """A panel for the page: as wide as its place, its conditions hidden on demand."""
    hidden = {"filter": "indexof(hidden, datum.c) < 0"}
    layers = [
        {**layer, "transform": [*layer.get("transform", []), hidden]}
        if "color" in layer.get("encoding", {})
        else layer
        for layer in specification["layer"]
    ]
    return {
        **specification,
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
        value, low, high = (_parts(end, digits)[0] for end in value)
        return (
            [value] if not low[0] else [value, (" [", None), low, (", ", None), high, ("]", None)]
        )
    return [(shown(value, digits), exact(value) if isinstance(value, float) else None)]


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
    parts += [f"Intervals: {method(report.bootstrap)}.", "## Read with care"]
    return "\n\n".join([*parts, _bullets(caveats(report.study, report.bootstrap))]) + "\n"


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {plain_text(item)}" for item in items)
