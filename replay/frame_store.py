"""Where the images of a replay buffer lie: each once, in a ring of its own per lane."""

from typing import Literal

import numpy as np
import torch

from primacy.replay.buffer import ReplayError

BeforeStart = Literal["zero", "repeat"]
"""What a stack holds in place of frames before its episode began: black images (Dopamine, SPR), or
the first frame (the wrappers of DrQ and jaxrl for DeepMind Control)."""


def spare_frames(capacity: int) -> int:
    """Frames kept beside one per transition: enough where cut episodes have 32 steps or more."""
    return max(capacity // 32, min(capacity, 1000))


def ring_frames(capacity: int, stack: int, spare: int | None = None) -> int:
    """Frames of one lane: one per transition, `stack` that are older or newer, and spare ones."""
    return capacity + stack + (spare_frames(capacity) if spare is None else spare)


class FrameStore:
    """Images of S lanes, uint8 [S * ring + 1, pixels], the last one black.

    The frames of an episode lie one behind the other. The one that its newest step led to is
    written, too, ahead of the next step, which then has its frame already. At a termination nobody
    needs it and the next episode takes its place; of an episode that was cut short it stays, as an
    extra frame at which no transition starts. So a lane has a ring of its own, which the others'
    extra frames do not move, and some more room than transitions.
    """

    def __init__(
        self,
        pixels: int,
        lanes: int,
        capacity: int,
        stack: int,
        before_start: BeforeStart,
        device: torch.device,
        spare: int | None = None,
    ) -> None:
        self.stack = stack
        self._before_start = before_start
        self._ring = ring_frames(capacity, stack, spare)
        # Empty, not zero: so its memory is claimed as it fills (on a CPU).
        self.frames = torch.empty(lanes * self._ring + 1, pixels, dtype=torch.uint8, device=device)
        self.frames[-1] = 0
        self.stacks = torch.zeros(lanes * capacity, stack + 1, dtype=torch.int64, device=device)
        """By position in the ring of transitions: where the frames of its stack lie, the oldest
        first, then the one that it led to (after termination: its own again). The stack that it
        led to is all but the first of them."""
        self._tail = np.zeros((lanes, pixels), dtype=np.uint8)
        self._numbers = np.zeros((lanes, capacity), dtype=np.int64)
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        lanes = len(self._tail)
        self._numbers.fill(0)
        self._number = np.full(lanes, -1)
        self._depth = np.zeros(lanes, dtype=np.int64)
        self._open = np.zeros(lanes, dtype=bool)
        self._terminated = np.ones(lanes, dtype=bool)

    # Writing

    def extend(
        self,
        frames: np.ndarray,
        after: np.ndarray,
        terminated: np.ndarray,
        ended: np.ndarray,
        total: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Append n steps behind the first `total`: frames and next frames uint8 [S, n, pixels].

        `terminated` and `ended` (or truncated) are bool [S, n]; n is at most the capacity. Returns
        which of these steps, bool [S, n], and whether the one before them, bool [S], ended unsaid:
        the frame of the step that follows is another one.

        Raises ReplayError, with nothing changed, where the spare frames do not suffice.
        """
        joined = np.empty_like(ended)
        joined[:, 0] = self._open & (self._tail == frames[:, 0]).all(-1)
        joined[:, 1:] = ~ended[:, :-1] & (after[:, :-1] == frames[:, 1:]).all(-1)
        stopped = np.column_stack((self._terminated, terminated[:, :-1]))
        # A step past the frame before, and one more past the last image of an episode cut short.
        numbers = self._number[:, None] + np.where(joined | stopped, 1, 2).cumsum(1)
        self._demand(numbers, total)
        depths = self._depths(joined)
        self._write(numbers, frames, ~joined)
        self._write(numbers + 1, after, ~terminated)
        positions = (total + np.arange(ended.shape[1])) % self._numbers.shape[1]
        self._numbers[:, positions] = numbers
        table = self.stacks.view(*self._numbers.shape, self.stack + 1)
        stacks = torch.from_numpy(self._stacks(numbers, depths, terminated)).to(table.device)
        table.index_copy_(1, torch.from_numpy(positions).to(table.device), stacks)
        cut_before = self._open & ~joined[:, 0]
        cut = np.zeros_like(ended)
        cut[:, :-1] = ~ended[:, :-1] & ~joined[:, 1:]
        self._number, self._depth = numbers[:, -1], depths[:, -1]
        self._open, self._terminated = ~ended[:, -1], terminated[:, -1]
        self._tail[:] = after[:, -1]
        return cut, cut_before

    def _depths(self, joined: np.ndarray) -> np.ndarray:
        """Frames that precede each step in its episode, as far as a stack reaches, int64 [S, n]."""
        steps = np.arange(joined.shape[1])
        starts = np.where(joined, np.iinfo(np.int64).min, steps)
        starts[:, 0] = np.where(joined[:, 0], -1 - self._depth, 0)
        return np.minimum(steps - np.maximum.accumulate(starts, axis=1), self.stack - 1)

    def _demand(self, numbers: np.ndarray, total: int) -> None:
        """Raise ReplayError where steps of these frames would overwrite what is still held."""
        capacity = self._numbers.shape[1]
        oldest = total + numbers.shape[1] - capacity
        if oldest >= total:
            first = numbers[:, oldest - total]
        else:
            first = self._numbers[:, max(oldest, 0) % capacity]
        if (numbers[:, -1] + 1 - (first - (self.stack - 1)) >= self._ring).any():
            raise ReplayError(
                f"more episodes were cut short than replay has spare frames for "
                f"({self._ring - capacity - self.stack} beside {capacity:,} transitions)",
                "make time limits longer, or give FrameReplay more frames to `spare`",
            )

    def _write(self, numbers: np.ndarray, images: np.ndarray, wanted: np.ndarray) -> None:
        """The images [S, n, pixels] of the steps `wanted`, bool [S, n], at these numbers."""
        if wanted.any():
            index = torch.from_numpy(self._index(numbers)[wanted])
            new = torch.from_numpy(images[wanted])
            self.frames.index_copy_(0, index.to(self.frames.device), new.to(self.frames.device))

    def _stacks(
        self, numbers: np.ndarray, depths: np.ndarray, terminated: np.ndarray
    ) -> np.ndarray:
        """What `stacks` holds of the steps with these frames, int64 [S, n, stack + 1]."""
        back = np.arange(self.stack - 1, -2, -1)
        reach = np.minimum(back, depths[..., None])
        reach[..., -1] += terminated
        found = self._index(numbers[..., None] - reach)
        if self._before_start == "zero":
            found[back > depths[..., None]] = len(self.frames) - 1
        return found

    def _index(self, numbers: np.ndarray) -> np.ndarray:
        """Where the frames of these numbers [S, ...] lie, counted from the first of the lane."""
        starts = np.arange(len(numbers)) * self._ring
        return numbers % self._ring + starts.reshape(-1, *([1] * (numbers.ndim - 1)))
