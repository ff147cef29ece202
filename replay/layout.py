"""How a transition is packed into one row of float32 numbers."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor


class Views(NamedTuple):
    """The named parts of rows [..., width], without copies."""

    observation: Tensor
    action: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    next_observation: Tensor


@dataclass(frozen=True)
class Layout:
    """Row = [observation O | action A | reward | terminated | truncated | next observation O].

    The next observation is stored with its transition: it costs memory (1M quadruped rows are 684 MB) and makes a sample
    one gather, without a case for episode ends or the ring's seam.
    """

    observation_size: int
    action_size: int

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return 2 * self.observation_size + self.action_size + 3

    def pack(
        self,
        observation: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        next_observation: np.ndarray,
    ) -> np.ndarray:
        """Rows float32 [S, width] of S transitions: observations [S, O], actions [S, A], the others [S]."""
        rows = np.empty((len(reward), self.width), dtype=np.float32)
        o, a = self.observation_size, self.action_size
        rows[:, :o] = observation
        rows[:, o : o + a] = action
        rows[:, o + a] = reward
        rows[:, o + a + 1] = terminated
        rows[:, o + a + 2] = truncated
        rows[:, o + a + 3 :] = next_observation
        return rows

    def views(self, rows: Tensor) -> Views:
        """The parts of rows [..., width] as views; flags are 0.0 or 1.0."""
        o, a = self.observation_size, self.action_size
        return Views(
            rows[..., :o],
            rows[..., o : o + a],
            rows[..., o + a],
            rows[..., o + a + 1],
            rows[..., o + a + 2],
            rows[..., o + a + 3 :],
        )
