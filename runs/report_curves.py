"""Panels with lines: values over env steps, profiles over thresholds, scores over replay ratios."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from primacy.runs.report_panels import (
    DASHED,
    MARKED,
    POINT,
    SOLID,
    Brush,
    Panel,
    Point,
    columns,
    inline,
    mark,
    number,
    panel,
    scale_of,
    tooltip,
    word,
)


class Axes(NamedTuple):
    """What the two axes of a panel of lines show."""

    x: str
    """Heading of x in tables and when hovering."""
    y: str
    x_title: str = ""
    y_title: str = ""
    span: tuple[float, float] | None = None
    """Ends of the x axis; None: fitted."""
    limits: tuple[float, float] | None = None
    """Ends of the y axis; None: fitted, on a log scale where values diverge."""
    x_format: str = "~s"
    """Of the numbers along x."""


def curve_panel(
    brush: Brush,
    points: Sequence[Point],
    axes: Axes,
    *,
    title: str = "",
    height: int,
    width: int = 420,
    reference: tuple[float, str] | None = None,
    marks: Sequence[tuple[str, float]] = (),
) -> Panel:
    """Lines with bands.

    `reference` is a dashed level and its name, `marks` are (condition name, env step) of
    interventions, drawn as triangles at the bottom.
    """
    level = None if reference is None else reference[0]
    y_scale, y_axis = scale_of([v for p in points for v in p[2:]], level, axes.limits)
    xs = axes.span or (
        min([p[1] for p in points] + [step for _, step in marks], default=0),
        max((p[1] for p in points), default=1),
    )
    x_scale = {"domain": list(xs), "zero": False, "nice": False}
    x = number("x", title=axes.x_title, scale=x_scale, axis={"format": axes.x_format})
    y = number("y", title=axes.y_title, scale=y_scale, axis=y_axis)
    ends = {"y": number("low"), "y2": {"field": "high"}}
    # Clipping costs half the time of a PNG, and few panels have anything to clip.
    clip = _outside(points, axes.limits)
    band = mark("area", {"x": x, **ends, "color": brush.colour}, opacity=0.15, clip=clip)
    looks = {"color": brush.colour, "strokeDash": brush.dash}
    line = mark("line", {"x": x, "y": y, **looks}, strokeWidth=2, clip=clip)
    hover = tooltip(x=axes.x, y=axes.y, low="low", high="high")
    looks = {"color": brush.colour, "shape": brush.shape, "tooltip": hover}
    opacity = 0.9 if len({p[1] for p in points}) <= MARKED else 0
    dots = mark("point", {"x": x, "y": y, **looks}, size=28, filled=True, opacity=opacity)
    return panel(
        brush,
        inline(POINT, points),
        [band, line, dots, *_reference(reference), *_marks(brush, marks, height)],
        title=title,
        description=f"{axes.y_title or title or axes.y} over {axes.x}",
        height=height,
        width=width,
        usermeta=columns(x=axes.x, y=axes.y, low="low", high="high"),
    )


def _outside(points: Sequence[Point], limits: tuple[float, float] | None) -> bool:
    return limits is not None and any(v < limits[0] or v > limits[1] for p in points for v in p[2:])


def _reference(reference: tuple[float, str] | None) -> list[dict[str, Any]]:
    if reference is None:
        return []
    y, data = number("y"), inline(("y", "name"), [reference])
    rule = mark("rule", {"y": y}, strokeDash=[8, 4], color="#7F7F7F", strokeWidth=1.5)
    place = {"x": {"value": 0}, "y": y, "text": word("name")}
    text = mark("text", place, align="left", baseline="bottom", dx=4, dy=-2, fontSize=11)
    return [{"data": data, **rule}, {"data": data, **text}]


def _marks(brush: Brush, marks: Sequence[tuple[str, float]], height: int) -> list[dict[str, Any]]:
    """A row of ticks per condition, so that equal steps do not hide each other; all rows together
    leave three quarters of the panel to the curves."""
    rows = [name for name in brush.names if any(one[0] == name for one in marks)]
    step = min(9.0, 0.25 * height / max(1, len(rows)))
    return [
        {
            "data": inline(("c", "x"), [one for one in marks if one[0] == name]),
            "transform": [brush.label()],
            **mark(
                "point",
                {
                    "x": number("x"),
                    "y": {"value": height - 5 - step * row},
                    "color": brush.colour,
                    "tooltip": tooltip(x="intervention at env step"),
                },
                shape="triangle-up",
                filled=True,
                size=max(12, 40 * step / 9),
                opacity=1,
            ),
        }
        for row, name in enumerate(rows)
    ]


def ratio_panel(
    brush: Brush,
    points: Sequence[Point],
    lines: Sequence[tuple[str, float, float]],
    *,
    y_title: str,
) -> Panel:
    """An aggregate over replay ratios (log2): one point per condition, one grey line per remedy.

    `lines` are (remedy, replay ratio, value); NaN where that ratio was not run breaks the line.
    """
    ratios = sorted({point[1] for point in points})
    x = number(
        "x",
        title="replay ratio (gradient steps per env step, log2)",
        scale={"type": "log", "base": 2, "domain": [ratios[0] / 1.25, ratios[-1] * 1.25]},
        axis={"values": ratios, "format": "~g"},
    )
    y = number("y", title=y_title, scale={"zero": True})
    names = list(dict.fromkeys(line[0] for line in lines))
    patterns = [DASHED if name == "no remedy" else SOLID for name in names]
    dash = word("remedy", scale={"domain": names, "range": patterns}, legend=None)
    stroke = mark(
        "line",
        {"x": x, "y": y, "detail": word("remedy"), "strokeDash": dash},
        color="#7F7F7F",
        strokeWidth=1.5,
    )
    last = {
        "x": number("x", aggregate="max"),
        "y": number("y", aggregate={"argmax": "x"}),
        "text": word("remedy"),
    }
    name = mark("text", last, align="right", dx=-8, dy=-10, fontSize=11)
    join = inline(("remedy", "x", "y"), lines)
    ends = {"x": x, "y": number("low"), "y2": {"field": "high"}, "color": brush.colour}
    hover = tooltip(x="replay ratio", y="value", low="low", high="high")
    looks = {"color": brush.colour, "shape": brush.shape, "tooltip": hover}
    return panel(
        brush,
        inline(POINT, points),
        [
            {"data": join, **stroke},
            {"data": join, **name},
            mark("rule", ends, strokeWidth=3, opacity=0.45),
            mark("point", {"x": x, "y": y, **looks}, size=70, filled=True, opacity=1),
        ],
        description=f"{y_title} over replay ratios",
        height=240,
        width=420,
        usermeta=columns(x="replay ratio", y=y_title, low="low", high="high"),
    )
