"""How conditions look in every figure, and the parts all panels share.

A panel is a Vega-Lite specification written as the dict it is, without altair, whose validation
took a third of the time of a report.
"""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from primacy.runs.report_study import Condition, Study

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7F7F7F", "#56B4E9", "#E69F00")
"""Okabe and Ito's colours, those that stand out on white and on black first; grey for black."""

SOLID, DASHED, DOTTED = [1, 0], [5, 3], [2, 2]
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
POINTS = 400
"""Most points of a curve."""
MARKED = 40
"""Curves of at most this many points show them."""
SHORT = "format(datum.value, '~s')"
"""Each tick by its own SI prefix. An axis' format "~s" gives all of them the largest one's, and
10,000 beside 100M would be 0M."""

Panel = dict[str, Any]
"""A Vega-Lite specification. Its `usermeta` names the columns of its data for the table of the
page: column -> heading."""

Point = tuple[str, float, float, float, float]
"""Condition name, x, value, low, high; NaN where there is no interval."""

POINT = ("c", "x", "y", "low", "high")
"""Columns of `Point`."""


class Style(NamedTuple):
    """How a condition looks, in every figure."""

    label: str
    colour: str
    dash: list[int]
    shape: str


def styles(study: Study) -> dict[str, Style]:
    """Condition name -> style. A setting has one hue, solid with its remedy and dashed without.

    Where a setting was tried with several remedies, each gets a hue.
    """
    hues: dict[tuple, int] = {}
    found = {}
    for experiment in study.experiments:
        treated = Counter(c.without("remedies") for c in experiment.conditions if c.remedies)
        # Where nothing is treated, conditions may differ in their labels alone.
        paired = max(treated.values(), default=0) == 1
        for condition in experiment.conditions:
            identity = condition.without("remedies") if paired else condition.name
            hue = hues.setdefault((experiment.title, identity), len(hues))
            dash = DASHED if treated and not condition.remedies else SOLID
            found[condition.name] = Style(
                label=condition.label,
                colour=PALETTE[hue % len(PALETTE)],
                dash=dash if hue < len(PALETTE) else DOTTED,
                shape=SHAPES[len(found) % len(SHAPES)],
            )
    return found


def thin(points: int, most: int = POINTS) -> np.ndarray:
    """Indices of at most `most` of so many points, evenly, first and last included."""
    return np.unique(np.linspace(0, points - 1, min(points, most)).round().astype(int))


def inline(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, Any]:
    """Rows as inline CSV: half the size of JSON records. Four significant digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_short(value) for value in row] for row in rows)
    return {"values": text.getvalue(), "format": {"type": "csv"}}


def _short(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "" if not math.isfinite(value) else f"{value:.4g}"
    return str(value)


def number(field: str, **more: Any) -> dict[str, Any]:
    """The encoding of a column of numbers."""
    return {"field": field, "type": "quantitative", **more}


def word(field: str, **more: Any) -> dict[str, Any]:
    """The encoding of a column of names."""
    return {"field": field, "type": "nominal", **more}


def mark(kind: str, encoding: dict[str, Any], **style: Any) -> dict[str, Any]:
    """A layer."""
    return {"mark": {"type": kind, **style}, "encoding": encoding}


class Brush:
    """Encodings shared by all panels of some conditions: colour, dash, shape, readable names."""

    def __init__(self, looks: dict[str, Style], conditions: Sequence[Condition]) -> None:
        self.names = [condition.name for condition in conditions]
        used = [looks[name] for name in self.names]
        self._labels = json.dumps({name: looks[name].label for name in self.names})

        def encoding(values: list[Any]) -> dict[str, Any]:
            return word("c", scale={"domain": self.names, "range": values}, legend=None)

        self.colour = encoding([s.colour for s in used])
        self.dash = encoding([s.dash for s in used])
        self.fill = encoding(["transparent" if s.dash == DASHED else s.colour for s in used])
        self.shape = encoding([s.shape for s in used])

    def label(self, field: str = "c", name: str = "condition") -> dict[str, Any]:
        """A transform that adds the readable name of the condition in `field`."""
        return {"calculate": f"({self._labels})[datum.{field}]", "as": name}


def panel(
    brush: Brush, data: dict[str, Any], layers: Sequence[dict[str, Any]], **properties: Any
) -> Panel:
    """Layers over shared data, for a page or as part of a larger figure."""
    transform = [brush.label(), *properties.pop("transform", [])]
    return {"data": data, "transform": transform, "layer": list(layers), **properties}


def columns(**headings: str) -> dict[str, Any]:
    """The columns of a panel's data that its table shows, with their headings."""
    return {"columns": {"condition": "condition", **headings}}


def tooltip(**headings: str) -> list[dict[str, Any]]:
    """What hovering shows: the condition and `headings`, column -> title."""
    shown = [number(c, title=title, format=",.4~r") for c, title in headings.items()]
    return [word("condition", title="condition"), *shown]


def legend_panel(brush: Brush) -> Panel:
    """A line and a name per condition, for PNG and SVG; the page has its own in HTML."""
    places = [(name, at % 2, at // 2) for at, name in enumerate(brush.names)]
    points = [(name, column, row, column + 0.15, 0.0) for name, column, row in places]
    place = {
        "x": number("x", axis=None, scale={"domain": [0, 2], "nice": False}),
        "y": {"field": "y", "type": "ordinal", "axis": None},
    }
    colour = {"x2": {"field": "low"}, "color": brush.colour, "strokeDash": brush.dash}
    line = mark("rule", place | colour, strokeWidth=2)
    name = mark("text", place | {"text": word("condition")}, align="left", dx=40, fontSize=12)
    return panel(brush, inline(POINT, points), [line, name], height={"step": 17}, width=420)


def limits_of(maximum: float | None, top: float) -> tuple[float, float] | None:
    """From 0 to a tenth of the greatest return above `top`; None where returns have no bounds."""
    tenth = (maximum or 0) / 10
    return (0.0, min(10 * tenth, tenth * math.ceil(top / tenth + 0.01))) if maximum else None


def scale_of(
    values: Sequence[float],
    reference: float | None = None,
    limits: tuple[float, float] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scale and axis: linear; log where values diverge; symmetric log where some are below 0."""
    if limits:
        return {"domain": list(limits)}, {"tickCount": 5}
    sizes = np.abs([v for v in values if v and math.isfinite(v)] or [1.0])
    level = reference if reference is not None else 100 * float(np.median(sizes))
    if sizes.max() < 10 * level:
        zero = reference is not None or bool(min(values, default=0.0) < sizes.max() / 2)
        return {"zero": zero}, {"tickCount": 4, "format": ",~r"}
    low, high = min(values), math.ceil(math.log10(sizes.max()))
    decades = range(math.floor(math.log10(low)) if low > 0 else 0, high + 1)
    powers = [10.0**k for k in decades[:: 1 + len(decades) // 6]]
    if low > 0:
        return {"type": "log"}, {"values": powers, "labelExpr": SHORT}
    ticks = [*(-p for p in powers if low < 0), 0.0, *powers]
    return {"type": "symlog", "constant": 1, "nice": False}, {"values": ticks, "labelExpr": SHORT}
