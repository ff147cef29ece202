"""The environment that a configuration names."""

import gymnasium
from gymnasium.spaces import Discrete

from primacy.envs.suites import make
from primacy.runs.config import RunConfig
from primacy.runs.errors import UserError


def environment(config: RunConfig) -> gymnasium.Env:
    """A new one, on the backend asked for.

    Raises UnknownTask, Unsupported where the backend is not installed, or UserError for a task of
    frames and choices, for no agent of this command sees yet.
    """
    options = {"backend": config.backend} if config.backend else {}
    env = make(config.task, config.action_repeat, **options)
    if isinstance(env.action_space, Discrete):
        env.close()
        raise UserError(
            f"agent {config.agent} takes vectors and continuous actions, {config.task} has neither",
            "choose a task of the DeepMind Control suite or an AntMaze",
        )
    return env
