"""What an update is given: transitions with fixed strides, whatever sampled them."""

from typing import NamedTuple

import torch
from torch import Tensor

from primacy.agents.agent import Batch


class Transitions(NamedTuple):
    """The update's input with fixed strides, whatever sampled it."""

    observation: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_observation: Tensor

    @classmethod
    def of(cls, batch: Batch) -> "Transitions":
        """The five tensors of a batch, without copying."""
        return cls(
            batch.observation, batch.action, batch.reward, batch.discount, batch.next_observation
        )


def minibatches(batch: Batch, count: int) -> list[Transitions]:
    """[S, count * B, ...] as `count` batches [S, B, ...] of consecutive rows, each contiguous.

    Raises ValueError where the rows do not divide.
    """
    rows = batch.reward.shape[1]
    if rows % count:
        raise ValueError(f"{rows} transitions cannot be cut into {count} mini-batches")
    columns = [
        column.unflatten(1, (count, -1)).transpose(0, 1).contiguous()
        for column in Transitions.of(batch)
    ]
    return [Transitions(*(column[i] for column in columns)) for i in range(count)]


def interleave(even: Batch, odd: Batch) -> Transitions:
    """Two batches [S, n, ...] row by row, [S, 2n, ...]: `even` on rows 0, 2, ...

    Symmetric sampling (Ball et al. 2023, rlpd's `combine`): with offline and online transitions,
    every mini-batch of consecutive rows holds as many of each.
    """
    pairs = zip(Transitions.of(even), Transitions.of(odd), strict=True)
    return Transitions(*(torch.stack(pair, 2).flatten(1, 2) for pair in pairs))
