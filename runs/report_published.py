"""Published results beside those of a report, where its tasks are games of Atari-100k."""

from collections.abc import Iterable, Sequence
from math import nan

from primacy.runs.normalisation import key
from primacy.runs.published import AGGREGATES, by_game
from primacy.runs.report_scores import Row
from primacy.runs.report_study import Experiment

PUBLISHED_COLUMNS = (
    "source condition games runs iqm low high median mean optimality_gap hours".split()
)
GAME_COLUMNS = "game agent return".split()
HERE = "here"


def published(
    experiments: Sequence[Experiment], aggregates: Sequence[Row], costs: Sequence[Row]
) -> Iterable[Row]:
    """The conditions of a report, then what others published on all 26 games.

    Hours are of one seed, on whatever machine trained it; a run's are shared by its seeds.
    """
    for experiment in _games(experiments):
        for condition in experiment.conditions:
            own = {r["aggregate"]: r for r in aggregates if r["condition"] == condition.label}
            if not own:
                continue
            spent = [row for row in costs if row["condition"] == condition.label]
            seeds = sum(row["seeds"] for row in spent)
            yield {
                "source": HERE,
                "condition": condition.label,
                "games": own["iqm"]["tasks"],
                "runs": own["iqm"]["seeds"],
                "iqm": own["iqm"]["value"],
                "low": own["iqm"]["low"],
                "high": own["iqm"]["high"],
                **{name: own[name]["value"] for name in ("median", "mean", "optimality_gap")},
                "hours": sum(r["seconds"] for r in spent) / 3600 / seeds if seeds else nan,
            }
    for row in AGGREGATES if _games(experiments) else ():
        yield {
            "source": row.source,
            "condition": row.condition,
            "games": 26,
            "runs": row.runs,
            "iqm": row.iqm,
            "low": row.low,
            "high": row.high,
            "median": row.median,
            "mean": row.mean,
            "optimality_gap": row.optimality_gap,
            "hours": row.hours,
        }


def published_games(experiments: Sequence[Experiment]) -> Iterable[Row]:
    """Published mean returns on the games of a report."""
    tasks = {key(task) for experiment in _games(experiments) for task in experiment.tasks}
    for game, agents in by_game().items():
        for agent, value in agents.items() if key(game) in tasks else ():
            yield {"game": game, "agent": agent, "return": value}


def _games(experiments: Sequence[Experiment]) -> list[Experiment]:
    return [e for e in experiments if e.normaliser.name == "atari"]
