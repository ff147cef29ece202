"""Offline to online on AntMaze as named conditions: does pre-training harm, does a 100% reset help?

A and B are the two published recipes, IQL with fine-tuning (Kostrikov et al. 2021) and RLPD without
pre-training (Ball et al. 2023). They differ in eight things at once, so the others change one thing
each: C is A, and E is D, with the whole agent reset at the switch and the data kept; D is RLPD with
pre-training; F is IQL without it; G is A with RLPD's sampling; H and I are D and A with a remedy
during the online phase. E should equal B, and C equal F, in distribution.

The offline phase of each agent is run once per task and forked into the rows that share it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from primacy.agents import iql as implicit_q_learning
from primacy.agents import rlpd as prior_data
from primacy.agents.iql import IQLConfig
from primacy.agents.rlpd import RLPDConfig
from primacy.envs import antmaze_tasks
from primacy.runs.config import RunConfig, near
from primacy.runs.data_controller import controller_config
from primacy.runs.errors import UserError
from primacy.runs.options import as_arguments, differing
from primacy.runs.settings import iql, rlpd
from primacy.runs.sweep import Cell

TASKS = ("antmaze-umaze-v2",)
"""The smallest maze; --tasks names others."""

PARTS = 6
"""Remedies of H and I come after each sixth of the online phase but the last (Nikishin et al. reset
ten times a run; no paper has an interval for these agents)."""

REMEDIES = {"head": "reset:layers=head:1", "sp": "shrink-perturb", "ht": "hare-tortoise"}
"""The remedies X of rows H and I by their suffix: head reset, shrink & perturb, hare & tortoise."""


@dataclass(frozen=True)
class Scale:
    """Sizes at which the conditions are run."""

    seeds: tuple[int, ...]
    sizes: Mapping[str, Any] = field(default_factory=dict)
    """What of every run differs from the published settings."""
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same by agent."""
    algorithm: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same of the agent's own settings."""
    offline_updates: Mapping[str, int] = field(default_factory=dict)
    """Gradient steps of the critic before the first env step, by agent."""
    data: Mapping[str, Any] | None = None
    """Options of `primacy data antmaze`; None for D4RL's own file."""


CPU = {
    "hidden_sizes": (64, 64, 64),
    "actor_learning_rate": 1e-3,
    "critic_learning_rate": 1e-3,
    "target_rate": 0.02,
}
"""What both agents have at cpu scale."""

SCALES = {
    # RLPD has no published pre-training: as many critic steps as IQL has.
    "paper": Scale(
        seeds=tuple(range(10)),
        offline_updates={"iql": 1_000_000, "rlpd": 1_000_000},
    ),
    # Chosen by short trials; docs/results/antmaze-offline-online.md is what came of them: rows A to
    # F take two hours of one core. The published step sizes and target rate are for many times as
    # many updates.
    "cpu": Scale(
        seeds=(0, 1, 2),
        sizes={
            "env_steps": 20_000,
            "eval_every": 4_000,
            "eval_episodes": 20,
            "diagnose_every": 4_000,
            "normalize_observations": True,
        },
        own={
            "iql": {"batch_size": 128},
            "rlpd": {"batch_size": 64, "replay_ratio": "8", "start_steps": 1_000},
        },
        algorithm={
            "iql": {**CPU, "value_learning_rate": 1e-3, "temperature": 3.0},
            "rlpd": {
                **CPU,
                "temperature_learning_rate": 1e-3,
                "critics": 4,
                "critic_steps": 2,
            },
        },
        offline_updates={"iql": 50_000, "rlpd": 50_000},
        data={"rows": 100_000, "quality": 0.8},
    ),
    "smoke": Scale(
        seeds=(0, 1, 2),
        sizes={
            "env_steps": 300,
            "batch_size": 16,
            "eval_every": 100,
            "eval_episodes": 1,
            "diagnose_every": 100,
            "log_every": 100,
            "normalize_observations": True,
        },
        own={"rlpd": {"replay_ratio": "2", "start_steps": 50}},
        algorithm={
            "iql": {"hidden_sizes": (16, 16, 16)},
            "rlpd": {"hidden_sizes": (16, 16, 16), "critics": 4, "critic_steps": 2},
        },
        offline_updates={"iql": 100, "rlpd": 100},
        # A controller that has not learned to walk: this is a trial of the machinery.
        data={
            "rows": 2_000,
            "quality": 0.8,
            "controller_steps": 200,
            "any_controller": True,
            "clone_steps": 0,
        },
    ),
}


def deck_iql(task: str, data: str) -> RunConfig:
    """IQL's AntMaze setting with RLPD's three hidden layers, so that all rows have one
    architecture; nothing is random at the start, for there are data."""
    return _shared(
        replace(
            iql(task),
            start_steps=1,
            offline_data=data,
            algorithm=implicit_q_learning.antmaze(IQLConfig(hidden_sizes=(256, 256, 256))),
        )
    )


def deck_rlpd(task: str, data: str) -> RunConfig:
    """RLPD's AntMaze setting: half of each batch from the data."""
    return _shared(
        replace(
            rlpd(task),
            env_steps=300_000,
            offline_data=data,
            online_sampling="symmetric:0.5",
            algorithm=prior_data.antmaze(RLPDConfig()),
        )
    )


def _shared(config: RunConfig) -> RunConfig:
    """What both papers do on AntMaze: rewards of -1 and 0, 100 evaluation episodes, room for all
    transitions."""
    return replace(
        config,
        reward_bias=-1.0,
        replay_capacity=2_000_000,
        eval_every=10_000,
        eval_episodes=100,
    )


