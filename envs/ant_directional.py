"""D4RL's ant on an open plane, rewarded for its speed along a direction that changes: what the
controller behind our AntMaze data is trained on."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box

from primacy.envs.ant_frame import FEATURES, look, motors, upright
from primacy.envs.antmaze import ACTION, Physics
from primacy.envs.antmaze_tasks import Maze

TASK = "ant-directional"
STEP = 0.1
"""Seconds of a control step."""
REDRAW = 40
"""Control steps between directions."""
LIMIT = 1000
"""Control steps of an episode."""
HEIGHTS = (0.2, 1.0)
"""The torso's height, in metres, outside of which an episode ends."""
UPRIGHT = 0.3
"""z of the torso's up-vector below which it ends."""

OPEN = Maze(("...", ".S.", "..G"))
"""No walls; the goal is not looked at."""


class DirectionalAnt(gymnasium.Env):
    """Observations float32 [28] and actions [8] in the leg-aligned frame of `ant_frame`; the reward
    is the speed along the direction, in m/s.

    Terminated when the ant falls, truncated after 1,000 control steps. The episode that begins
    with `reset(seed=k)` is a function of k and the actions.
    """

    metadata = {"render_modes": []}

    def __init__(self, action_repeat: int = 1) -> None:
        """`action_repeat` control steps of 0.1 s are one env step."""
        self.physics = Physics(OPEN)
        self.action_repeat = action_repeat
        self.spec = EnvSpec(TASK, entry_point="primacy.envs.ant_directional:DirectionalAnt")
        self.observation_space = Box(-np.inf, np.inf, (FEATURES,), np.float32)
        self.action_space = Box(-1.0, 1.0, (ACTION,), np.float32)
        self.episode_frames: int | None = LIMIT
        self._elapsed: int | None = None
        self._direction = np.zeros(2)
        self._turns = np.zeros(1, dtype=np.int64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode from D4RL's start, in a direction of its own."""
        super().reset(seed=seed)
        state = self.physics.reset(self.np_random)
        self._elapsed = 0
        self._redraw()
        return self._see(state), {"frames": 0}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """`action_repeat` control steps, or fewer at the end; rewards are summed.

        Raises ResetNeeded after an end.
        """
        if self._elapsed is None:
            raise ResetNeeded(f"the episode of {TASK} is over or has not begun: call reset")
        # As float32, in which AntMaze's data keep their actions.
        command = motors(np.asarray(action, dtype=np.float32)[None], self._turns)[0].clip(-1, 1)
        reward, frames, fallen = 0.0, 0, False
        state = np.empty(0)
        while frames < self.action_repeat and not fallen and self._elapsed < LIMIT:
            before = self.physics.data.qpos[:2].copy()
            state, _, _ = self.physics.step(command)
            reward += float((state[:2] - before) @ self._direction) / STEP
            frames += 1
            self._elapsed += 1
            fallen = not HEIGHTS[0] <= state[2] <= HEIGHTS[1]
            fallen |= bool(upright(state[None])[0] < UPRIGHT)
            if self._elapsed % REDRAW == 0:
                self._redraw()
        truncated = not fallen and self._elapsed == LIMIT
        if fallen or truncated:
            self._elapsed = None
        return self._see(state), reward, fallen, truncated, {"frames": frames}

    def _redraw(self) -> None:
        angle = self.np_random.uniform(-np.pi, np.pi)
        self._direction = np.array([np.cos(angle), np.sin(angle)])

    def _see(self, state: np.ndarray) -> np.ndarray:
        features, self._turns = look(state[None], self._direction[None])
        return features[0].astype(np.float32)
