"""A small environment whose every number is known in advance."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from primacy.envs.faults import ActionFault


class Toy(gymnasium.Env):
    """Observation [seed, step, sum of all actions of the episode]; reward seed + step / 8.

    The episode of seed k lasts 1 + k % 5 steps, and ends by termination if k is even, else by
    truncation. `faults` replaces the reward or the observation of a (seed, step).
    """

    observation_space = Box(-np.inf, np.inf, (3,), np.float32)
    action_space = Box(-1.0, 1.0, (2,), np.float32)

    def __init__(self, faults: dict[tuple[int, int], dict[str, Any]] | None = None) -> None:
        self.faults = faults or {}
        self.seeds: list[int] = []
        self.taken: list[np.ndarray] = []
        self.closed = False

    def _observation(self) -> np.ndarray:
        fault = self.faults.get((self.seeds[-1], self.steps), {})
        plain = np.array([self.seeds[-1], self.steps, self.sum], dtype=np.float32)
        return fault.get("observation", plain)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        assert seed is not None
        self.seeds.append(seed)
        self.steps, self.sum = 0, 0.0
        return self._observation(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if np.isnan(action).any():
            raise ActionFault("the toy takes no NaN", "play with something else")
        seed = self.seeds[-1]
        assert self.steps < 1 + seed % 5, "stepped after its end"
        self.taken.append(action.copy())
        self.steps += 1
        self.sum += float(action.sum())
        reward = self.faults.get((seed, self.steps), {}).get("reward", seed + self.steps / 8)
        over = self.steps == 1 + seed % 5
        return self._observation(), reward, over and seed % 2 == 0, over and seed % 2 == 1, {}

    def close(self) -> None:
        self.closed = True
