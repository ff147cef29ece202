"""Pulls on the weights: regenerative L2 (Kumar et al. 2023), L2, and decoupled weight decay
(Loshchilov and Hutter 2019)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from primacy.plasticity.contract import PlasticNetwork, Role, select_layered, write


@dataclass(frozen=True)
class _Pull:
    """What the three have in common: a strength, and the networks it acts on."""

    strength: float = 1e-3
    """Factor lambda of the pull."""
    networks: tuple[str, ...] = ("critic", "actor")
    """Networks: all, or names joined by +. A single scalar (the temperature) is left alone."""

    def init(self, networks: Mapping[str, PlasticNetwork]) -> dict[str, Tensor]:
        """No memory; raises SelectionError for a network that is not there."""
        select_layered(networks, self.networks)
        return {}

    def _acts_on(self, network: PlasticNetwork) -> bool:
        named = "all" in self.networks or network.name in self.networks
        return named and network.layers[0].kind != "scalar"


def _is_weight(role: Role) -> bool:
    return role in ("weight", "bias")


def _weights(network: PlasticNetwork, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The values of weights and biases by name."""
    return {name: parameters[name] for name, role, _, _ in network.parameters() if _is_weight(role)}


def _sum_of_squares(values: Iterable[Tensor]) -> Tensor:
    """Over all values and all their axes but the seeds', [S]."""
    return torch.stack([value.square().flatten(1).sum(-1) for value in values]).sum(0)


@dataclass(frozen=True)
class L2(_Pull):
    """Adds strength / 2 * sum theta^2 to each network's loss; norm layers are excluded, biases
    included."""

    def penalty(
        self, network: PlasticNetwork, parameters: Mapping[str, Tensor], state: Mapping[str, Tensor]
    ) -> Tensor | float:
        """[S]."""
        if not self._acts_on(network):
            return 0.0
        return 0.5 * self.strength * _sum_of_squares(_weights(network, parameters).values())


@dataclass(frozen=True)
class L2Init(_Pull):
    """Regenerative regularisation: strength / 2 * sum (theta - theta0)^2 (the authors' code; their
    paper writes lambda)."""

    decoupled: bool = False
    """Pull past Adam: theta - learning rate * strength * (theta - theta0) before its step, instead
    of in the loss."""
    follow_resets: bool = True
    """Layers that are reset take their new draw as theta0; other edits leave theta0 alone."""

    def init(self, networks: Mapping[str, PlasticNetwork]) -> dict[str, Tensor]:
        """theta0 by parameter name."""
        return {
            name: value.clone()
            for network in select_layered(networks, self.networks)
            for name, role, _, value in network.parameters()
            if _is_weight(role)
        }

    def penalty(
        self, network: PlasticNetwork, parameters: Mapping[str, Tensor], state: Mapping[str, Tensor]
    ) -> Tensor | float:
        """[S]."""
        if self.decoupled or not self._acts_on(network):
            return 0.0
        weights = _weights(network, parameters)
        moved = [value - state[name] for name, value in weights.items()]
        return 0.5 * self.strength * _sum_of_squares(moved)

    def before_step(
        self,
        network: PlasticNetwork,
        name: str,
        value: Tensor,
        learning_rate: float | Tensor,
        state: Mapping[str, Tensor],
    ) -> Tensor:
        """The decoupled pull."""
        if not self.decoupled or name not in state:
            return value
        return value - learning_rate * self.strength * (value - state[name])

    def after_step(self, network: PlasticNetwork, state: Mapping[str, Tensor]) -> None:
        """theta0 does not move."""

    def follow(
        self,
        networks: Mapping[str, PlasticNetwork],
        state: dict[str, Tensor],
        changed: Mapping[str, Tensor],
        redrawn: bool,
    ) -> None:
        """theta0 <- theta of the parameters that were drawn anew."""
        if not (self.follow_resets and redrawn):
            return
        for network in select_layered(networks, self.networks):
            for name, _, _, value in network.parameters():
                if name in state:
                    write(state[name], value, changed[name])


@dataclass(frozen=True)
class WeightDecay(_Pull):
    """AdamW's decay: theta - learning rate * strength * theta before Adam's step; weights only, by
    role."""

    strength: float = 0.1
    """Factor lambda of the decay (BBF: 0.1)."""

    def before_step(
        self,
        network: PlasticNetwork,
        name: str,
        value: Tensor,
        learning_rate: float | Tensor,
        state: Mapping[str, Tensor],
    ) -> Tensor:
        """The decayed weight; biases and norm parameters unchanged."""
        if not self._acts_on(network) or not name.endswith(".weight"):
            return value
        return value * (1.0 - learning_rate * self.strength)

    def after_step(self, network: PlasticNetwork, state: Mapping[str, Tensor]) -> None:
        """Nothing to follow."""
