"""The replay buffer of all agents: S lanes of packed rows in one tensor, used as a ring."""

import re
from collections.abc import Mapping
from functools import lru_cache
from math import inf
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


class Windows(NamedTuple):
    """What the n-step windows from some ages on come to."""

    reward: Tensor  # float32 [S, ...]: sum of discount**i * reward_i over the steps of the window
    length: Tensor  # int64 [S, ...]: its steps
    terminated: Tensor  # float32 [S, ...]: 1.0 where its last step terminates


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
        # What buffers that are gone have left with PyTorch is free, too.
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    found = (
        re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read_text()) if meminfo.exists() else None
    )
    return 1024 * int(found[1]) if found else None


def demand(description: str, size: int, device: torch.device) -> None:
    """Raise ReplayError where so many bytes are not free."""
    free = free_bytes(device)
    if free is not None and size > free:
        raise ReplayError(
            f"{description}, but only {free / 1e9:.2f} GB are free",
            "lower --replay-capacity, or train fewer --seeds in one process",
        )


def doubles(uniforms: Tensor) -> Tensor:
    """The uniforms, which must be float64: in float32 a product with a count could round up to that
    count. Raises ValueError."""
    if uniforms.dtype != torch.float64:
        raise ValueError(f"uniforms must be float64, not {uniforms.dtype}")
    return uniforms


class Replay:
    """The last `capacity` transitions of S lanes, rows float32 [S, capacity, width].

    All lanes hold equally many. Ages count from the oldest transition held (0) to the newest
    (size - 1); whatever decides which transitions to draw only has to know ages.
    """

    history = 0
    """An observation is in one row: none before the oldest one held is needed."""

    def __init__(
        self, layout: Layout, lanes: int, capacity: int, device: str | torch.device = "cpu"
    ) -> None:
        """Claims its memory as it fills (on a CPU). Raises ReplayError where that would not fit."""
        self.device = torch.device(device)
        size = nbytes(layout, lanes, capacity)
        demand(describe(layout, lanes, capacity), size, self.device)
        self.layout = layout
        self.capacity = capacity
        self.total = 0
        """Transitions ever added, per lane."""
        self.rows = torch.empty(lanes, capacity, layout.width, device=self.device)
        self.flat = self.rows.view(lanes * capacity, layout.width)
        # A step's rows go in through NumPy, whose calls cost a tenth of PyTorch's.
        self._memory = self.rows.numpy() if self.device.type == "cpu" else None
        self._outcomes = self.flat[:, layout.outcome]
        self._step = (lanes, layout.width)
        self._lane_starts = torch.arange(lanes, device=self.device) * capacity

    @property
    def lanes(self) -> int:
        """S."""
        return len(self.rows)

    @property
    def size(self) -> int:
        """Transitions held, per lane."""
        return min(self.total, self.capacity)

    def restart(self, total: int) -> None:
        """Forget everything, and count from `total` transitions on."""
        self.total = total

    def add(self, rows: np.ndarray | Tensor) -> None:
        """Append one row per lane, [S, width]; in a full ring it takes the oldest one's place."""
        if self._memory is None or isinstance(rows, Tensor) or rows.shape != self._step:
            self.extend(rows[:, None])
        else:
            self._memory[:, self.total % self.capacity] = rows
            self.total += 1

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
        count = self.drawable(first)
        ages = (doubles(uniforms).to(self.device) * count).long()
        return self.at(ages, n_step, discount, count - 1)

    def drawable(self, first: int | None = None, margin: int = 0) -> int:
        """Transitions that may be drawn, whose ages begin at 0: all but the newest `margin`.

        Raises ReplayError for none, and where the first transitions are no longer held.
        """
        count = self.size if first is None else first
        lost = first is not None and self.total > self.capacity
        if not margin < count <= self.size or lost:
            wanted = "a transition" if first is None else f"the first {first:,}"
            wanted += f" but the newest {margin}" if margin else ""
            raise ReplayError(
                f"replay cannot sample {wanted}: it holds {self.size:,} of {self.total:,} added",
                "collect more transitions first, or raise --replay-capacity",
            )
        return count - margin

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
        numbers, first = doubles(uniforms).to(self.device), early.to(self.device)
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
        start = self.layout.views(self.gather(self.flat, ages))
        if n_step == 1:
            factor = discount * (1.0 - start.terminated)
            return Batch(
                start.observation, start.action, start.reward, factor, start.next_observation
            )
        windows = self.windows(ages, n_step, discount, newest)
        last = self.layout.views(self.gather(self.flat, ages + windows.length - 1))
        factor = powers(discount, n_step, self.device)[1][windows.length]
        factor = factor * (1.0 - windows.terminated)
        return Batch(start.observation, start.action, windows.reward, factor, last.next_observation)

    def windows(
        self,
        ages: Tensor,
        n_step: int,
        discount: float,
        newest: int | Tensor | None = None,
        clip: float = inf,
    ) -> Windows:
        """The windows of n_step steps from `ages` on, which end early as `at` says; each reward
        is cut to [-clip, clip] before they are summed.

        Raises ValueError for windows without a step.
        """
        if n_step < 1:
            raise ValueError(f"n_step must be at least 1, not {n_step}")
        if n_step == 1:
            reward, terminated, _ = self.gather(self._outcomes, ages).unbind(-1)
            return Windows(_clipped(reward, clip), torch.ones_like(ages), terminated)
        newest = self.size - 1 if newest is None else newest
        steps, weights = _steps(n_step, self.device), powers(discount, n_step, self.device)[0]
        reached = ages.unsqueeze(-1) + steps
        outcomes = self.gather(self._outcomes, reached.clamp(max=newest))
        reward, terminated, truncated = outcomes.unbind(-1)
        ended = (terminated + truncated > 0) | (reached >= newest)
        length = 1 + (ended[..., :-1].cumsum(-1) == 0).sum(-1)
        inside = steps < length.unsqueeze(-1)
        # Summed in float64, so that the order of the sum cannot show in the float32 result.
        rewards = _clipped(reward, clip).double().where(inside, 0.0) * weights[:-1]
        last = terminated.gather(-1, length.unsqueeze(-1) - 1).squeeze(-1)
        return Windows(rewards.sum(-1).float(), length, last)

    def gather(self, table: Tensor, ages: Tensor) -> Tensor:
        """The rows of `table` [S * capacity, W] at ages [S, ...], as [S, ..., W]."""
        return table.index_select(0, self.positions(ages).flatten()).view(
            *ages.shape, table.shape[1]
        )

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint holds beside the journal: nothing."""
        return {}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to do once refilled."""

    def positions(self, ages: Tensor) -> Tensor:
        """Where ages [S, ...] lie in tables of S * capacity rows."""
        oldest = (self.total - self.size) % self.capacity
        places = (ages + oldest) % self.capacity if oldest else ages
        if self.lanes == 1:
            return places
        return places + self._lane_starts.view(-1, *([1] * (ages.ndim - 1)))


@lru_cache(maxsize=8)
def _steps(count: int, device: torch.device) -> Tensor:
    """0 .. count - 1."""
    return torch.arange(count, device=device)


@lru_cache(maxsize=8)
def powers(discount: float, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """discount**0 .. discount**count in float64, and those rounded to float32: an update asks for
    the same again and again."""
    exact = discount ** torch.arange(count + 1, dtype=torch.float64, device=device)
    return exact, exact.float()


def _clipped(reward: Tensor, clip: float) -> Tensor:
    return reward if clip == inf else reward.clamp(-clip, clip)
