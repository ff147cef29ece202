"""The environment that a configuration names."""

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete

from primacy.envs.suites import make
from primacy.runs.agents import ALGORITHMS, TAKES, Takes
from primacy.runs.config import RunConfig
from primacy.runs.errors import UserError


def environment(config: RunConfig) -> gymnasium.Env:
    """A new one, on the backend asked for.

    Raises UnknownTask, Unsupported where the backend is not installed, or UserError for a task
    that the agent cannot see or play.
    """
    options = {"backend": config.backend} if config.backend else {}
    env = make(config.task, config.action_repeat, **options)
    given = Takes(
        frames=env.observation_space.dtype == np.uint8,
        choices=isinstance(env.action_space, Discrete),
    )
    taken = TAKES[type(config.algorithm)]
    if given != taken:
        env.close()
        fitting = [name for name, kind in ALGORITHMS.items() if TAKES[kind] == given]
        raise UserError(
            f"agent {config.agent} takes {taken}, {config.task} has {given}",
            f"give --agent {' or '.join(fitting)}, or another --task",
        )
    return env
