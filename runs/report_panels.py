"""Panels of a report as Vega-Lite specifications, and how conditions look in all of them."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from primacy.runs.report_study import Condition, Study

if TYPE_CHECKING:
    import altair as alt

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7F7F7F", "#56B4E9", "#E69F00")
"""Okabe and Ito's colours, those that stand out on white and on black first; grey for black."""

SOLID, DASHED, DOTTED = [1, 0], [5, 3], [2, 2]
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
POINTS = 400
"""Most points of a curve."""
MARKED = 40
"""Curves of at most this many points show them."""

Point = tuple[str, float, float, float, float]
"""Condition name, x, value, low, high; NaN where there is no interval."""


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


def _data(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> "alt.InlineData":
    """Rows as inline CSV: half the size of JSON records. Four significant digits."""
    import altair as alt

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_short(value) for value in row] for row in rows)
    return alt.InlineData(values=text.getvalue(), format=alt.DataFormat(type="csv"))


def _short(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "" if not math.isfinite(value) else f"{value:.4g}"
    return str(value)


class Brush:
    """Encodings shared by all panels of some conditions: colour, dash, shape, readable names."""

    def __init__(self, looks: dict[str, Style], conditions: Sequence[Condition]) -> None:
        import altair as alt

        names = [condition.name for condition in conditions]
        self.names = names
        used = [looks[name] for name in names]
        readable = json.dumps({name: looks[name].label for name in names})
        self.label = f"({readable})[datum.c]"
        colours = alt.Scale(domain=names, range=[s.colour for s in used])
        dashes = alt.Scale(domain=names, range=[s.dash for s in used])
        shapes = alt.Scale(domain=names, range=[s.shape for s in used])
        self.colour = alt.Color("c:N", scale=colours, legend=None)
        self.dash = alt.StrokeDash("c:N", scale=dashes, legend=None)
        self.shape = alt.Shape("c:N", scale=shapes, legend=None)


def _panel(
    brush: Brush, points: Sequence[Point], layers: "list[alt.Chart]", **properties: Any
) -> dict[str, Any]:
    """Layers over shared points as a Vega-Lite specification for a page or a larger figure."""
    import altair as alt

    data = _data(("c", "x", "y", "low", "high"), points)
    chart = alt.layer(*layers, data=data).transform_calculate(condition=brush.label)
    # Every part was validated when it was made; validating the whole again takes most of the time.
    whole = chart.to_dict(validate=False)
    known = whole.pop("datasets")
    for part in [whole, *whole["layer"]]:
        # Altair names its data sets at the top, where a larger figure would not find them.
        if name := part.get("data", {}).pop("name", None):
            part["data"]["values"] = known[name]
    return {k: v for k, v in whole.items() if k not in ("$schema", "config")} | properties


def legend_panel(brush: Brush) -> dict[str, Any]:
    """A line and a name per condition, for PNG and SVG; the page has its own in HTML."""
    import altair as alt

    places = [(name, at % 2, at // 2) for at, name in enumerate(brush.names)]
    points = [(name, column, row, column + 0.15, 0.0) for name, column, row in places]
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, 2], nice=False))
    base = alt.Chart().encode(x=x, y=alt.Y("y:O", axis=None))
    line = base.mark_rule(strokeWidth=2).encode(
        x2="low:Q", color=brush.colour, strokeDash=brush.dash
    )
    text = base.mark_text(align="left", dx=40, fontSize=12).encode(text="condition:N")
    return _panel(brush, points, [line, text], height={"step": 17}, width=420)


