"""Behaviour cloning: the floor that offline reinforcement learning is measured against.

Objective and step size are CORL's (any_percent_bc.py: mean squared error of a tanh mean); the actor
is IQL's mean, so that the two differ in what is learned and in no network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from primacy.agents.agent import Batch, Plans, Source
from primacy.agents.initialisers import Generators
from primacy.agents.networks import MLP, Head
from primacy.agents.optimiser import Adam
from primacy.agents.stacked import Figures, Gradients, StackedAgent
from primacy.agents.transitions import Transitions
from primacy.plasticity.contract import Architecture


@dataclass(frozen=True)
class BCConfig:
    """Defaults are CORL's (any_percent_bc.py)."""

    discount: ClassVar[float] = 1.0
    """Nothing is discounted: rewards are not looked at."""

    steps_per_update: ClassVar[int] = 1
    """Gradient steps in one call of the agent's update."""

    hidden_sizes: tuple[int, ...] = (256, 256)
    """Units of each hidden layer."""
    learning_rate: float = 3e-4
    """Adam's step size."""
    adam_beta1: float = 0.9
    """Adam's decay of the mean gradient, per update (torch)."""
    adam_beta2: float = 0.999
    """Adam's decay of the mean squared gradient, per update (torch)."""
    adam_epsilon: float = 1e-8
    """Adam's term in the denominator (torch)."""
    n_step: int = 1
    """Length of the n-step return in env steps; without effect, for rewards are not looked at."""


def cloning_loss(mean: Tensor, action: Tensor) -> Tensor:
    """mean over batch and dimensions of (mean - action)^2, [S]; both [S, B, A]."""
    return (mean - action).square().mean((1, 2))


METRICS = ("actor_loss", "actor_grad_norm")


class BC(StackedAgent):
    """S cloned policies with the one network actor."""

    def __init__(
        self,
        config: BCConfig,
        observation_size: int,
        action_size: int,
        generators: Generators,
        architectures: dict[str, Architecture] | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        """`architectures` replaces the plain one by network name; `generators` draw the initial
        weights, one per seed."""
        self.config = config
        plain, inputs = self.plans(config, observation_size, action_size)["actor"]
        chosen = (architectures or {}).get("actor", plain)
        self.actor_net = MLP("actor", inputs, (Head("mean", action_size),), chosen)
        adam = Adam(config.learning_rate, config.adam_beta1, config.adam_beta2, config.adam_epsilon)
        first = {"actor": self.actor_net.initialise(generators)}
        super().__init__(first, {"actor": adam}, METRICS, device)
        self.actor = self.parameters["actor"]
        self._publish(self._network(self.actor_net))
        self._step = self._update

    @staticmethod
    def plans(config: BCConfig, observation_size: int, action_size: int) -> Plans:
        """The network's architecture without remedies, and its input features."""
        return {"actor": (Architecture(hidden_sizes=config.hidden_sizes), observation_size)}

    def _mean(self, parameters: Mapping[str, Tensor], observation: Tensor) -> Tensor:
        return torch.tanh(self.actor_net.forward(parameters, observation)[0])

    @torch.no_grad()
    def act(self, observation: Tensor, noise: Tensor) -> Tensor:
        """The policy's action, which explores nothing: [S, O] -> [S, A]."""
        return self._mean(self.actor, observation.unsqueeze(1)).squeeze(1)

    @torch.no_grad()
    def act_greedily(self, observation: Tensor) -> Tensor:
        """The same for batches, [S, B, O] -> [S, B, A]."""
        return self._mean(self.actor, observation)

    def draw(self, source: Source, batch_size: int) -> Tensor:
        """No numbers, [K, S, 0]."""
        return source.normal("bc", (0,)).transpose(0, 1).to(self.device)

    def update(self, batch: Batch, noise: Tensor) -> None:
        """One gradient step on the actor."""
        self._step(Transitions.of(batch))

    def compile(self) -> None:
        """Take the whole update as one graph from now on, with the remedies attached so far."""
        self._step = self._graph(self._update)

    @torch.no_grad()
    def _update(self, batch: Transitions) -> None:
        gradients, figures = self._gradients(batch)
        self._descend("actor", gradients, figures)
        self._record(figures)

    def _gradients(self, batch: Transitions) -> tuple[Gradients, Figures]:
        def loss(parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            mean = self._mean(parameters, batch.observation)
            return cloning_loss(mean, batch.action), mean

        gradients, figures, _ = self._differentiate("actor", loss)
        return gradients, figures

    @torch.no_grad()
    def probe(self, batch: Batch, noise: Tensor) -> dict[str, dict[str, Tensor]]:
        """Figures on a batch, [S] each; changes nothing."""
        figures = self._gradients(Transitions.of(batch))[1]
        return {"actor": {"loss": figures["actor_loss"], "grad_norm": figures["actor_grad_norm"]}}
