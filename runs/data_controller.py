"""The ant controller behind generated AntMaze data: our own SAC on `ant-directional`, trained once
as an ordinary run and kept in the cache folder."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from primacy.agents.sac import SACConfig
from primacy.envs.ant_directional import OPEN, STEP, TASK
from primacy.envs.ant_frame import look, motors
from primacy.envs.antmaze import Physics
from primacy.runs.assembly import set_up_torch
from primacy.runs.conduct import train
from primacy.runs.config import RunConfig, to_dict
from primacy.runs.errors import UserError
from primacy.runs.evaluate_command import load_agent
from primacy.runs.folder import read_json, versions
from primacy.runs.randomness import Randomness

MEAN_SPEED = 0.4
"""m/s, over all headings: data of a slower controller are refused."""
WORST_SPEED = 0.2
"""m/s, of the worst heading."""
HEADINGS = 8
TRIAL = 100
"""Control steps walked along each heading to measure speeds."""

Policy = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""AntMaze observations [N, 29] and directions [N, 2] in the world -> actions [N, 8], float32."""


@dataclass(frozen=True)
class Controller:
    """A policy that walks along any direction, and how well."""

    act: Policy
    mean_speed: float
    """m/s along the direction asked for, mean over the headings."""
    worst_speed: float
    """m/s of the slowest heading."""
    config: dict[str, object]
    """The configuration of its run."""


def controller_config(env_steps: int = 40_000, seed: int = 0) -> RunConfig:
    """2 x 128 units, batches of 128, an update every second step after 5,000 random ones."""
    return RunConfig(
        task=TASK,
        seeds=(seed,),
        replay_ratio="1/2",
        env_steps=env_steps,
        start_steps=min(5_000, env_steps),
        batch_size=128,
        replay_capacity=env_steps,
        eval_every=0,
        diagnose_every=0,
        checkpoint_every=10_000,
        # Whether a compiler is installed must not show in the data.
        compile="never",
        algorithm=SACConfig(hidden_sizes=(128, 128), log_std_bound="clip"),
    )


def controller_folder(cache: Path, config: RunConfig) -> Path:
    """Where a controller's run lies: by a hash of its configuration and of the versions."""
    content = json.dumps({"config": to_dict(config), "versions": versions()}, sort_keys=True)
    return cache / "controllers" / hashlib.sha256(content.encode()).hexdigest()[:16]


def trained(folder: Path, config: RunConfig, quiet: bool) -> int:
    """Train the controller, or go on with it; nothing to do where it is finished.

    Returns the exit code: 0, or 128 + the signal that stopped it.
    """
    status = folder / "status.json"
    if status.exists() and read_json(status)["state"] == "finished":
        return 0
    return train(config, folder, quiet)


def controller(folder: Path, config: RunConfig, demanded: bool = True) -> Controller:
    """The controller of a finished run, with its speeds measured.

    Args:
        demanded: whether a slow one is refused.

    Raises:
        UserError: it walks more slowly than MEAN_SPEED, or than WORST_SPEED along some heading.
    """
    set_up_torch(config)
    agent, _ = load_agent(folder, config, None)

    def act(observations: np.ndarray, directions: np.ndarray) -> np.ndarray:
        features, turns = look(observations, directions)
        seen = torch.from_numpy(features.astype(np.float32))
        return motors(agent.act_greedily(seen[None])[0].numpy(), turns)

    speeds = heading_speeds(act)
    mean, worst = float(speeds.mean()), float(speeds.min())
    if demanded and (mean < MEAN_SPEED or worst < WORST_SPEED):
        raise UserError(
            f"the ant controller walks at {mean:.2f} m/s, its worst heading at {worst:.2f}: "
            f"data need {MEAN_SPEED:g} and {WORST_SPEED:g}",
            f"raise --controller-steps (now {config.env_steps}) or change --controller-seed "
            f"(now {config.seeds[0]})",
        )
    return Controller(act, mean, worst, to_dict(config))


def heading_speeds(act: Policy) -> np.ndarray:
    """Speed in m/s along each of HEADINGS directions on an open plane, [HEADINGS]."""
    angles = 2 * np.pi * np.arange(HEADINGS) / HEADINGS
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    ants = [Physics(OPEN) for _ in angles]
    starts = Randomness(tuple(range(HEADINGS))).generators("data", 0, "trial")
    seen = np.array([ant.reset(start) for ant, start in zip(ants, starts, strict=True)])
    begun = seen[:, :2].copy()
    for _ in range(TRIAL):
        actions = act(seen, directions).clip(-1, 1)
        seen = np.array([ant.step(own)[0] for ant, own in zip(ants, actions, strict=True)])
    return ((seen[:, :2] - begun) * directions).sum(axis=1) / (TRIAL * STEP)
