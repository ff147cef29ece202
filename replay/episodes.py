"""Episodes out of the rows of one lane, and rows out of episodes, bit for bit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from primacy.replay.frame_layout import FrameLayout
from primacy.replay.layout import Layout

End = Literal["terminated", "truncated", "cut"]
"""`cut`: the journal ends, or goes on with another episode, where this one was not over."""


@dataclass(frozen=True, eq=False)
class Episode:
    """T consecutive steps, float32 and bool; frames are uint8 and choices int64."""

    start: int
    """Number of the first transition of the lane, counted from 0."""
    observations: np.ndarray  # [T + 1, O], or frames [T + 1, ...]
    actions: np.ndarray  # [T, A], or choices [T]
    rewards: np.ndarray  # [T]
    terminations: np.ndarray  # [T]
    truncations: np.ndarray  # [T]

    def __len__(self) -> int:
        """T."""
        return len(self.rewards)

    @property
    def end(self) -> End:
        """How it ends."""
        if self.terminations[-1]:
            return "terminated"
        return "truncated" if self.truncations[-1] else "cut"

    def rows(self, layout: Layout | FrameLayout) -> np.ndarray:
        """The rows [T, width] that the episode was, or would have been, stored as."""
        return layout.pack(
            self.observations[:-1],
            self.actions,
            self.rewards,
            self.terminations,
            self.truncations,
            self.observations[1:],
        )


def episodes(chunks: Iterable[np.ndarray], layout: Layout | FrameLayout) -> Iterator[Episode]:
    """The episodes of a lane, whose rows [n, width] come in any pieces.

    An episode ends where it terminates or is truncated, where the next row does not begin with the
    observation that this one led to (a transplant: what was given, then a fresh episode), and with
    the last row.
    """
    held = np.empty((0, layout.width), dtype=layout.NUMBER)
    start = 0
    for chunk in chunks:
        held = np.concatenate((held, chunk)) if len(held) else chunk
        begin = 0
        for stop in (np.flatnonzero(_ends(held, layout)) + 1).tolist():
            yield _episode(held[begin:stop], start + begin, layout)
            begin = stop
        held, start = held[begin:], start + begin
    if len(held):
        yield _episode(held, start, layout)


def _parts(rows: np.ndarray, layout: Layout | FrameLayout) -> list[np.ndarray]:
    """Observation, action, reward, terminated, truncated and next observation of rows."""
    return [part.numpy() for part in layout.views(torch.from_numpy(rows))]


def _ends(rows: np.ndarray, layout: Layout | FrameLayout) -> np.ndarray:
    """Whether an episode ends with each row, bool [n]; what follows the last one is not known."""
    observation, _, _, terminated, truncated, after = _parts(rows, layout)
    count = len(rows)
    # As bytes, for == takes 0.0 for -0.0.
    led, begun = (
        np.ascontiguousarray(part).reshape(count - 1, observation[0].size).view(np.uint8)
        for part in (after[:-1], observation[1:])
    )
    seam = np.any(led != begun, axis=1)
    return (terminated > 0) | (truncated > 0) | np.append(seam, False)


def _episode(rows: np.ndarray, start: int, layout: Layout | FrameLayout) -> Episode:
    observation, action, reward, terminated, truncated, after = _parts(rows, layout)
    return Episode(
        start,
        np.concatenate((observation, after[-1:])),
        action.copy(),
        reward.copy(),
        terminated > 0,
        truncated > 0,
    )
