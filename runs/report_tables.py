"""The numbers of a report as rows."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from primacy.runs.report_comparisons import Comparison, compare
from primacy.runs.report_costs import COST_COLUMNS, costs
from primacy.runs.report_interventions import INTERVENTION_COLUMNS, Change, changes, summary
from primacy.runs.report_relations import RELATION_COLUMNS, Relation, relation_rows, relations
from primacy.runs.report_study import Condition, Curve, Experiment, Study
from primacy.runs.scoring import smoothed
from primacy.runs.statistics import (
    AGGREGATES,
    Bootstrap,
    Estimate,
    Scores,
    area_under_curve,
    difference,
    estimate,
    evaluate,
    improvement,
    per_task,
    profile,
    shared_tasks,
)

Row = dict[str, Any]

NAMES = {
    "iqm": "IQM",
    "median": "median",
    "mean": "mean",
    "optimality_gap": "optimality gap",
    "auc": "area under the curve",
}
"""Aggregates as readers call them. The area is the IQM of the areas of the runs' curves."""

THRESHOLDS = 101
"""Points of a performance profile."""

SIZE = "tasks seeds step interval"
COLUMNS = {
    "aggregates": f"condition aggregate value low high {SIZE}".split(),
    "differences": "a b aggregate value low high p_improvement p_improvement_low "
    f"p_improvement_high {SIZE} design gain".split(),
    "improvement": f"a b value low high {SIZE}".split(),
    "profiles": f"condition threshold value low high {SIZE}".split(),
    "sample_efficiency": f"condition env_step value low high {SIZE}".split(),
    "per_task": "task condition mean low high seeds step values last_four_mean last_four_low "
    "last_four_high interval".split(),
    "curves": "task condition env_step gradient_step frame mean low high seeds interval".split(),
    "interventions": INTERVENTION_COLUMNS,
    "relations": RELATION_COLUMNS,
    "costs": COST_COLUMNS,
}
"""Columns of each CSV: returns in per_task and curves, normalised scores elsewhere."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """All tables of a report, as rows with the keys of `COLUMNS`."""

    aggregates: list[Row]
    differences: list[Row]
    improvement: list[Row]
    profiles: list[Row]
    sample_efficiency: list[Row]
    per_task: list[Row]
    curves: list[Row]
    interventions: list[Row]
    relations: list[Row]
    costs: list[Row]
    comparisons: tuple[Comparison, ...]
    related: dict[str, list[Relation]]
    """Title of an experiment -> its diagnostics against return, agent by agent."""
    changed: dict[str, list[Change]]
    """Title of an experiment -> its interventions, before and after."""
    notes: tuple[str, ...]
    """Which conditions have no interval, and why."""


def numbers(study: Study, bootstrap: Bootstrap, baseline: str = "") -> Numbers:
    """Compute every table.

    Raises:
        UserError: no condition is called `baseline`.
    """
    pairs = tuple(compare(study, baseline))
    members = [(e, c) for e in study.experiments for c in e.conditions if c.curves]
    aggregates = [(c, r) for e, c in members for r in _aggregates(e, c, bootstrap)]
    cells = [(e, c, t) for e in study.experiments for t in e.tasks for c in e.on(t)]
    chances = {pair: _improvement(pair, bootstrap) for pair in pairs}
    related = {e.title: relations(e) for e in study.experiments}
    changed = {e.title: changes(e) for e in study.experiments}
    return Numbers(
        aggregates=[row for _, (row, _) in aggregates],
        differences=[r for pair in pairs for r in _differences(pair, chances[pair], bootstrap)],
        improvement=list(chances.values()),
        profiles=[row for e in study.experiments for row in _profiles(e, bootstrap)],
        sample_efficiency=[r for e in study.experiments for r in _efficiency(e, bootstrap)],
        per_task=[_per_task(e, c, t, bootstrap) for e, c, t in cells],
        curves=[row for e, c, t in cells for row in _curve(e, c, t, bootstrap)],
        interventions=[r for e in study.experiments for r in summary(e, changed[e.title])],
        relations=[r for e in study.experiments for r in relation_rows(e, related[e.title])],
        costs=[row for e in study.experiments for row in costs(e)],
        comparisons=pairs,
        related=related,
        changed=changed,
        notes=tuple(
            f"{c.label}: {note}." for c, (r, note) in aggregates if note and r["aggregate"] == "iqm"
        ),
    )


def scores(experiment: Experiment, condition: Condition) -> Scores:
    """Normalised scores of each task's seeds, as shares of gamma: 1 has no optimality gap."""
    by = experiment.normaliser
    return Scores.of(
        {
            task: {s: float(by.apply(task, v)) / by.gamma for s, v in seeds.items()}
            for task, seeds in condition.finals.items()
        }
    )