def curve_panel(
    brush: Brush,
    points: Sequence[Point],
    *,
    title: str,
    x_title: str,
    y_title: str,
    height: int,
    width: int = 420,
    span: tuple[float, float] | None = None,
    limits: tuple[float, float] | None = None,
    reference: tuple[float, str] | None = None,
    marks: Sequence[tuple[str, float]] = (),
) -> dict[str, Any]:
    """Lines with bands over env steps.

    `span` are the ends of the x axis (None: fitted), `limits` those of the y axis (None: fitted, on
    a log scale where values diverge), `reference` is a dashed level and its name, `marks` are
    (condition name, env step) of interventions, drawn as triangles at the bottom.
    """
    import altair as alt

    y_scale, y_axis = _y_axis([v for p in points for v in p[2:]], reference, limits)
    xs = span or (min((p[1] for p in points), default=0), max((p[1] for p in points), default=1))
    x = alt.X(
        "x:Q",
        title=x_title,
        scale=alt.Scale(domain=xs, zero=False, nice=False),
        axis=alt.Axis(format="~s"),
    )
    y = alt.Y("y:Q", title=y_title, scale=y_scale, axis=y_axis)
    base = alt.Chart()
    band = base.mark_area(opacity=0.15, clip=True).encode(
        x=x, y=alt.Y("low:Q"), y2="high:Q", color=brush.colour
    )
    line = base.mark_line(strokeWidth=2, clip=True).encode(
        x=x, y=y, color=brush.colour, strokeDash=brush.dash
    )
    visible = len({p[1] for p in points}) <= MARKED
    dots = base.mark_point(size=28, filled=True, opacity=0.9 if visible else 0).encode(
        x=x,
        y=y,
        color=brush.colour,
        shape=brush.shape,
        tooltip=_tooltip("env step", y_title.split(" (")[0]),
    )
    layers = [band, line, dots, *_reference(reference), *_marks(brush, marks, height)]
    said = f"{y_title or title} over env steps"
    return _panel(brush, points, layers, title=title, description=said, height=height, width=width)


def _tooltip(x_title: str, y_title: str) -> "list[alt.Tooltip]":
    import altair as alt

    return [
        alt.Tooltip("condition:N"),
        alt.Tooltip("x:Q", title=x_title, format=",~r"),
        alt.Tooltip("y:Q", title=y_title, format=",.4~r"),
        alt.Tooltip("low:Q", format=",.4~r"),
        alt.Tooltip("high:Q", format=",.4~r"),
    ]


def interval_panel(
    brush: Brush, points: Sequence[Point], *, x_title: str, width: int = 280
) -> dict[str, Any]:
    """One bar per condition from low to high, with a tick at the value and the name above."""
    import altair as alt

    base = alt.Chart()
    row = alt.Y("c:N", axis=None, scale=alt.Scale(domain=brush.names))
    x = alt.X("y:Q", title=x_title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5))
    hover = _tooltip("", "value")[:1] + _tooltip("", "value")[2:]
    bar = base.mark_rule(strokeWidth=7, opacity=0.35).encode(
        x=alt.X("low:Q"), x2="high:Q", y=row, color=brush.colour, tooltip=hover
    )
    tick = base.mark_point(shape="stroke", angle=90, size=220, strokeWidth=3, opacity=1).encode(
        x=x, y=row, color=brush.colour, tooltip=hover
    )
    name = base.mark_text(align="left", dy=-14, fontSize=11).encode(
        x=alt.value(2), y=row, text="condition:N"
    )
    return _panel(
        brush, points, [bar, tick, name], description=x_title, height={"step": 38}, width=width
    )


