"""Panels with points: values with intervals, pairs of conditions, scatters and slopes."""

from collections.abc import Sequence
from typing import Any

from primacy.runs.report_panels import (
    POINT,
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

Pair = tuple[str, str, float, float, float]
"""Names of the two conditions, value, low, high; NaN where there is no interval."""

Dot = tuple[str, str, str, float, float]
"""Condition name, task, seed or seeds, x, y."""

Slope = tuple[str, str, int, float, float]
"""Condition name, task, env step, before, after."""

ENDS = {"y": "value", "low": "low", "high": "high"}


def interval_panel(
    brush: Brush, points: Sequence[Point], *, x_title: str, width: int = 280
) -> Panel:
    """One bar per condition from low to high, with a tick at the value and the name above."""
    row = word("c", axis=None, scale={"domain": brush.names})
    layers = _bars(brush, row, number("y", title=x_title, scale={"zero": True}))
    place = {"x": {"value": 2}, "y": row, "text": word("condition")}
    name = mark("text", place, align="left", dy=-16, fontSize=11)
    return panel(
        brush,
        inline(POINT, points),
        [*layers, name],
        description=x_title,
        height={"step": 42},
        width=width,
        usermeta=columns(**ENDS | {"y": x_title}),
    )


def pair_panel(
    brush: Brush,
    pairs: Sequence[Pair],
    *,
    x_title: str,
    between: str,
    middle: float = 0.0,
    limits: tuple[float, float] | None = None,
    width: int = 280,
) -> Panel:
    """One bar per pair in the colour of its first condition, with both names above.

    `between` stands between the two names, `middle` is the value of equal conditions.
    """
    rows = [(*pair, f"p{at}") for at, pair in enumerate(pairs)]
    row = word("row", axis=None, scale={"domain": [one[-1] for one in rows]})
    scale = {"domain": list(limits), "nice": False} if limits else {"zero": True}
    layers = _bars(brush, row, number("y", title=x_title, scale=scale), pair=True)
    place = {"x": {"value": 2}, "y": row}
    first = mark("text", place | {"text": word("condition")}, align="left", dy=-26, fontSize=11)
    second = mark("text", place | {"text": word("other")}, align="left", dy=-13, fontSize=11)
    rule = mark("rule", {"x": number("y")}, strokeDash=[8, 4], color="#7F7F7F", strokeWidth=1.5)
    return panel(
        brush,
        inline(("c", "d", "y", "low", "high", "row"), rows),
        [{"data": inline(("y",), [(middle,)]), **rule}, *layers, first, second],
        transform=[
            brush.label("d", "than"),
            {"calculate": f"'{between} ' + datum.than", "as": "other"},
        ],
        description=x_title,
        height={"step": 54},
        width=width,
        usermeta=columns(other=between, **ENDS | {"y": x_title}),
    )


def _bars(
    brush: Brush, row: dict[str, Any], x: dict[str, Any], *, pair: bool = False
) -> list[dict[str, Any]]:
    x = {**x, "axis": {"tickCount": 5, "grid": True}}
    hover = tooltip(**ENDS)
    hover[1:1] = [word("other", title=" ")] if pair else []
    common = {"y": row, "color": brush.colour, "tooltip": hover}
    ends = {"x": number("low"), "x2": {"field": "high"}}
    tick = {"shape": "stroke", "angle": 90, "size": 220, "strokeWidth": 3, "opacity": 1}
    return [
        mark("rule", ends | common, strokeWidth=7, opacity=0.5),
        mark("point", {"x": x} | common, **tick),
    ]


def scatter_panel(
    brush: Brush, dots: Sequence[Dot], *, title: str, subtitle: str, x_title: str, y_title: str
) -> Panel:
    """A point per agent: a diagnostic across, its score up."""
    x_scale, x_axis = scale_of([dot[3] for dot in dots])
    looks = {"stroke": brush.colour, "fill": brush.fill, "shape": brush.shape}
    hover = [
        *tooltip(x=x_title, y=y_title)[:1],
        word("task", title="task"),
        word("seed", title="seed"),
        *tooltip(x=x_title, y=y_title)[1:],
    ]
    place = {
        "x": number("x", title=x_title, scale=x_scale | {"zero": False}, axis=x_axis),
        "y": number("y", title=y_title, scale={"zero": True}, axis={"tickCount": 4}),
    }
    return panel(
        brush,
        inline(("c", "task", "seed", "x", "y"), dots),
        [mark("point", place | looks | {"tooltip": hover}, size=36, opacity=0.75)],
        title={"text": title, "subtitle": subtitle},
        description=f"{y_title} against {x_title}",
        height=170,
        width=230,
        usermeta=columns(task="task", seed="seed", x=x_title, y=y_title),
    )


def slope_panel(
    brush: Brush, slopes: Sequence[Slope], medians: Sequence[Slope], *, title: str
) -> Panel:
    """A thin line per intervention from before to after, and a thick one per condition."""
    y_scale, y_axis = scale_of([v for slope in slopes for v in slope[3:]])
    labels = {
        "values": [0, 1],
        "labelExpr": "datum.value == 0 ? 'before' : 'after'",
        "grid": True,
    }
    x = number("x", title="", axis=labels, scale={"domain": [-0.1, 1.1], "nice": False})
    y = number("y", title="", scale=y_scale, axis=y_axis)
    hover = tooltip(before="before", after="after")
    place = {"x": x, "y": y, "color": brush.colour, "detail": word("line")}
    single = hover[:1] + [word("task", title="task"), number("step", title="env step")] + hover[1:]
    middle = place | {"strokeDash": brush.dash, "tooltip": hover}
    fold = {"fold": ["before", "after"], "as": ["end", "y"]}
    across = {"calculate": "datum.end == 'before' ? 0 : 1", "as": "x"}
    thick = {
        "data": inline(("c", "task", "step", "before", "after", "line"), _numbered(medians)),
        "transform": [brush.label(), fold, across],
    }
    return panel(
        brush,
        inline(("c", "task", "step", "before", "after", "line"), _numbered(slopes)),
        [
            mark("line", place | {"tooltip": single}, strokeWidth=1, opacity=0.35),
            thick | mark("line", middle, strokeWidth=3, point={"size": 50, "filled": True}),
        ],
        transform=[fold, across],
        title=title,
        description=f"{title} before and after interventions",
        height=150,
        width=230,
        usermeta=columns(task="task", step="env step", before="before", after="after"),
    )


def _numbered(slopes: Sequence[Slope]) -> list[tuple[Any, ...]]:
    return [(*slope, at) for at, slope in enumerate(slopes)]
