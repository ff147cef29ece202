"""How a transition is packed into one row of float32 numbers."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from torch import Tensor


class Views(NamedTuple):
    """The named parts of rows [..., width], without copies; flags are 0.0 or 1.0."""

    observation: Tensor  # [..., O]
    action: Tensor  # [..., A]
    reward: Tensor  # [...]
    terminated: Tensor  # [...]
    truncated: Tensor  # [...]
    next_observation: Tensor  # [..., O]


@dataclass(frozen=True)
class Layout:
    """Row = [observation O | action A | reward | terminated | truncated | next observation O].

    The next observation is stored with its transition: it costs memory (1M quadruped rows are
    684 MB) and makes a sample one gather, without a case for episode ends or the ring's seam.
    """

    RECORD: ClassVar = "<f4 [seed, observation|action|reward|terminated|truncated|next_observation]"
    """What a journal says about its rows."""
    NUMBER: ClassVar = np.dtype("<f4")
    """What a row consists of."""

    observation_size: int
    action_size: int

    def __str__(self) -> str:
        sizes = self.observation_size, self.action_size
        return "observations of {} and actions of {} numbers".format(*sizes)

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return 2 * self.observation_size + self.action_size + 3

    @property
    def outcome(self) -> slice:
        """Where reward, terminated and truncated lie in a row: all that n-step returns read."""
        start = self.observation_size + self.action_size
        return slice(start, start + 3)

    def pack(
        self,
        observation: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        next_observation: np.ndarray,
    ) -> np.ndarray:
        """Rows float32 [..., width]: observations [..., O], actions [..., A], the others [...]."""
        rows = np.empty((*reward.shape, self.width), dtype=np.float32)
        start, stop = self.outcome.start, self.outcome.stop
        rows[..., : self.observation_size] = observation
        rows[..., self.observation_size : start] = action
        rows[..., start] = reward
        rows[..., start + 1] = terminated
        rows[..., start + 2] = truncated
        rows[..., stop:] = next_observation
        return rows

    def views(self, rows: Tensor) -> Views:
        """The parts of rows [..., width]."""
        sizes = [self.observation_size, self.action_size, 3, self.observation_size]
        observation, action, outcome, after = rows.split(sizes, -1)
        reward, terminated, truncated = outcome.unbind(-1)
        return Views(observation, action, reward, terminated, truncated, after)