def areas(experiment: Experiment, condition: Condition) -> Scores | None:
    """Area under each run's curve of normalised scores, divided by its range of steps.

    Over the evaluations that all conditions of a task share; None where that is one step.
    """
    table = {}
    for task, curve in condition.curves.items():
        at = shared_steps(experiment, task)
        if len(at) < 2:
            return None
        area = area_under_curve(
            Scores.of({task: _shares(experiment, task, curve, at)}), at.astype(float)
        )
        table[task] = dict(zip(area.seeds[task], area.values[:, 0], strict=True))
    return Scores.of(table)


def shared_steps(experiment: Experiment, task: str) -> np.ndarray:
    """[K]: env steps at which every condition of the task was evaluated."""
    steps = experiment.on(task)[0].curves[task].env_steps
    for condition in experiment.on(task):
        steps = np.intersect1d(steps, condition.curves[task].env_steps)
    return steps


def _shares(e: Experiment, task: str, curve: Curve, steps: np.ndarray) -> dict[int, np.ndarray]:
    """Seed -> [K] normalised scores at `steps`, as shares of gamma."""
    returns = curve.returns[:, np.searchsorted(curve.env_steps, steps)]
    scores = e.normaliser.apply(task, returns) / e.normaliser.gamma
    return dict(zip(curve.seeds, scores, strict=True))


def _aggregates(e: Experiment, c: Condition, how: Bootstrap) -> Iterable[tuple[Row, str]]:
    found = estimate(scores(e, c), tuple(AGGREGATES), how)
    if area := areas(e, c):
        found["auc"] = estimate(area, ("iqm",), how)["iqm"]
    size = _size(e, [c], tuple(c.curves), how)
    for name, one in found.items():
        said = _interval(one, scale=e.normaliser.gamma)
        yield {"condition": c.label, "aggregate": name, **said, **size}, one.note


def _interval(found: Estimate, at: int = -1, scale: float = 1.0) -> Row:
    return {
        "value": scale * float(found.value[at]),
        "low": scale * float(found.low[at]),
        "high": scale * float(found.high[at]),
    }


def _size(e: Experiment, sides: Sequence[Condition], tasks: Sequence[str], how: Bootstrap) -> Row:
    """How much a number rests on: tasks, seeds of each task and side, env step, interval."""
    seeds = [str(_range(len(c.curves[task].seeds) for task in tasks)) for c in sides]
    return {
        "tasks": len(tasks),
        "seeds": " and ".join(dict.fromkeys(seeds)),
        "step": _range(e.steps[task] for task in tasks) or "",
        "interval": how.interval,
    }


def _range(counts: Iterable[int]) -> int | str:
    different = sorted(set(counts))
    return different[0] if len(different) == 1 else f"{different[0]}-{different[-1]}"


def _sides(pair: Comparison) -> tuple[Scores, Scores]:
    a, b = scores(pair.experiment, pair.a), scores(pair.experiment, pair.b)
    tasks = shared_tasks(a, b)
    return a.only(tasks), b.only(tasks)


def _improvement(pair: Comparison, how: Bootstrap) -> Row:
    a, b = _sides(pair)
    size = _size(pair.experiment, [pair.a, pair.b], a.tasks, how)
    return {
        "a": pair.a.label,
        "b": pair.b.label,
        **_interval(improvement(a, b, how)),
        **size,
    }


