"""Diagnostics against return, agent by agent: does a sick network go with a low score?"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from primacy.runs.report_study import Experiment

Frame = Any
"""A pandas DataFrame, whose own annotations are too wide to check with."""

RELATED = (
    "dormant_0.025",
    "dead",
    "fau",
    "erank",
    "srank_0.99",
    "weight_norm",
    "feature_norm",
    "grad_norm",
    "mean_q",
)
"""Diagnostics set against return."""

RELATION_COLUMNS = "experiment network layer metric across within agents tasks".split()

LAST = 4
"""Measurements averaged, of the diagnostic as of the return: one alone is noisy."""


FEWEST = 5
"""Agents a rank correlation needs: of three, half of all orders correlate at 0.5 or more."""


class Relation(NamedTuple):
    """One diagnostic of every agent, and the agent's score."""

    network: str
    layer: str
    metric: str
    across: float
    """Rank correlation over all agents of a task, averaged over tasks; NaN where undefined."""
    within: float
    """The same over the agents of one condition of a task: what the condition does not explain."""
    table: Frame
    """condition, task, seed, x (diagnostic), y (normalised score)."""


def relations(experiment: Experiment) -> list[Relation]:
    """Every diagnostic of `RELATED`, at the layer that feeds the heads."""
    import pandas as pd

    parts = [
        part
        for condition in experiment.conditions
        for task in condition.curves
        for part in [_agents(experiment, condition.name, task)]
        if len(part)
    ]
    if not parts:
        return []
    found = []
    agents: Frame = pd.concat(parts)
    for (network, metric), rows in agents.groupby(["network", "metric"], sort=False):
        layer = feature_layer(rows["layer"].unique().tolist())
        rows = rows[rows["layer"] == layer]
        across, within = correlation(rows, ["task"]), correlation(rows, ["task", "condition"])
        found.append(Relation(network, layer, metric, across, within, rows))
    order = {metric: at for at, metric in enumerate(RELATED)}
    return sorted(found, key=lambda one: (one.network != "critic", one.network, order[one.metric]))


def feature_layer(layers: Sequence[str]) -> str:
    """The last hidden layer among `layers`: the heads read its features.

    Hidden layers are numbered ("critic.1"), heads are named ("critic.q"), "" is a whole network.
    """
    numbered = [layer for layer in layers if layer.rpartition(".")[2].isdigit()]
    return numbered[-1] if numbered else layers[-1]


def _agents(experiment: Experiment, name: str, task: str) -> Frame:
    """A row per seed and diagnostic of one condition on one task."""
    import pandas as pd

    condition = next(c for c in experiment.conditions if c.name == name)
    step, curve = experiment.steps[task], condition.curves[task]
    table: Frame = pd.concat([run.diagnostics for run in condition.runs[task]])
    wanted = table["metric"].isin(RELATED) & table["seed"].isin(curve.seeds)
    table = table[wanted & (table["env_step"] <= step)].sort_values("env_step", kind="stable")
    keys = ["network", "layer", "metric", "seed"]
    last = table[table.groupby(keys, sort=False).cumcount(ascending=False) < LAST]
    means = last.groupby(keys, sort=False)["value"].mean().rename("x").reset_index()
    by = experiment.normaliser
    score = {seed: float(by.apply(task, v)) for seed, v in curve.last_four(step).items()}
    return means.assign(condition=name, task=task, y=means["seed"].map(score))


def correlation(rows: Frame, by: list[str]) -> float:
    """Spearman's rank correlation of x and y within each group, averaged over groups.

    Groups of fewer than five agents, or in which x or y does not vary, are left out; NaN where
    none is left.
    """
    found = []
    for _, group in rows.groupby(by, sort=False):
        x, y = (group[name].rank().to_numpy() for name in ("x", "y"))
        if len(group) >= FEWEST and np.ptp(x) > 0 and np.ptp(y) > 0:
            found.append(np.corrcoef(x, y)[0, 1])
    return float(np.mean(found)) if found else np.nan


def relation_rows(experiment: Experiment, found: Sequence[Relation]) -> Iterable[dict[str, Any]]:
    """A row per diagnostic with its two correlations."""
    for one in found:
        yield {
            "experiment": experiment.title,
            "network": one.network,
            "layer": one.layer,
            "metric": one.metric,
            "across": one.across,
            "within": one.within,
            "agents": len(one.table),
            "tasks": int(one.table["task"].nunique()),
        }
