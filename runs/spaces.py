"""What the agent of a run sees and does, as its task's environment has it."""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete

from primacy.envs.atari_frames import BeforeStart, FrameStack
from primacy.replay.buffer import Replay, describe
from primacy.replay.draws import Priorities, Uniform
from primacy.replay.frame_layout import FrameLayout
from primacy.replay.frames import FrameReplay, describe_frames
from primacy.replay.layout import Layout
from primacy.runs.agents import AgentConfig
from primacy.runs.config import RunConfig
from primacy.runs.environment import environment


@dataclass(frozen=True)
class Spaces:
    """Observations and actions of one environment, and how many frames an agent sees together."""

    observation: tuple[int, ...]
    """(O,), or that of a frame: (H, W), (C, H, W)."""
    actions: int
    """Numbers in an action, or choices."""
    choices: bool
    stack: int
    """Frames that are seen together; 0 for vectors."""

    @classmethod
    def of(cls, env: gymnasium.Env, algorithm: AgentConfig) -> "Spaces":
        """Those of an environment that this agent takes."""
        space, action = env.observation_space, env.action_space
        choices = isinstance(action, Discrete)
        count = int(action.n) if isinstance(action, Discrete) else _size(action)
        if space.dtype == np.uint8:
            return cls(space.shape or (), count, choices, getattr(algorithm, "frame_stack", 1))
        return cls((_size(space),), count, choices, 0)

    @property
    def seen(self) -> int | tuple[int, int, int]:
        """What an agent is made for: O, or the shape (C, H, W) of a stack of frames."""
        if not self.stack:
            return self.observation[0]
        *channels, height, width = self.observation
        return self.stack * (channels[0] if channels else 1), height, width

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what is seen: (O,) or (C, H, W)."""
        return (self.seen,) if isinstance(self.seen, int) else self.seen

    @property
    def layout(self) -> Layout | FrameLayout:
        """How transitions are packed."""
        if not self.stack:
            return Layout(self.observation[0], self.actions)
        return FrameLayout(self.observation, None if self.choices else self.actions)

    def eyes(self, lanes: int, algorithm: AgentConfig) -> FrameStack | None:
        """What remembers the last frames of some lanes; None for vectors."""
        if not self.stack:
            return None
        return FrameStack(lanes, self.observation, self.stack, _before_start(algorithm))

    def describe(self, lanes: int, capacity: int) -> str:
        """The size of replay in words."""
        layout = self.layout
        if isinstance(layout, FrameLayout):
            return describe_frames(layout, lanes, capacity, self.stack)
        return describe(layout, lanes, capacity)

    def replay(self, config: RunConfig, capacity: int) -> Replay | FrameReplay:
        """An empty buffer. Raises ReplayError where it does not fit."""
        layout, lanes, algorithm = self.layout, len(config.seeds), config.algorithm
        if isinstance(layout, Layout):
            return Replay(layout, lanes, capacity, config.device)
        prioritised = getattr(algorithm, "priority_exponent", 0.0) > 0
        draws = Priorities(lanes, capacity, config.device) if prioritised else Uniform()
        before = _before_start(algorithm)
        return FrameReplay(layout, lanes, capacity, self.stack, before, draws, config.device)


def spaces_of(config: RunConfig) -> Spaces:
    """Those of a run's task, whose environment is made for it. Raises as `environment` does."""
    env = environment(config)
    try:
        return Spaces.of(env, config.algorithm)
    finally:
        env.close()


def lives_count(algorithm: AgentConfig) -> bool:
    """Whether a lost life ends what is learned from, and with it the agent's stack of frames, in
    training and in evaluation."""
    return getattr(algorithm, "life_ends", False)


def _size(space: gymnasium.Space) -> int:
    if space.shape is None:
        raise TypeError(f"{space} has no shape")
    return int(np.prod(space.shape))


def _before_start(algorithm: Any) -> BeforeStart:
    return algorithm.before_start
