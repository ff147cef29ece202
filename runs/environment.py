"""The environment that a configuration names."""

import gymnasium

from primacy.envs.suites import make
from primacy.runs.config import RunConfig


def environment(config: RunConfig) -> gymnasium.Env:
    """A new one, on the backend asked for.

    Raises UnknownTask, or Unsupported where the backend is not installed.
    """
    options = {"backend": config.backend} if config.backend else {}
    return make(config.task, config.action_repeat, **options)
