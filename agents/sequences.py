"""What agents that see are given: transitions between stacks of frames, and the steps after them,
whatever sampled them."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from primacy.agents.agent import Agent, Batch


class FrameSample(Batch, Protocol):
    """Observations are uint8 [S, B, C, H, W], the oldest frame first; actions int64 [S, B]."""

    @property
    def weight(self) -> Tensor:
        """Importance weights [S, B], at most 1; ones of a uniform draw."""
        ...


class SequenceSample(FrameSample, Protocol):
    """Observations uint8 [S, B, T, C, H, W], actions int64 [S, B, T]; reward, discount and
    next_observation are those of the n-step return of the first step."""

    @property
    def mask(self) -> Tensor:
        """[S, B, T]: 1 where s_{t+k} lies in the episode of s_t."""
        ...


class PrioritisedAgent(Agent, Protocol):
    """An agent whose batches may be drawn by priority."""

    sequence_length: int
    """T of the samples that an update takes; 1 stands for a FrameSample."""

    @property
    def losses(self) -> Tensor:
        """[S, B], without weights, of the last update's samples: what priorities are made of."""
        ...

    def horizon(self) -> tuple[Tensor, Tensor]:
        """n (int64 [S]) and the discount per step (float64 [S]) for the next update's returns."""
        ...


class Sequences(NamedTuple):
    """An update's input; without self-prediction T is 1."""

    observation: Tensor
    action: Tensor
    mask: Tensor
    reward: Tensor
    discount: Tensor
    next_observation: Tensor
    weight: Tensor

    @classmethod
    def of(cls, batch: Batch, length: int) -> "Sequences":
        """The tensors of a FrameSample (length 1) or a SequenceSample, without copying; a batch
        without weights was drawn uniformly.

        Raises ValueError where the sample has another length.
        """
        observation, action = batch.observation, batch.action
        weight = getattr(batch, "weight", None)
        if weight is None:
            weight = torch.ones_like(batch.reward)
        mask = getattr(batch, "mask", None)
        if mask is None:
            observation, action = observation.unsqueeze(2), action.unsqueeze(2)
            mask = torch.ones_like(weight).unsqueeze(2)
        if action.shape[2] != length:
            raise ValueError(f"samples of {action.shape[2]} steps where the agent takes {length}")
        tail = batch.reward, batch.discount, batch.next_observation, weight
        return cls(observation, action, mask, *tail)
