"""Experience in images: what a sample of it consists of."""

from typing import NamedTuple

from torch import Tensor


class FrameBatch(NamedTuple):
    """Sampled transitions between stacks of frames; the oldest frame of a stack comes first.

    C is the number of frames in a stack times the channels of a frame (grey: 1, RGB: 3).
    """

    observation: Tensor  # uint8 [S, ..., B, C, H, W]
    action: Tensor  # int64 [S, ..., B], or float32 [S, ..., B, A]
    reward: Tensor  # float32 [S, ..., B]: sum of discount**i * reward_i over the window's steps
    discount: Tensor  # float32 [S, ..., B]: discount**k, or 0 where the window terminates
    next_observation: Tensor  # uint8 [S, ..., B, C, H, W]: after the window's last step
    weight: Tensor  # float32 [S, ..., B]: importance weights, at most 1; ones of a uniform draw
    ages: Tensor  # int64 [S, ..., B]: where they lie, to give priorities back


class SequenceBatch(NamedTuple):
    """Transitions as in FrameBatch, and the T - 1 steps that follow each of them.

    Reward, discount and next_observation are those of the n-step return of the first step.
    """

    observation: Tensor  # uint8 [S, ..., B, T, C, H, W]: s_t .. s_{t+T-1}
    action: Tensor  # int64 [S, ..., B, T], or float32 [S, ..., B, T, A]: a_t .. a_{t+T-1}
    mask: Tensor  # float32 [S, ..., B, T]: 1 where s_{t+k} lies in the episode of s_t, so 1 at k = 0
    reward: Tensor  # float32 [S, ..., B]
    discount: Tensor  # float32 [S, ..., B]
    next_observation: Tensor  # uint8 [S, ..., B, C, H, W]
    weight: Tensor  # float32 [S, ..., B]
    ages: Tensor  # int64 [S, ..., B]
