"""Figures as data, and as PNG and SVG files."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from primacy.runs.report_panels import Brush, Panel, Style, legend_panel
from primacy.runs.report_study import Condition
from primacy.runs.report_tables import Numbers
from primacy.runs.report_worker import Drawing
from primacy.runs.statistics import Bootstrap

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
    panels: Sequence[Panel]
    conditions: Sequence[Condition]
    caption: str
    columns: int = 1
    """Panels side by side in PNG and SVG; the page chooses by its width."""


@dataclass(frozen=True)
class Figure:
    """One picture: a part of the page, and DIR/figures/NAME.png and .svg."""

    name: str
    groups: Sequence[Group]


@dataclass(frozen=True, eq=False)
class Canvas:
    """What every figure is made from."""

    numbers: Numbers
    looks: dict[str, Style]
    how: Bootstrap


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
                {
                    "concat": [still(panel) for panel in group.panels],
                    "columns": group.columns,
                    "resolve": own,
                },
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


def still(panel: Panel) -> Panel:
    """A panel without what only hovering needs: invisible marks are most of a drawing's size."""
    seen = [
        {**layer, "encoding": {k: v for k, v in layer["encoding"].items() if k != "tooltip"}}
        for layer in panel["layer"]
        if layer["mark"].get("opacity", 1) != 0
    ]
    kept = {name: value for name, value in panel.items() if name != "usermeta"}
    return kept | {"layer": seen}


def drawing(figure: Figure, looks: dict[str, Style]) -> Drawing:
    """The figure for a worker; two pixels a point unless it is a poster."""
    scale = 2.0 if sum(len(group.panels) for group in figure.groups) <= 12 else 1.0
    return figure.name, json.dumps(specification(figure, looks)), scale