PUBLISHED: dict[str, Callable[[str, str], RunConfig]] = {"iql": deck_iql, "rlpd": deck_rlpd}


def conditions(task: str, scale: Scale, offline_data: str = "") -> Iterator[Cell]:
    """The runs of one task, each after what it needs. Names are TASK/CONDITION.

    Args:
        offline_data: a data file; without it D4RL's own, or data that are made first.

    Raises:
        UserError: no such task or file.
    """
    if task not in antmaze_tasks.TASKS:
        names = list(antmaze_tasks.TASKS)
        raise UserError(f"{task!r} is no AntMaze task", near(task, names))
    if offline_data and not offline_data.startswith("d4rl:") and not Path(offline_data).exists():
        raise UserError(
            f"--offline-data {offline_data}: there is no such file",
            "give a file with D4RL's keys, the folder of a Minari dataset, or d4rl:TASK",
        )
    first, source = "", offline_data or f"d4rl:{task}"
    if scale.data is not None and not offline_data:
        made = _data(task, scale.data)
        yield made
        first, source = made.name, f"{{out}}/{made.name}{made.file}"
    for agent in PUBLISHED:
        yield from _rows(task, _sized(task, agent, scale, source), scale, first)


def _data(task: str, sizes: Mapping[str, Any]) -> Cell:
    options = {name: value for name, value in sizes.items() if value is not True}
    flags = [_option(name) for name, value in sizes.items() if value is True]
    given = [text for name, value in options.items() for text in (_option(name), str(value))]
    steps = {"env_steps": sizes["controller_steps"]} if "controller_steps" in sizes else {}
    command = ("data", "antmaze", "--task", task, *given, *flags)
    return Cell(f"{task}/data", command, controller_config(**steps), file=".npz")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _sized(task: str, agent: str, scale: Scale, source: str) -> RunConfig:
    """An agent from scratch with the data in replay, at the scale's sizes."""
    published = PUBLISHED[agent](task, source)
    algorithm: Any = replace(published.algorithm, **scale.algorithm.get(agent, {}))
    changed = {**scale.sizes, **scale.own.get(agent, {}), "algorithm": algorithm}
    return replace(published, seeds=scale.seeds, **changed)


def _rows(task: str, scratch: RunConfig, scale: Scale, first: str) -> Iterator[Cell]:
    """The conditions of one agent: from scratch, its offline phase, and the forks of that."""
    agent, kind = scratch.agent, KINDS[scratch.agent]
    yield _train(f"{task}/{kind.scratch.replace(' ', '-')}", scratch, kind.scratch, first)
    offline = replace(
        scratch,
        env_steps=0,
        offline_updates=scale.offline_updates[agent],
        label=f"{agent} offline",
    )
    parent = f"{task}/offline-{agent}"
    yield Cell(parent, ("train", *as_arguments(offline)), offline, after=first)
    online = replace(offline, env_steps=scratch.env_steps)
    for label, changed in kind.forks(scratch.env_steps).items():
        config = replace(online, label=label, **changed)
        command = ("fork", f"{{out}}/{parent}", "--at", "0", *differing(config, offline))
        yield Cell(f"{task}/{label.replace(' ', '-')}", command, config, after=parent)


def _train(name: str, config: RunConfig, label: str, after: str) -> Cell:
    labelled = replace(config, label=label)
    return Cell(name, ("train", *as_arguments(labelled)), labelled, after=after)


Changes = dict[str, dict[str, Any]]
"""Label -> what of a fork differs from the offline phase, beside its length."""


@dataclass(frozen=True)
class Kind:
    """The rows of one agent."""

    scratch: str
    """Label of the row without an offline phase."""
    forks: Callable[[int], Changes]
    """Env steps -> the rows with one."""


def during(env_steps: int) -> dict[str, str]:
    """The remedies of rows H and I, with when they come."""
    every = max(1, env_steps // PARTS)
    when = f"every={every},unit=env_steps,until={every * (PARTS - 1)}"
    return {
        suffix: f"{remedy}{',' if ':' in remedy else ':'}{when}"
        for suffix, remedy in REMEDIES.items()
    }


def _iql_forks(env_steps: int) -> Changes:
    found: Changes = {
        "A iql-ft": {},
        "C iql-reset": {"at_switch": ("reset",)},
        "G iql-ft-sym": {"online_sampling": "symmetric:0.5"},
    }
    remedies = during(env_steps).items()
    return found | {f"I iql-ft-{suffix}": {"remedies": (text,)} for suffix, text in remedies}


def _rlpd_forks(env_steps: int) -> Changes:
    # What pre-training is worth shows only where its policy acts from the first step.
    kept = {"warmup_policy": "agent"}
    found: Changes = {"D rlpd-pre": kept, "E rlpd-pre-reset": {"at_switch": ("reset",)}}
    remedies = during(env_steps).items()
    return found | {
        f"H rlpd-pre-{suffix}": {**kept, "remedies": (text,)} for suffix, text in remedies
    }


KINDS = {"iql": Kind("F iql-scratch", _iql_forks), "rlpd": Kind("B rlpd", _rlpd_forks)}


def intervals(scale: Scale) -> str:
    """When remedies come and how long the offline phases are."""
    lines = []
    for agent, updates in scale.offline_updates.items():
        steps = _sized(TASKS[0], agent, scale, "data").env_steps
        every = max(1, steps // PARTS)
        lines.append(
            f"{agent}: {updates:,} offline gradient steps, {steps:,} env steps, remedies of "
            f"{'H' if agent == 'rlpd' else 'I'} every {every:,} env steps until "
            f"{every * (PARTS - 1):,}"
        )
    return "\n".join(lines)
