"""What others published on Atari-100k, to be laid beside a report: facts, no runs of ours."""

import csv
from dataclasses import dataclass
from importlib.resources import files
from math import nan


@dataclass(frozen=True)
class Aggregate:
    """Human-normalised scores over 26 games at 100,000 env steps."""

    source: str
    condition: str
    iqm: float
    median: float
    mean: float
    optimality_gap: float = nan
    low: float = nan
    """95% interval of the IQM, stratified bootstrap."""
    high: float = nan
    runs: str = ""
    """Runs a game."""
    hours: float = nan
    """GPU hours of a run, on a card that is not said."""


TABLE = "Hare & Tortoise (Lee et al. 2024)"
SCORES = "score files of BBF (Schwarzer et al. 2023)"
STUDY = "score files of Nikishin et al. 2022"
RESET = "S&P + head reset"

AGGREGATES = (
    Aggregate(TABLE, "DrQ", 0.243, 0.193, 0.468, 0.642, runs="5"),
    Aggregate(TABLE, "DrQ + S&P", 0.139, 0.138, 0.458, 0.728, runs="5"),
    Aggregate(TABLE, "DrQ + H&T", 0.287, 0.260, 0.471, 0.617, runs="5"),
    Aggregate(TABLE, "DrQ + head reset 20k", 0.332, 0.254, 0.694, 0.580, runs="5"),
    Aggregate(TABLE, "DrQ + head reset 40k", 0.288, 0.241, 0.532, 0.607, runs="5"),
    Aggregate(TABLE, "DrQ + head reset 40k + H&T", 0.328, 0.329, 0.584, 0.583, runs="5"),
    Aggregate(
        f"{TABLE}, from BBF's files",
        f"BBF without self-prediction + {RESET}",
        *(0.826, 0.711, 1.737, 0.397, 0.763, 0.896),
        runs="14",
        hours=1.4,
    ),
    Aggregate(
        TABLE,
        f"BBF without self-prediction + {RESET} + H&T",
        *(0.891, 0.749, 1.719, 0.372),
        runs="5",
        hours=1.4,
    ),
    Aggregate(
        f"{TABLE}, from BBF's files",
        f"BBF + {RESET}",
        *(0.940, 0.755, 2.175, 0.377, 0.872, 1.006),
        runs="14",
        hours=2.8,
    ),
    Aggregate(SCORES, "BBF without resets", 0.653, 0.647, 1.097, 0.434, 0.611, 0.697, "14"),
    Aggregate(SCORES, "BBF, replay ratio 8", 1.023, 0.880, 2.238, 0.341, 0.993, 1.056, "52 to 60"),
    Aggregate(
        SCORES,
        "BBF, replay ratio 8, without resets",
        0.398,
        0.447,
        0.739,
        0.557,
        0.371,
        0.425,
        "15",
    ),
    Aggregate(STUDY, "DrQ(eps)", 0.280, 0.313, 0.465, runs="100"),
    Aggregate(STUDY, "SPR", 0.337, 0.396, 0.616, runs="100"),
)
"""Rows of the table first. Those that it took from BBF's files have 14 runs a game, not 5: no
comparison within it is paired."""


def by_game() -> dict[str, dict[str, float]]:
    """Game -> agent -> the published mean return at 100,000 env steps."""
    text = (files("primacy.runs") / "atari100k_published.csv").read_text("utf-8")
    return {
        row.pop("game"): {agent: float(value) for agent, value in row.items()}
        for row in csv.DictReader(text.splitlines())
    }
