"""How a transition between images is packed into one row of bytes."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from primacy.replay.layout import Layout, Views


@dataclass(frozen=True)
class FrameLayout:
    """Row = [action | reward | terminated | truncated, float32 | frame | next frame | padding].

    `frame` is the newest image of the observation, not the stack that the agent sees: uint8 [H, W]
    or [C, H, W]. The next frame is in the row, too, though it is the frame of the next row unless
    an episode ends: so rows have one size and no case (a truncated episode's last image, the last
    row of all, experience that goes on elsewhere), at the price of a journal twice as large on
    disk. The buffer, which is the one that has to fit in memory, keeps each image once.
    """

    RECORD: ClassVar = (
        "u1 [seed, <f4 action|reward|terminated|truncated, u1 frame|next_frame|padding]"
    )
    """What a journal says about its rows."""
    NUMBER: ClassVar = np.dtype("u1")
    """What a row consists of."""

    frame: tuple[int, ...]
    action_size: int | None = None
    """Numbers in an action; None for one of a few choices, which int64 counts."""

    def __post_init__(self) -> None:
        """Takes a list for `frame`, as JSON gives it. Raises ValueError for other shapes."""
        object.__setattr__(self, "frame", tuple(self.frame))
        if len(self.frame) not in (2, 3) or min(self.frame) < 1:
            raise ValueError(f"a frame is [H, W] or [C, H, W], not {list(self.frame)}")

    def __str__(self) -> str:
        acted = "choices" if self.action_size is None else f"actions of {self.action_size} numbers"
        return f"frames of {' x '.join(map(str, self.frame))} and {acted}"

    @property
    def pixels(self) -> int:
        """Bytes of a frame."""
        return prod(self.frame)

    @property
    def step(self) -> Layout:
        """The layout of what is in a row beside its images."""
        return Layout(0, 1 if self.action_size is None else self.action_size)

    @property
    def width(self) -> int:
        """Bytes of a row; a multiple of 4, so that float32 numbers are where they can be read."""
        return 4 * self.step.width + -(-2 * self.pixels // 4) * 4

    def pack(
        self,
        observation: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        next_observation: np.ndarray,
    ) -> np.ndarray:
        """Rows uint8 [..., width]: frames [..., *frame], actions [..., A] or [...], others [...].

        Raises ValueError for frames of another size or type.
        """
        lead, step = reward.shape, self.step
        for frames in (observation, next_observation):
            if frames.shape != (*lead, *self.frame) or frames.dtype != np.uint8:
                wanted = (*lead, *self.frame)
                raise ValueError(f"frames are uint8 {wanted}, not {frames.dtype} {frames.shape}")
        nothing = np.empty((*lead, 0), dtype=np.float32)
        numbers = action if self.action_size is not None else action[..., None]
        head = step.pack(nothing, numbers, reward, terminated, truncated, nothing)
        rows = np.zeros((*lead, self.width), dtype=np.uint8)
        start = 4 * step.width
        rows[..., :start] = head.astype("<f4", copy=False).view(np.uint8)
        rows[..., start : start + self.pixels] = observation.reshape(*lead, self.pixels)
        start += self.pixels
        rows[..., start : start + self.pixels] = next_observation.reshape(*lead, self.pixels)
        return rows

    def steps(self, rows: Tensor) -> Tensor:
        """What is in the rows [..., width] beside their images: rows [..., W] of `step`."""
        return rows[..., : 4 * self.step.width].contiguous().view(torch.float32)

    def images(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Frames and next frames of rows [..., width], flat, uint8 [..., pixels] each."""
        start = 4 * self.step.width
        middle, stop = start + self.pixels, start + 2 * self.pixels
        return rows[..., start:middle], rows[..., middle:stop]

    def action(self, action: Tensor) -> Tensor:
        """Actions as agents take them, from those float32 [..., A] of a row."""
        return action if self.action_size is not None else action.squeeze(-1).long()

    def views(self, rows: Tensor) -> Views:
        """The parts of rows [..., width]; observations are frames [..., *frame]."""
        step = self.step.views(self.steps(rows))
        frame, after = (part.unflatten(-1, self.frame) for part in self.images(rows))
        return step._replace(
            observation=frame, action=self.action(step.action), next_observation=after
        )
