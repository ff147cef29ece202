"""The numbers of a report as rows."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from primacy.runs.report_comparisons import Comparison, compare
from primacy.runs.report_costs import COST_COLUMNS, costs
from primacy.runs.report_efficiency import (
    EFFICIENCY_COLUMNS,
    THRESHOLD_COLUMNS,
    efficiency,
    thresholds,
    unshared,
)
from primacy.runs.report_interventions import INTERVENTION_COLUMNS, Change, changes, summary
from primacy.runs.report_offline import OFFLINE_COLUMNS, offline_online
from primacy.runs.report_progress import check_progress
from primacy.runs.report_published import (
    GAME_COLUMNS,
    PUBLISHED_COLUMNS,
    published,
    published_games,
)
from primacy.runs.report_relations import RELATION_COLUMNS, Relation, relation_rows, relations
from primacy.runs.report_request import Request
from primacy.runs.report_scores import SIZE, Row, areas, band_name, ends, footing, scores
from primacy.runs.report_study import Condition, Experiment, Study
from primacy.runs.scoring import smoothed
from primacy.runs.statistics import (
    AGGREGATES,
    Bootstrap,
    Scores,
    difference,
    estimate,
    evaluate,
    improvement,
    per_task,
    permutation_p_value,
    profile,
    shared_tasks,
)

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

UNEVEN = 0.005
"""Difference of the two IQMs of uneven seeds from which on it is said, as a share of gamma."""

COLUMNS = {
    "aggregates": f"condition aggregate value low high {SIZE}".split(),
    "differences": "a b aggregate value low high p_improvement p_improvement_low "
    f"p_improvement_high {SIZE} design gain p_value".split(),
    "improvement": f"a b value low high {SIZE}".split(),
    "profiles": f"condition threshold value low high {SIZE}".split(),
    "sample_efficiency": EFFICIENCY_COLUMNS,
    "thresholds": THRESHOLD_COLUMNS,
    "per_task": "task condition mean low high seeds step values last_four_mean last_four_low "
    "last_four_high interval".split(),
    "curves": "task condition env_step gradient_step frame mean low high seeds interval".split(),
    "offline_to_online": OFFLINE_COLUMNS,
    "published": PUBLISHED_COLUMNS,
    "published_games": GAME_COLUMNS,
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
    thresholds: list[Row]
    per_task: list[Row]
    curves: list[Row]
    offline_to_online: list[Row]
    published: list[Row]
    published_games: list[Row]
    interventions: list[Row]
    relations: list[Row]
    costs: list[Row]
    comparisons: tuple[Comparison, ...]
    related: dict[str, list[Relation]]
    """Title of an experiment -> its diagnostics against return, agent by agent."""
    changed: dict[str, list[Change]]
    """Title of an experiment -> its interventions, before and after."""
    request: Request
    notes: tuple[str, ...]
    """Which conditions have no interval, and why; where uneven seeds matter."""


def numbers(
    study: Study,
    bootstrap: Bootstrap,
    baseline: str = "",
    request: Request = Request(),  # noqa: B008
) -> Numbers:
    """Compute every table.

    Raises:
        UserError: no condition is called `baseline`, or results do not tell what curves should run
            over.
    """
    check_progress(study, request.x)
    pairs = tuple(compare(study, baseline))
    members = [(e, c) for e in study.experiments for c in e.conditions if c.curves]
    aggregates = [(c, r) for e, c in members for r in _aggregates(e, c, bootstrap)]
    cells = [(e, c, t) for e in study.experiments for t in e.tasks for c in e.on(t)]
    chances = {pair: _improvement(pair, bootstrap) for pair in pairs}
    related = {e.title: relations(e) for e in study.experiments}
    changed = {e.title: changes(e) for e in study.experiments}
    spent = [row for e in study.experiments for row in costs(e)]
    whole = [row for _, (row, _) in aggregates]
    return Numbers(
        aggregates=whole,
        differences=[
            r for pair in pairs for r in _differences(pair, chances[pair], bootstrap, request)
        ],
        improvement=list(chances.values()),
        profiles=[row for e in study.experiments for row in _profiles(e, bootstrap)],
        sample_efficiency=[
            row for e in study.experiments for row in efficiency(e, request.x, bootstrap)
        ],
        thresholds=[row for e in study.experiments for row in thresholds(e, request, bootstrap)],
        per_task=[_per_task(e, c, t, bootstrap) for e, c, t in cells],
        curves=[row for e, c, t in cells for row in _curve(e, c, t, bootstrap)],
        offline_to_online=[r for e in study.experiments for r in offline_online(e, bootstrap)],
        published=list(published(study.experiments, whole, spent)),
        published_games=list(published_games(study.experiments)),
        interventions=[r for e in study.experiments for r in summary(e, changed[e.title])],
        relations=[r for e in study.experiments for r in relation_rows(e, related[e.title])],
        costs=spent,
        comparisons=pairs,
        related=related,
        changed=changed,
        request=request,
        notes=(
            *_doubts((c.label, n) for c, (r, n) in aggregates if r["aggregate"] == "iqm"),
            *filter(None, (_unevenness(e, c) for e, c in members)),
            *filter(None, (unshared(e, request.x) for e in study.experiments)),
        ),
    )


def _aggregates(e: Experiment, c: Condition, how: Bootstrap) -> Iterable[tuple[Row, str]]:
    found = estimate(scores(e, c), tuple(AGGREGATES), how)
    if area := areas(e, c):
        found["auc"] = estimate(area, ("iqm",), how)["iqm"]
    size = footing(e, [c], tuple(c.curves), how)
    for name, one in found.items():
        said = ends(one, scale=e.normaliser.gamma)
        yield {"condition": c.label, "aggregate": name, **said, **size}, one.note


def _doubts(said: Iterable[tuple[str, str]]) -> Iterable[str]:
    """Each note once, with the conditions that it is about."""
    labels: dict[str, list[str]] = {}
    for label, note in said:
        labels.setdefault(note, []).append(label)
    return [f"{', '.join(names)}: {note}." for note, names in labels.items() if note]


def _unevenness(e: Experiment, c: Condition) -> str:
    """How far apart the two IQMs of uneven seeds are, where it shows."""
    found = scores(e, c)
    sizes = found.sizes
    if sizes.min() == sizes.max():
        return ""
    by_task, by_run = (
        e.normaliser.gamma * float(evaluate(replace(found, balance=balance), "iqm")[0])
        for balance in ("tasks", "runs")
    )
    if abs(by_task - by_run) < UNEVEN * e.normaliser.gamma:
        return ""
    return (
        f"{c.label} has {sizes.min()} to {sizes.max()} seeds a task: its IQM is {by_task:.3f} with "
        f"every task counting equally, {by_run:.3f} with every run (--pool)."
    )


def _sides(pair: Comparison) -> tuple[Scores, Scores]:
    a, b = scores(pair.experiment, pair.a), scores(pair.experiment, pair.b)
    tasks = shared_tasks(a, b)
    return a.only(tasks), b.only(tasks)


def _improvement(pair: Comparison, how: Bootstrap) -> Row:
    a, b = _sides(pair)
    size = footing(pair.experiment, [pair.a, pair.b], a.tasks, how)
    return {
        "a": pair.a.label,
        "b": pair.b.label,
        **ends(improvement(a, b, how)),
        **size,
    }


def _differences(pair: Comparison, chance: Row, how: Bootstrap, request: Request) -> Iterable[Row]:
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
            "p_value": _p_value(of_a, of_b, aggregate, how)
            if request.p_values and not pair.paired
            else np.nan,
        }


def _p_value(a: Scores, b: Scores, aggregate: str, how: Bootstrap) -> float:
    return float(permutation_p_value(a, b, aggregate, how)[0])


def _gap(a: Scores, b: Scores, aggregate: str, how: Bootstrap, paired: bool, gamma: float) -> Row:
    """The difference; where it is paired, how much narrower that made its interval."""
    found = difference(a, b, aggregate, how, paired=paired)
    said = ends(found, scale=gamma)
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
        size = footing(e, [condition], found.tasks, how) | {"interval": band_name(how)}
        for at, threshold in enumerate(thresholds.tolist()):
            row = {"condition": condition.label, "threshold": e.normaliser.gamma * threshold}
            yield row | ends(curve, at) | size


def _per_task(e: Experiment, condition: Condition, task: str, how: Bootstrap) -> Row:
    curve, step, last_scores = condition.curves[task], e.steps[task], condition.finals[task]
    digits = 1 + e.normaliser.decimals
    last, four = (
        ends(per_task(Scores.of({task: of}), how)[task])
        for of in (last_scores, curve.last_four(step))
    )
    return {
        "task": task,
        "condition": condition.label,
        "mean": last["value"],
        "low": last["low"],
        "high": last["high"],
        "seeds": len(last_scores),
        "step": step or "",
        "values": " ".join(f"{value:.{digits}f}" for value in last_scores.values()),
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
        band = ends(found, at)
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
            "interval": band_name(how),
        }


def _counter(value: float) -> int | str:
    return "" if math.isnan(value) else int(value)
