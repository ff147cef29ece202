"""The replay buffer of all agents: S lanes of packed rows in one tensor, used as a ring."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from primacy.replay.layout import Layout


class ReplayError(ValueError):
    """The buffer cannot be made, or does not hold what was asked of it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Batch(NamedTuple):
    """Sampled transitions; `reward` and `discount` are those of the n-step return."""

    observation: Tensor  # [S, ..., B, O]
    action: Tensor  # [S, ..., B, A]
    reward: Tensor  # [S, ..., B]: sum of discount**i * reward_i over the k steps of the window
    discount: Tensor  # [S, ..., B]: discount**k, or 0 where the window ends in termination
    next_observation: Tensor  # [S, ..., B, O]: after the window's last step


def nbytes(layout: Layout, lanes: int, capacity: int) -> int:
    """Bytes that a full buffer takes."""
    return 4 * layout.width * lanes * capacity


def describe(layout: Layout, lanes: int, capacity: int) -> str:
    """The size of a buffer in words, for printing before it is allocated."""
    size = nbytes(layout, lanes, capacity) / 1e9
    return f"replay: {lanes} x {capacity:,} transitions, {size:.2f} GB when full"


def free_bytes(device: torch.device) -> int | None:
    """Memory that a new buffer may take, or None where the system does not say.

    Linux counts caches that it would give up (MemAvailable); free pages alone say far too little.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    found = (
        re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read_text()) if meminfo.exists() else None
    )
    return 1024 * int(found[1]) if found else None


class Replay:
    """The last `capacity` transitions of S lanes, rows float32 [S, capacity, width].

    All lanes hold equally many. Ages count from the oldest transition held (0) to the newest
    (size - 1); whatever decides which transitions to draw only has to know ages.
    """

    def __init__(
        self, layout: Layout, lanes: int, capacity: int, device: str | torch.device = "cpu"
    ) -> None:
        """Claims its memory as it fills (on a CPU). Raises ReplayError where that would not fit."""
        self.device = torch.device(device)
        free = free_bytes(self.device)
        if free is not None and nbytes(layout, lanes, capacity) > free:
            raise ReplayError(
                f"{describe(layout, lanes, capacity)}, but only {free / 1e9:.2f} GB are free",
                "lower --replay-capacity, or train fewer --seeds in one process",
            )
        self.layout = layout
        self.capacity = capacity
        self.total = 0
        """Transitions ever added, per lane."""
        self.rows = torch.empty(lanes, capacity, layout.width, device=self.device)
        self._flat = self.rows.view(lanes * capacity, layout.width)
        self._outcomes = self._flat[:, layout.outcome]
        self._lane_starts = torch.arange(lanes, device=self.device) * capacity

    @property
    def lanes(self) -> int:
        """S."""
        return len(self.rows)

    @property
    def size(self) -> int:
        """Transitions held, per lane."""
        return min(self.total, self.capacity)

    def add(self, rows: np.ndarray | Tensor) -> None:
        """Append one row per lane, [S, width]; in a full ring it takes the oldest one's place."""
        self.extend(rows[:, None])

    def extend(self, rows: np.ndarray | Tensor) -> None:
        """Append rows [S, n, width] in order, any number of them."""
        new = torch.as_tensor(rows)
        if new.ndim != 3 or (len(new), new.shape[2]) != (self.lanes, self.layout.width):
            wanted = [self.lanes, "n", self.layout.width]
            raise ValueError(f"rows must be {wanted}, not {list(new.shape)}")
        while new.shape[1]:
            position = self.total % self.capacity
            fitting = min(new.shape[1], self.capacity - position)
            self.rows[:, position : position + fitting] = new[:, :fitting]
            new = new[:, fitting:]
            self.total += fitting

    def sample(
        self,
        uniforms: Tensor,
        n_step: int = 1,
        discount: float = 0.99,
        first: int | None = None,
    ) -> Batch:
        """Transitions drawn by uniforms float64 [S, ..., B] in [0, 1), with replacement.

        Every transition held is equally likely to start a window; see `at` for the rest. `first`
        samples as if the buffer held only the first transitions that were ever added.

        Raises ReplayError for an empty buffer, or where it does not hold the first transitions.
        """
        count = self.size if first is None else first
        if not 0 < count <= self.size or (first is not None and self.total > self.capacity):
            wanted = "a transition" if first is None else f"the first {first:,}"
            raise ReplayError(
                f"replay cannot sample {wanted}: it holds {self.size:,} of {self.total:,} added",
                "collect more transitions first, or raise --replay-capacity",
            )
        if uniforms.dtype != torch.float64:
            # In float32 a product could round up to `count`; in float64 it never does.
            raise ValueError(f"uniforms must be float64, not {uniforms.dtype}")
        ages = (uniforms.to(self.device) * count).long()
        return self.at(ages, n_step, discount, newest=count - 1)

    def sample_split(
        self, uniforms: Tensor, early: Tensor, count: int, n_step: int = 1, discount: float = 0.99
    ) -> Batch:
        """Rows in `early` (bool [B]) from the first `count` transitions ever added, the other rows
        from those after them: two buffers in one, whose windows do not reach into each other.

        `uniforms` are as for `sample`. Raises ReplayError where it does not hold both.
        """
        if not 0 < count < self.total or self.total > self.capacity:
            raise ReplayError(
                f"replay cannot sample on both sides of {count:,}: it holds {self.size:,} of "
                f"{self.total:,} added",
                "collect more transitions first, or raise --replay-capacity",
            )
        if uniforms.dtype != torch.float64:
            raise ValueError(f"uniforms must be float64, not {uniforms.dtype}")
        numbers, first = uniforms.to(self.device), early.to(self.device)
        late = count + (numbers * (self.total - count)).long()
        ages = torch.where(first, (numbers * count).long(), late)
        newest = torch.where(first, count - 1, self.total - 1).unsqueeze(-1)
        return self.at(ages, n_step, discount, newest)

    def at(
        self,
        ages: Tensor,
        n_step: int = 1,
        discount: float = 0.99,
        newest: int | Tensor | None = None,
    ) -> Batch:
        """The transitions of ages int64 [S, ..., B], each with its window of n_step steps.

        A window ends early where the episode terminates or is truncated, and at the age `newest`
        (default: the newest held; a tensor [B, 1] for each row its own). It bootstraps from its own
        last step, by discount**k after k steps; after termination by 0 (Sutton and Barto 2018,
        equation 7.1).
        """
        if n_step < 1:
            raise ValueError(f"n_step must be at least 1, not {n_step}")
        start = self.layout.views(self._gather(self._flat, ages))
        if n_step == 1:
            factor = discount * (1.0 - start.terminated)
            return Batch(
                start.observation, start.action, start.reward, factor, start.next_observation
            )
        newest = self.size - 1 if newest is None else newest
        reward, length = self._windows(ages, n_step, discount, newest)
        last = self.layout.views(self._gather(self._flat, ages + length - 1))
        factor = (discount ** length.double()).float() * (1.0 - last.terminated)
        return Batch(start.observation, start.action, reward, factor, last.next_observation)

    def _windows(
        self, ages: Tensor, n_step: int, discount: float, newest: int | Tensor
    ) -> tuple[Tensor, Tensor]:
        """Discounted reward float32 and number of steps int64 of the windows from `ages` on."""
        steps = torch.arange(n_step, device=self.device)
        reached = ages.unsqueeze(-1) + steps
        outcomes = self._gather(self._outcomes, reached.clamp(max=newest))
        reward, terminated, truncated = outcomes.unbind(-1)
        ended = (terminated + truncated > 0) | (reached >= newest)
        length = 1 + (ended[..., :-1].cumsum(-1) == 0).sum(-1)
        inside = steps < length.unsqueeze(-1)
        # Summed in float64, so that the order of the sum cannot show in the float32 result.
        rewards = reward.double().where(inside, 0.0) * discount ** steps.double()
        return rewards.sum(-1).float(), length

    def _gather(self, table: Tensor, ages: Tensor) -> Tensor:
        """The rows of `table` [S * capacity, W] at ages [S, ...], as [S, ..., W]."""
        lanes = self._lane_starts.view(-1, *([1] * (ages.ndim - 1)))
        positions = (ages + (self.total - self.size)) % self.capacity + lanes
        return table.index_select(0, positions.flatten()).view(*ages.shape, table.shape[1])
