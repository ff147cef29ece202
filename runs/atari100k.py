"""The Atari-100k table of Hare & Tortoise (Lee et al. 2024) as named conditions: what do resets,
shrink & perturb and hare & tortoise do to DrQ and to BBF?

drq is a small network at replay ratio 2, most likely PLASTIC's; bbf-rl the large residual network
without self-prediction, bbf with it. The table's rows for BBF without hare & tortoise are BBF's own
(Schwarzer et al. 2023). What the paper leaves open is chosen here and said: the interval of hare &
tortoise, and how much shrink & perturb keeps.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from primacy.envs import atari_games
from primacy.runs.config import RunConfig, near
from primacy.runs.errors import UserError
from primacy.runs.options import as_arguments
from primacy.runs.settings import bbf, bbf_rl, drq_atari
from primacy.runs.sweep import Cell

TASKS = tuple(atari_games.TASKS)

PUBLISHED_UPDATES = 196_000
"""Gradient steps of 100,000 env steps at replay ratio 2, the first 2,000 without learning; all
intervals are shares of it."""


@dataclass(frozen=True)
class Scale:
    """Sizes at which the conditions are run."""

    seeds: tuple[int, ...]
    tasks: tuple[str, ...] = TASKS
    sizes: Mapping[str, Any] = field(default_factory=dict)
    """What of every run differs from the published settings."""
    algorithm: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same of the agent's own settings, by agent."""


SMALL_BBF: Mapping[str, Any] = {"channels": (8, 16, 16), "hidden_size": 256, "annealing": 1_000}

SCALES = {
    "paper": Scale(seeds=tuple(range(5))),
    "cpu": Scale(
        seeds=(0, 1),
        tasks=("atari-road_runner",),
        sizes={
            "env_steps": 10_000,
            "start_steps": 1_001,
            "eval_every": 2_000,
            "eval_episodes": 10,
            "diagnose_every": 2_000,
            "log_every": 500,
        },
        algorithm={
            "drq-atari": {"hidden_size": 512},
            "bbf-rl": SMALL_BBF,
            "bbf": SMALL_BBF,
        },
    ),
    "smoke": Scale(
        seeds=(0, 1, 2),
        # Its episodes end soon, whatever is done.
        tasks=("atari-alien",),
        sizes={
            "env_steps": 80,
            "start_steps": 41,
            "replay_ratio": "1",
            "batch_size": 4,
            "eval_every": 80,
            "eval_episodes": 1,
            "diagnose_every": 80,
            "log_every": 20,
            "compile": "never",
        },
        algorithm={
            "drq-atari": {"channels": (4, 4, 4), "hidden_size": 16},
            "bbf-rl": {"channels": (2, 4, 4), "hidden_size": 16, "annealing": 10},
            "bbf": {"channels": (2, 4, 4), "hidden_size": 16, "annealing": 10, "jumps": 2},
        },
    ),
}


@dataclass(frozen=True)
class Every:
    """Intervals in gradient steps at some length of a run."""

    reset: int
    """40,000 of the published 196,000."""
    half: int
    """20,000 of them."""
    hare: int
    """2,000 of them: the paper's is not known."""

    @classmethod
    def of(cls, updates: int) -> "Every":
        """Those of a run of so many gradient steps."""
        counts = (40_000, 20_000, 2_000)
        return cls(*(max(2, round(n * updates / PUBLISHED_UPDATES)) for n in counts))

    @property
    def tortoise(self) -> str:
        """Hare & tortoise with the target network as tortoise, half an interval away from resets:
        a copy at a reset would take the target's fresh layers."""
        return f"hare-tortoise:every={self.hare},offset={self.hare // 2},shadow=target"

    def head(self, every: int) -> str:
        """Both layers behind the convolutions drawn anew, in the target alike, and the optimiser
        begun anew (PLASTIC)."""
        return f"reset:every={every},networks=critic,layers=head:2,optimiser=all"

    @property
    def perturbed(self) -> str:
        """All layers go four fifths of the way back to their first weights: "S&P 0.8" of Hare &
        Tortoise's code for supervised learning; that of its table is not known."""
        return f"shrink-perturb:every={self.reset},networks=critic,shrink=0.2,source=initial"


DRQ: dict[str, tuple[str, Callable[[Every], tuple[str, ...]]]] = {
    "drq": ("DrQ", lambda every: ()),
    "drq-sp": ("DrQ + S&P", lambda every: (every.perturbed,)),
    "drq-ht": ("DrQ + H&T", lambda every: (every.tortoise,)),
    "drq-hr20k": ("DrQ + head reset 20k", lambda every: (every.head(every.half),)),
    "drq-hr40k": ("DrQ + head reset 40k", lambda every: (every.head(every.reset),)),
    "drq-hr40k-ht": (
        "DrQ + head reset 40k + H&T",
        lambda every: (every.head(every.reset), every.tortoise),
    ),
}
"""Condition -> its label, as runs/published.py has it, and its remedies."""


def conditions(task: str, scale: Scale) -> Iterator[Cell]:
    """The runs of one game. Names are TASK/CONDITION.

    Raises UserError for a task that is no game of the benchmark.
    """
    if task not in atari_games.TASKS:
        raise UserError(f"{task!r} is no game of Atari-100k", near(task, list(TASKS)))
    drq = _sized(drq_atari(task), scale)
    every = Every.of(drq.updates_until(drq.env_steps))
    for name, (label, remedies) in DRQ.items():
        yield _train(f"{task}/{name}", replace(drq, remedies=remedies(every), label=label))
    for agent, label in ((bbf_rl(task), "BBF without self-prediction"), (bbf(task), "BBF")):
        sized = _sized(agent, scale)
        resets = tuple(text.replace("40000", str(every.reset)) for text in sized.remedies)
        plain = replace(sized, remedies=resets, label=f"{label} + S&P + head reset")
        yield _train(f"{task}/{agent.agent}", plain)
        if agent.agent == "bbf-rl":
            treated = (*resets, every.tortoise)
            both = replace(plain, remedies=treated, label=f"{plain.label} + H&T")
            yield _train(f"{task}/{agent.agent}-ht", both)


def _sized(config: RunConfig, scale: Scale) -> RunConfig:
    algorithm: Any = replace(config.algorithm, **scale.algorithm.get(config.agent, {}))
    return replace(config, seeds=scale.seeds, algorithm=algorithm, **scale.sizes)


def _train(name: str, config: RunConfig) -> Cell:
    return Cell(name, ("train", *as_arguments(config)), config)


def intervals(scale: Scale) -> str:
    """How far interventions are apart."""
    config = _sized(drq_atari(TASKS[0]), scale)
    updates = config.updates_until(config.env_steps)
    every = Every.of(updates)
    return (
        f"of {updates:,} gradient steps: resets every {every.reset:,} (20k: {every.half:,}), hare "
        f"& tortoise every {every.hare:,}"
    )