def ratio_panel(
    brush: Brush,
    points: Sequence[Point],
    lines: Sequence[tuple[str, float, float]],
    *,
    y_title: str,
) -> dict[str, Any]:
    """An aggregate over replay ratios (log2): one point per condition, one grey line per remedy.

    `lines` are (remedy, replay ratio, value); NaN where that ratio was not run breaks the line.
    """
    import altair as alt

    ratios = sorted({point[1] for point in points})
    x = alt.X(
        "x:Q",
        title="replay ratio (gradient steps per env step, log2)",
        scale=alt.Scale(type="log", base=2, domain=[ratios[0] / 1.25, ratios[-1] * 1.25]),
        axis=alt.Axis(values=ratios, format="~g"),
    )
    y = alt.Y("y:Q", title=y_title, scale=alt.Scale(zero=True))
    names = list(dict.fromkeys(line[0] for line in lines))
    patterns = [DASHED if name == "no remedy" else SOLID for name in names]
    join = alt.Chart(_data(("remedy", "x", "y"), lines)).encode(x=x, y=y)
    stroke = join.mark_line(color="#7F7F7F", strokeWidth=1.5).encode(
        detail="remedy:N",
        strokeDash=alt.StrokeDash(
            "remedy:N", scale=alt.Scale(domain=names, range=patterns), legend=None
        ),
    )
    name = join.mark_text(align="right", dx=-8, dy=-10, fontSize=11).encode(
        x=alt.X("x:Q", aggregate="max"), y=alt.Y("y:Q", aggregate={"argmax": "x"}), text="remedy:N"
    )
    base = alt.Chart()
    bar = base.mark_rule(strokeWidth=3, opacity=0.45).encode(
        x=x, y=alt.Y("low:Q"), y2="high:Q", color=brush.colour
    )
    dot = base.mark_point(size=70, filled=True, opacity=1).encode(
        x=x,
        y=y,
        color=brush.colour,
        shape=brush.shape,
        tooltip=_tooltip("replay ratio", "value"),
    )
    return _panel(
        brush,
        points,
        [stroke, name, bar, dot],
        description=f"{y_title} over replay ratios",
        height=240,
        width=420,
    )


def _y_axis(
    values: Sequence[float],
    reference: tuple[float, str] | None,
    limits: tuple[float, float] | None,
) -> "tuple[alt.Scale, alt.Axis]":
    """Linear; log where values diverge; symmetric log where they also fall below 0."""
    import altair as alt

    if limits:
        return alt.Scale(domain=limits), alt.Axis(tickCount=5)
    sizes = np.abs([v for v in values if v and math.isfinite(v)] or [1.0])
    level = reference[0] if reference else 100 * float(np.median(sizes))
    if sizes.max() < 10 * level:
        zero = reference is not None or bool(min(values, default=0.0) < sizes.max() / 2)
        return alt.Scale(zero=zero), alt.Axis(tickCount=4, format=",~r")
    low, high = min(values), math.ceil(math.log10(sizes.max()))
    decades = range(math.floor(math.log10(low)) if low > 0 else 0, high + 1)
    powers = [10.0**k for k in decades[:: 1 + len(decades) // 6]]
    if low > 0:
        return alt.Scale(type="log"), alt.Axis(values=powers, format="~s")
    ticks = [*(-p for p in powers if low < 0), 0.0, *powers]
    return (
        alt.Scale(type="symlog", constant=1, nice=False),
        alt.Axis(values=ticks, format="~s"),
    )


def _reference(reference: tuple[float, str] | None) -> "list[alt.Chart]":
    import altair as alt

    if reference is None:
        return []
    base = alt.Chart(_data(("y", "name"), [reference])).encode(y=alt.Y("y:Q"))
    text = base.mark_text(align="left", baseline="bottom", dx=4, dy=-2, fontSize=11)
    return [
        base.mark_rule(strokeDash=[8, 4], color="#7F7F7F", strokeWidth=1.5),
        text.encode(x=alt.value(0), text="name:N"),
    ]


def _marks(brush: Brush, marks: Sequence[tuple[str, float]], height: int) -> "list[alt.Chart]":
    """A row of ticks per condition, so that equal steps do not hide each other."""
    import altair as alt

    rows = [name for name in brush.names if any(mark[0] == name for mark in marks)]
    return [
        alt.Chart(_data(("c", "x"), [mark for mark in marks if mark[0] == name]))
        .transform_calculate(condition=brush.label)
        .mark_point(shape="triangle-up", filled=True, size=40, opacity=1)
        .encode(
            x=alt.X("x:Q"),
            y=alt.value(height - 5 - 9 * row),
            color=brush.colour,
            tooltip=[
                alt.Tooltip("condition:N"),
                alt.Tooltip("x:Q", title="intervention at env step", format=",~r"),
            ],
        )
        for row, name in enumerate(rows)
    ]
