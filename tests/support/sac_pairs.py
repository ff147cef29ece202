"""Stacked agents beside plain ones with the same parameters and the same data."""

import numpy as np
import torch
from torch import Tensor

from primacy.agents.sac import SAC, SACConfig
from primacy.agents.transitions import Transitions
from primacy.tests.support.plain_sac import PlainSAC, Sample

OBSERVATION, ACTION = 7, 3


def generators(seeds: tuple[int, ...]) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in seeds]


def agent(seeds: tuple[int, ...], width: int = 32, **fields) -> SAC:
    config = SACConfig(hidden_sizes=(width, width), **fields)
    return SAC(config, OBSERVATION, ACTION, generators(seeds))


def data(seeds: tuple[int, ...], step: int, batch_size: int = 16) -> tuple[Transitions, Tensor]:
    """A batch and noise [S, 2, B, A]; a seed's part does not depend on the other seeds."""
    parts = []
    for seed in seeds:
        g = torch.Generator().manual_seed(1000 * seed + step)
        randn = lambda *shape: torch.randn(*shape, generator=g)  # noqa: B023, E731
        done = torch.rand(batch_size, generator=g) < 0.1
        parts.append(
            (
                randn(batch_size, OBSERVATION),
                torch.tanh(randn(batch_size, ACTION)),
                randn(batch_size),
                0.99 * (~done).float(),
                randn(batch_size, OBSERVATION),
                randn(2, batch_size, ACTION),
            )
        )
    *batch, noise = (torch.stack(column) for column in zip(*parts, strict=True))
    return Transitions(*batch), noise


def _copy(linear: torch.nn.Linear, weight: Tensor, bias: Tensor) -> None:
    with torch.no_grad():
        linear.weight.copy_(weight.T)
        linear.bias.copy_(bias.view(-1))


def plain_twin(stacked: SAC, lane: int, width: int = 32) -> PlainSAC:
    """The plain agent with the parameters of one lane."""
    plain = PlainSAC(OBSERVATION, ACTION, width, stacked.config.learning_rate)
    for ours, theirs in (("0", "first"), ("1", "second"), ("mean", "mean"), ("log_std", "log_std")):
        weight, bias = (stacked.actor[f"actor.{ours}.{role}"][lane] for role in ("weight", "bias"))
        _copy(getattr(plain.actor, theirs), weight, bias)
    for member, critic in enumerate(plain.critics):
        for ours, theirs in (("0", "first"), ("1", "second"), ("q", "q")):
            weight, bias = (
                stacked.critic[f"critic.{ours}.{role}"][lane, member] for role in ("weight", "bias")
            )
            _copy(getattr(critic, theirs), weight, bias)
    plain.sync_targets()
    return plain


def sample_of(batch: Transitions, lane: int) -> Sample:
    return Sample(*(column[lane] for column in batch))
