"""Curves over all tasks: the IQM on the way, and how long it takes to reach a level."""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from primacy.runs.report_progress import UNITS
from primacy.runs.report_request import Progress, Request
from primacy.runs.report_scores import SIZE, Row, balanced, band_name, ends, footing, shares
from primacy.runs.report_study import Condition, Experiment
from primacy.runs.statistics import Bootstrap, Scores, estimate, steps_to_threshold

EFFICIENCY_COLUMNS = f"condition env_step gradient_step frame hour value low high {SIZE}".split()
THRESHOLD_COLUMNS = f"condition aggregate threshold unit value low high {SIZE} note".split()


def _grids(e: Experiment, x: Progress) -> Iterator[tuple[Condition, np.ndarray, Scores]]:
    """Each condition's progress [K] where all its tasks were evaluated, and its scores there.

    Env steps are those that all conditions share. Other counts differ between conditions by what
    sets them apart (a replay ratio, an action repeat), so each keeps its own.
    """
    found = {c: _shared(c, tuple(c.curves), x) for c in e.conditions if c.curves}
    if x == "env_steps":
        common = set.intersection(*(set(grid.tolist()) for grid in found.values()))
        found = {c: np.array(sorted(common)) for c in found}
    for condition, grid in found.items():
        if not len(grid):
            continue
        table = {}
        for task, curve in condition.curves.items():
            at = np.searchsorted(UNITS[x].of(condition, task), grid)
            table[task] = shares(e, task, curve, at)
        yield condition, grid, balanced(e, table)


def _shared(condition: Condition, tasks: tuple[str, ...], x: Progress) -> np.ndarray:
    """[K]: progress at which all the tasks were evaluated."""
    grids = [np.unique(UNITS[x].of(condition, task)) for task in tasks]
    shared = grids[0]
    for grid in grids[1:]:
        shared = np.intersect1d(shared, grid)
    return shared


def efficiency(e: Experiment, x: Progress, how: Bootstrap) -> Iterable[Row]:
    """The IQM over tasks along the way; nothing for one task."""
    if len(e.tasks) < 2:
        return
    for condition, grid, scores in _grids(e, x):
        if len(grid) < 2:
            continue
        found = estimate(scores, ("iqm",), how)["iqm"]
        size = footing(e, [condition], scores.tasks, how) | {"interval": band_name(how)}
        places = {unit.column: "" for unit in UNITS.values()}
        for at, place in enumerate(grid.tolist()):
            size["step"] = place if x == "env_steps" else ""
            said = ends(found, at, e.normaliser.gamma)
            here = places | {UNITS[x].column: place}
            yield {"condition": condition.label, **here, **said, **size}


def unshared(e: Experiment, x: Progress) -> str:
    """Which conditions have no curve over all tasks, where that is not for the env steps."""
    if len(e.tasks) < 2 or x == "env_steps":
        return ""
    drawn = {c.label for c, grid, _ in _grids(e, x) if len(grid) > 1}
    if lacking := [c.label for c in e.conditions if c.curves and c.label not in drawn]:
        return (
            f"No curve of the IQM over {UNITS[x].title} for {'; '.join(lacking)}: tasks were not "
            "evaluated at equal ones."
        )
    return ""


def thresholds(e: Experiment, request: Request, how: Bootstrap) -> Iterable[Row]:
    """Where the IQM's curve, or on one task the mean's, first reaches each level asked for."""
    aggregate = "iqm" if len(e.tasks) > 1 else "mean"
    for condition, grid, scores in _grids(e, request.x) if request.threshold else ():
        size = footing(e, [condition], scores.tasks, how)
        size["step"] = size["step"] if request.x != "env_steps" else int(grid[-1])
        for threshold in request.threshold:
            level = threshold / e.normaliser.gamma
            found = steps_to_threshold(scores, grid, level, aggregate, how)
            yield {
                "condition": condition.label,
                "aggregate": aggregate,
                "threshold": threshold,
                "unit": UNITS[request.x].one,
                **{name: _whole(value) for name, value in ends(found).items()},
                **size,
                "note": found.note,
            }


def _whole(value: float) -> float | int:
    """Counts as integers, so that they are shown with all their digits."""
    return int(value) if math.isfinite(value) and value == int(value) else value
