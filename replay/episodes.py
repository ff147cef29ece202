"""Episodes out of the rows of one lane, and rows out of episodes, bit for bit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from primacy.replay.layout import Layout

End = Literal["terminated", "truncated", "cut"]
"""`cut`: the journal ends, or goes on with another episode, where this one was not over."""


@dataclass(frozen=True, eq=False)
class Episode:
    """T consecutive steps, float32 and bool."""

    start: int
    """Number of the first transition of the lane, counted from 0."""
    observations: np.ndarray  # [T + 1, O]
    actions: np.ndarray  # [T, A]
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

    def rows(self, layout: Layout) -> np.ndarray:
        """The rows float32 [T, width] that the episode was, or would have been, stored as."""
        return layout.pack(
            self.observations[:-1],
            self.actions,
            self.rewards,
            self.terminations,
            self.truncations,
            self.observations[1:],
        )


def episodes(chunks: Iterable[np.ndarray], layout: Layout) -> Iterator[Episode]:
    """The episodes of a lane, whose rows [n, width] come in any pieces.

    An episode ends where it terminates or is truncated, where the next row does not begin with the
    observation that this one led to (a transplant: what was given, then a fresh episode), and with
    the last row.
    """
    held = np.empty((0, layout.width), dtype=np.float32)
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


def _ends(rows: np.ndarray, layout: Layout) -> np.ndarray:
    """Whether an episode ends with each row, bool [n]; what follows the last one is not known."""
    ended = np.any(rows[:, layout.outcome][:, 1:] > 0, axis=1)
    after = np.ascontiguousarray(rows[:-1, layout.outcome.stop :])
    next_ones = np.ascontiguousarray(rows[1:, : layout.observation_size])
    # As bits, for == takes 0.0 for -0.0.
    seam = np.any(after.view(np.uint32) != next_ones.view(np.uint32), axis=1)
    return ended | np.append(seam, False)


def _episode(rows: np.ndarray, start: int, layout: Layout) -> Episode:
    size, outcome = layout.observation_size, layout.outcome
    reward, terminated, truncated = rows[:, outcome].T
    last = rows[-1:, outcome.stop :]
    return Episode(
        start,
        np.concatenate((rows[:, :size], last)),
        rows[:, size : outcome.start].copy(),
        reward.copy(),
        terminated > 0,
        truncated > 0,
    )
