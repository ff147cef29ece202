"""The replay buffer of all agents: S lanes of packed rows in one tensor, used as a ring."""

import os
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from primacy.replay.layout import Layout


class ReplayError(ValueError):
    """The buffer cannot be made, or cannot give what was asked of it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Batch(NamedTuple):
    """Sampled transitions [S, ..., B, ...]; `reward` and `discount` are those of the n-step return."""

    observation: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_observation: Tensor


def describe(layout: Layout, lanes: int, capacity: int) -> str:
    """The size of a buffer in words, for printing before it is allocated."""
    size = 4 * layout.width * lanes * capacity
    return f"replay: {lanes} x {capacity:,} transitions, {size / 1e9:.2f} GB"


def _available_memory() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class Replay:
    """Rows float32 [S, capacity, width]; every lane holds the same number of transitions."""

    def __init__(
        self, layout: Layout, lanes: int, capacity: int, device: str | torch.device = "cpu"
    ) -> None:
        """Raises ReplayError where the machine has not that much memory."""
        size = 4 * layout.width * lanes * capacity
        self.device = torch.device(device)
        if self.device.type == "cpu" and size > _available_memory():
            raise ReplayError(
                f"{describe(layout, lanes, capacity)}: only {_available_memory() / 1e9:.2f} GB are free",
                "lower --replay-capacity or train fewer --seeds in one process",
            )
        self.layout = layout
        self.lanes = lanes
        self.capacity = capacity
        self.total = 0
        """Transitions ever added, per lane."""
        self.rows = torch.empty(lanes, capacity, layout.width, device=self.device)
        self._flat = self.rows.view(lanes * capacity, layout.width)
        self._lane_start = torch.arange(lanes, device=self.device) * capacity

    @property
    def size(self) -> int:
        """Transitions held, per lane."""
        return min(self.total, self.capacity)

    def add(self, rows: np.ndarray) -> None:
        """Append one row per lane, [S, width]; the oldest go first once the ring is full."""
        self.rows[:, self.total % self.capacity] = torch.from_numpy(rows)
        self.total += 1

    def extend(self, rows: np.ndarray) -> None:
        """Append [n, S, width] rows, in order; n must not exceed the capacity."""
        stop = self.total + len(rows)
        positions = torch.arange(self.total, stop) % self.capacity
        self.rows[:, positions.to(self.device)] = torch.from_numpy(rows).to(self.device).transpose(0, 1)
        self.total = stop

    def sample(
        self,
        uniforms: Tensor,
        n_step: int = 1,
        discount: float = 0.99,
        first: int | None = None,
    ) -> Batch:
        """Transitions at uniforms float64 [S, ..., B] in [0, 1), with replacement.

        Every transition held is a valid start. A window of n steps ends early where the episode terminates or is
        truncated and at the newest transition; it then bootstraps from that step's next observation with discount**k of
        its k steps (0 after termination). `first` samples from the first transitions ever added only.

        Raises ReplayError for an empty buffer, or where the first transitions are not held (any more).
        """
        age = self._ages(uniforms, first)
        start = self._at(age)
        rows = self.layout.views(self._gather(start))
        if n_step == 1:
            factor = discount * (1.0 - rows.terminated)
            return Batch(rows.observation, rows.action, rows.reward, factor, rows.next_observation)
        return self._n_step(age, rows.observation, rows.action, n_step, discount)

    def _ages(self, uniforms: Tensor, first: int | None) -> Tensor:
        """Positions in order of age (0 the oldest held), int64 like `uniforms`."""
        held = self.size if first is None else first
        if held < 1 or held > self.size or (first is not None and self.total > self.capacity):
            raise ReplayError(
                f"replay cannot sample from {held} transitions: it holds {self.size} of {self.total}",
                "collect more transitions first, or raise --replay-capacity",
            )
        return (uniforms.to(self.device) * held).long().clamp_(max=held - 1)

    def _at(self, age: Tensor) -> Tensor:
        """Flat row numbers of ages [S, ...]."""
        oldest = self.total - self.size
        lanes = self._lane_start.view(-1, *([1] * (age.ndim - 1)))
        return (age + oldest) % self.capacity + lanes

    def _gather(self, flat: Tensor) -> Tensor:
        return self._flat.index_select(0, flat.view(-1)).view(*flat.shape, self.layout.width)

    def _n_step(
        self, age: Tensor, observation: Tensor, action: Tensor, n_step: int, discount: float
    ) -> Batch:
        reward = torch.zeros(age.shape, device=self.device)
        last = age.clone()
        steps = torch.zeros_like(age)
        going = torch.ones_like(age, dtype=torch.bool)
        for k in range(n_step):
            # Rows past the end of a window are read (clamped) but never used.
            position = (age + k).clamp_(max=self.size - 1)
            parts = self.layout.views(self._gather(self._at(position)))
            reward += torch.where(going, discount**k * parts.reward, 0.0)
            last = torch.where(going, position, last)
            steps += going
            ended = (parts.terminated + parts.truncated) > 0
            going = going & ~ended & (age + k < self.size - 1)
        end = self.layout.views(self._gather(self._at(last)))
        factor = torch.pow(discount, steps.double()).float() * (1.0 - end.terminated)
        return Batch(observation, action, reward, factor, end.next_observation)