def _differences(pair: Comparison, chance: Row, how: Bootstrap) -> Iterable[Row]:
    a, b = _sides(pair)
    left, right = areas(pair.experiment, pair.a), areas(pair.experiment, pair.b)
    wanted = [(name, name, a, b) for name in AGGREGATES]
    if left and right:
        wanted.append(("auc", "iqm", left.only(a.tasks), right.only(a.tasks)))
    gamma = pair.experiment.normaliser.gamma
    for name, aggregate, of_a, of_b in wanted:
        yield {
            **chance,
            "aggregate": name,
            "of_a": gamma * float(evaluate(of_a, aggregate)[0]),
            "of_b": gamma * float(evaluate(of_b, aggregate)[0]),
            **_gap(of_a, of_b, aggregate, how, pair.paired, gamma),
            "p_improvement": chance["value"],
            "p_improvement_low": chance["low"],
            "p_improvement_high": chance["high"],
        }


def _gap(a: Scores, b: Scores, aggregate: str, how: Bootstrap, paired: bool, gamma: float) -> Row:
    """The difference; where it is paired, how much narrower that made its interval."""
    found = difference(a, b, aggregate, how, paired=paired)
    said = _interval(found, scale=gamma)
    gain = np.nan
    if paired:
        alone = difference(a, b, aggregate, how)
        width = float(found.high[0] - found.low[0])
        gain = float(alone.high[0] - alone.low[0]) / width if width > 0 else np.nan
    return said | {"design": "paired" if paired else "unpaired", "gain": gain}


def _profiles(e: Experiment, how: Bootstrap) -> Iterable[Row]:
    """Thresholds reach from 0 to the 99th percentile of all scores."""
    table = {c: scores(e, c) for c in e.conditions if c.curves}
    top = float(np.percentile(np.concatenate([s.values[:, -1] for s in table.values()]), 99))
    thresholds = np.linspace(0, max(top, 1e-3), THRESHOLDS)
    for condition, found in table.items():
        curve = profile(found, thresholds, how)
        size = _size(e, [condition], found.tasks, how)
        for at, threshold in enumerate(thresholds.tolist()):
            row = {"condition": condition.label, "threshold": e.normaliser.gamma * threshold}
            yield row | _interval(curve, at) | size


def _efficiency(e: Experiment, how: Bootstrap) -> Iterable[Row]:
    """The IQM over tasks at every step all tasks and conditions share; nothing for one task."""
    steps = shared_steps(e, e.tasks[0])
    for task in e.tasks[1:]:
        steps = np.intersect1d(steps, shared_steps(e, task))
    if len(e.tasks) < 2 or len(steps) < 2:
        return
    for c in e.conditions:
        table = {t: _shares(e, t, curve, steps) for t, curve in c.curves.items()}
        if not table:
            continue
        found = estimate(Scores.of(table), ("iqm",), how)["iqm"]
        size = _size(e, [c], tuple(table), how)
        for at, step in enumerate(steps.tolist()):
            size["step"] = step
            said = _interval(found, at, e.normaliser.gamma)
            yield {"condition": c.label, "env_step": step, **said, **size}


def _per_task(e: Experiment, condition: Condition, task: str, how: Bootstrap) -> Row:
    curve, step, ends = condition.curves[task], e.steps[task], condition.finals[task]
    digits = 1 + e.normaliser.decimals
    last, four = (
        _interval(per_task(Scores.of({task: of}), how)[task])
        for of in (ends, curve.last_four(step))
    )
    return {
        "task": task,
        "condition": condition.label,
        "mean": last["value"],
        "low": last["low"],
        "high": last["high"],
        "seeds": len(ends),
        "step": step or "",
        "values": " ".join(f"{value:.{digits}f}" for value in ends.values()),
        "last_four_mean": four["value"],
        "last_four_low": four["low"],
        "last_four_high": four["high"],
        "interval": "t",
    }


def _curve(e: Experiment, condition: Condition, task: str, how: Bootstrap) -> Iterable[Row]:
    curve = smoothed(condition.curves[task], e.scoring.smooth)
    table = Scores.of({task: dict(zip(curve.seeds, curve.returns, strict=True))})
    found = estimate(table, ("mean",), how)["mean"]
    for at in range(len(curve.env_steps)):
        band = _interval(found, at)
        yield {
            "task": task,
            "condition": condition.label,
            "env_step": int(curve.env_steps[at]),
            "gradient_step": _counter(curve.gradient_steps[at]),
            "frame": _counter(curve.frames[at]),
            "mean": band["value"],
            "low": band["low"],
            "high": band["high"],
            "seeds": len(curve.seeds),
            "interval": how.interval,
        }


def _counter(value: float) -> int | str:
    return "" if math.isnan(value) else int(value)
