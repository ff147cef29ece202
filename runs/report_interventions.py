"""What interventions did to the networks: diagnostics just before and just after."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from primacy.runs.report_relations import Frame, feature_layer
from primacy.runs.report_study import Condition, Experiment

INTERVENTION_COLUMNS = (
    "condition network layer metric before after change low high measured tasks".split()
)

SHOWN = ("dormant_0.025", "erank", "weight_norm", "mean_q", "dist_init", "feature_norm")
"""Metrics that are drawn; the CSV has all of them."""

KEY = ("task", "condition", "env_step", "seed", "network", "layer", "metric")


class Change(NamedTuple):
    """One diagnostic around the interventions of an experiment."""

    network: str
    layer: str
    metric: str
    table: Frame
    """task, condition (its name), env_step, seed, before, after: a row per agent and time."""


def changes(experiment: Experiment) -> list[Change]:
    """Every diagnostic measured before and after interventions, in order of first appearance.

    `primacy train` measures around the first interventions of each --diagnose-every, all that are
    due at once together.
    """
    import pandas as pd

    tables = [
        run.around[run.around["seed"].isin(curve.seeds)].assign(task=task, condition=condition.name)
        for condition in experiment.conditions
        for task, curve in condition.curves.items()
        for run in condition.runs[task]
    ]
    table: Frame = pd.concat(tables).astype({"env_step": int, "seed": int})
    if table.empty:
        return []
    kept = table.drop_duplicates([*KEY, "phase"], keep="last").set_index([*KEY, "phase"])["value"]
    wide = kept.unstack("phase").reindex(columns=["before", "after"]).dropna().reset_index()
    names = ["network", "layer", "metric"]
    order = {key: at for at, key in enumerate(dict.fromkeys(table[names].itertuples(False, None)))}
    groups = wide.groupby(names, sort=False)
    ordered = sorted(groups, key=lambda one: order[one[0]])
    return [Change(key[0], key[1], key[2], rows) for key, rows in ordered]


def drawn(found: Sequence[Change]) -> list[Change]:
    """Those of `SHOWN`, at the layer that feeds the heads; critics first, then by metric."""
    layers: dict[tuple[str, str], list[str]] = {}
    for one in found:
        layers.setdefault((one.network, one.metric), []).append(one.layer)
    order = {metric: at for at, metric in enumerate(SHOWN)}
    kept = [
        one
        for one in found
        if one.metric in SHOWN and one.layer == feature_layer(layers[one.network, one.metric])
    ]
    return sorted(kept, key=lambda one: (one.network != "critic", one.network, order[one.metric]))


def summary(experiment: Experiment, found: Sequence[Change]) -> Iterable[dict[str, Any]]:
    """Medians before and after, and median and quartiles of the change, over agents and times."""
    for condition in experiment.conditions:
        for one in found:
            rows = one.table[one.table["condition"] == condition.name]
            if len(rows):
                yield _summarised(condition, one, rows)


def _summarised(condition: Condition, one: Change, rows: Frame) -> dict[str, Any]:
    before, after = rows["before"].to_numpy(), rows["after"].to_numpy()
    low, middle, high = np.percentile(after - before, [25, 50, 75]).tolist()
    return {
        "condition": condition.label,
        "network": one.network,
        "layer": one.layer,
        "metric": one.metric,
        "before": float(np.median(before)),
        "after": float(np.median(after)),
        "change": middle,
        "low": low,
        "high": high,
        "measured": len(rows),
        "tasks": int(rows["task"].nunique()),
    }
