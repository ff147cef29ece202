"""What the training loop asks of an agent, whatever its algorithm."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from primacy.plasticity.contract import Architecture, PlasticNetwork

Plans = dict[str, tuple[Architecture, int]]
"""By network, its architecture without remedies and the number of its input features."""


class Batch(Protocol):
    """A sample of transitions, each tensor [S, B, ...]."""

    @property
    def observation(self) -> Tensor:
        """[S, B, O]."""
        ...

    @property
    def action(self) -> Tensor:
        """[S, B, A]."""
        ...

    @property
    def reward(self) -> Tensor:
        """[S, B], of the n-step return."""
        ...

    @property
    def discount(self) -> Tensor:
        """What the bootstrap value is multiplied by: discount**k, and 0 where the episode
        terminated."""
        ...

    @property
    def next_observation(self) -> Tensor:
        """[S, B, O], where the n-step window ends."""
        ...


class Source(Protocol):
    """Random numbers of K consecutive gradient steps."""

    def normal(self, label: str, shape: tuple[int, ...]) -> Tensor:
        """Standard normal float32 [S, K, *shape]."""
        ...

    def uniform(self, label: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform float64 [S, K, *shape] in [0, 1)."""
        ...


class Remedies(Protocol):
    """The remedies that act inside a gradient step."""

    def penalty(self, network: PlasticNetwork, parameters: Mapping[str, Tensor]) -> Tensor | float:
        """The term that joins the network's loss, [S]."""
        ...

    def before_step(
        self, network: PlasticNetwork, name: str, value: Tensor, learning_rate: float | Tensor
    ) -> Tensor:
        """What the optimiser steps from: decoupled decay acts here."""
        ...

    def after_step(self, network: PlasticNetwork) -> None:
        """Averages that follow the network are brought up to date."""
        ...


class Agent(Protocol):
    """S agents of one configuration; every tensor has a leading axis of size S."""

    alive: Tensor
    """bool [S]; a seed whose loss or gradient was not finite is frozen from that update on."""
    steps_per_update: int
    """G, the gradient steps that one call of `update` counts as: 1, or RLPD's update-to-data
    ratio."""

    def act(self, observation: Tensor, noise: Tensor) -> Tensor:
        """Exploring actions [S, A] for observations [S, O] with standard normal noise [S, A]."""
        ...

    def act_greedily(self, observation: Tensor) -> Tensor:
        """Actions without exploration, [S, B, O] -> [S, B, A]."""
        ...

    def draw(self, source: Source, batch_size: int) -> Tensor:
        """The noise of K calls of `update`, [K, S, ...]; a call takes one entry of it. B is the
        batch of one gradient step."""
        ...

    def update(self, batch: Batch, noise: Tensor) -> None:
        """G gradient steps on a batch [S, G * B, ...], in place: a pure tensor program without host
        synchronisation. Interventions act between calls."""
        ...

    def compile(self) -> None:
        """Take updates as compiled graphs from now on, with the remedies attached so far."""
        ...

    def networks(self) -> dict[str, PlasticNetwork]:
        """The networks as remedies and diagnostics see them."""
        ...

    def attach(self, remedies: Remedies) -> None:
        """Let these remedies act inside the updates from now on."""
        ...

    def on_edit(self, edited: set[str]) -> None:
        """Told after an intervention which networks it edited."""
        ...

    def pop_metrics(self) -> dict[str, Tensor]:
        """Means [S] over the updates since the last call, by name; empty where there was none."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Every tensor that a checkpoint holds, by name; load with `copy_` into the same dict."""
        ...

    def probe(self, batch: Batch, noise: Tensor) -> dict[str, dict[str, Tensor]]:
        """Read-only figures on a batch by network and name, [S] each: mean_q, grad_norm,
        entropy."""
        ...
