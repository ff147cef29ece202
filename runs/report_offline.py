"""The numbers of a report on runs that go from offline data to online steps."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from primacy.runs.offline_online import at_switch, first_reached, initial_drop, regret
from primacy.runs.report_scores import Row, ends
from primacy.runs.report_study import Condition, Experiment
from primacy.runs.results import RUN_FOLDER, TRAINING_COLUMNS, Curve, read_table
from primacy.runs.statistics import Bootstrap, Scores, per_task

OFFLINE_COLUMNS = "task condition metric value low high seeds values".split()

LEVELS = (50, 90)
"""Percent that the score should reach."""

OF_A_CURVE: dict[str, Callable[[Any, Any], float]] = {
    "score_at_switch": at_switch,
    "initial_drop": initial_drop,
    "score_at_end": lambda steps, scores: float(scores[-1]),
}
REACHED = {f"env_steps_to_{level}": level for level in LEVELS}


def offline_online(e: Experiment, how: Bootstrap) -> Iterable[Row]:
    """A row per task, condition and metric, on the tasks where some condition has an offline phase.

    Means with t intervals; of env steps to a level, medians without.
    """
    for task in e.tasks:
        conditions = e.on(task)
        if not any(c.config("offline_updates", task) for c in conditions):
            continue
        for condition in conditions:
            for metric, values in _metrics(e, condition, task).items():
                yield _row(task, condition, metric, values, how)


def _metrics(e: Experiment, condition: Condition, task: str) -> dict[str, dict[int, float]]:
    """Metric -> seed -> its value."""
    curve = condition.curves[task]
    steps = curve.env_steps.astype(float)
    scores = 100.0 * e.normaliser.apply(task, curve.returns) / e.normaliser.gamma
    lanes = list(zip(curve.seeds, scores, strict=True))
    found = {
        metric: {seed: figure(steps, own) for seed, own in lanes}
        for metric, figure in OF_A_CURVE.items()
    }
    found |= {
        metric: {seed: first_reached(steps, own, level) for seed, own in lanes}
        for metric, level in REACHED.items()
    }
    return found | {"regret": _regrets(condition, task, curve)}


def _regrets(condition: Condition, task: str, curve: Curve) -> dict[int, float]:
    found = dict.fromkeys(curve.seeds, math.nan)
    for run in condition.runs[task]:
        if run.form != RUN_FOLDER:
            continue
        table = read_table(run.folder / "training.csv", TRAINING_COLUMNS)
        episodes = table[(table["metric"] == "episode_success") & (table["env_step"] > 0)]
        seeds, successes = (np.asarray(episodes[c], dtype=float) for c in ("seed", "value"))
        for seed in set(seeds.astype(int).tolist()) & set(found):
            found[seed] = regret(successes[seeds == seed])
    return found


def _row(
    task: str, condition: Condition, metric: str, values: dict[int, float], how: Bootstrap
) -> Row:
    known = {seed: value for seed, value in values.items() if not math.isnan(value)}
    row = {"value": math.nan, "low": math.nan, "high": math.nan}
    if known and metric in REACHED:
        row["value"] = float(np.quantile(list(known.values()), 0.5, method="inverted_cdf"))
    elif known:
        row = ends(per_task(Scores.of({task: known}), how)[task])
    named = {"task": task, "condition": condition.label, "metric": metric}
    shown = " ".join(f"{value:g}" for value in known.values())
    return named | row | {"seeds": len(known), "values": shown}
