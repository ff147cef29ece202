"""Stacks of networks: S seeds (and E ensemble members) of one layer are one batched matrix product.

A network is a description (`MLP`, frozen) and a dict of parameters by name; `forward` is a pure
function of both, which is what torch.func differentiates, what torch.compile takes whole, and what
lets losses hold other networks constant.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from primacy.agents.initialisers import INITIALISERS, Generators
from primacy.plasticity.contract import Architecture, Edge, Group, Layer, Role

Parameters = Mapping[str, Tensor]
NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class StackedLinear:
    """S (times E) linear layers: weight [S, (E,) in, out], bias [S, (E,) 1, out]."""

    path: str
    inputs: int
    outputs: int
    members: int | None = None
    """E, or None for no ensemble axis."""
    gain: float = sqrt(2.0)
    initialiser: str = "orthogonal"

    @property
    def stack(self) -> tuple[int, ...]:
        """The axes between S and the layer's own."""
        return () if self.members is None else (self.members,)

    def initialise(self, generators: Generators) -> dict[Role, Tensor]:
        """Fresh weights by the layer's initialiser, biases zero (SPEC of the study: every kernel
        orthogonal)."""
        draw = INITIALISERS[self.initialiser]
        weight = draw(generators, (*self.stack, self.inputs, self.outputs), self.gain)
        return {
            "weight": weight,
            "bias": torch.zeros(len(generators), *self.stack, 1, self.outputs),
        }

    def forward(self, parameters: Parameters, x: Tensor) -> Tensor:
        """[S, (E,) B, in] -> [S, (E,) B, out]."""
        weight = parameters[f"{self.path}.weight"]
        bias = parameters[f"{self.path}.bias"]
        if self.members is None:
            return torch.baddbmm(bias, x, weight)
        y = torch.baddbmm(bias.flatten(0, 1), x.flatten(0, 1), weight.flatten(0, 1))
        return y.unflatten(0, (weight.shape[0], self.members))


@dataclass(frozen=True)
class StackedNorm:
    """S (times E) layer norms over the features (Ba et al. 2016): scale and offset [S, (E,) 1,
    features]."""

    path: str
    features: int
    members: int | None = None
    epsilon: float = NORM_EPSILON

    def initialise(self, generators: Generators) -> dict[Role, Tensor]:
        """Scale 1, offset 0."""
        stack = () if self.members is None else (self.members,)
        shape = (len(generators), *stack, 1, self.features)
        return {"scale": torch.ones(shape), "offset": torch.zeros(shape)}

    def forward(self, parameters: Parameters, x: Tensor) -> Tensor:
        """[S, (E,) B, features] -> the same; statistics over the last axis only, so that no seed
        sees another."""
        normal = F.layer_norm(x, (self.features,), eps=self.epsilon)
        return normal * parameters[f"{self.path}.scale"] + parameters[f"{self.path}.offset"]


def _crelu(u: Tensor) -> Tensor:
    return torch.cat((F.relu(u), F.relu(-u)), dim=-1)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "crelu": _crelu,
    "tanh": torch.tanh,
}
FEATURES_PER_UNIT = {"relu": 1, "crelu": 2, "tanh": 1}


@dataclass(frozen=True)
class Head:
    """One linear output of an MLP."""

    name: str
    outputs: int
    gain: float = sqrt(2.0)


@dataclass(frozen=True)
class MLP:
    """Hidden layers and one or more linear heads, for S seeds and, with `members`, E ensemble
    members each."""

    name: str
    inputs: int
    heads: tuple[Head, ...]
    architecture: Architecture = Architecture()
    members: int | None = None
    initialiser: str = "orthogonal"
    gain: float = sqrt(2.0)
    """Of the hidden layers; heads have their own."""
    norm_epsilon: float = NORM_EPSILON

    @property
    def _features(self) -> int:
        return FEATURES_PER_UNIT[self.architecture.activation]

    def hidden(self) -> list[StackedLinear]:
        """The hidden layers in forward order."""
        sizes = self.architecture.hidden_sizes
        inputs = (self.inputs, *(size * self._features for size in sizes[:-1]))
        return [
            StackedLinear(
                f"{self.name}.{i}", fan_in, size, self.members, self.gain, self.initialiser
            )
            for i, (fan_in, size) in enumerate(zip(inputs, sizes, strict=True))
        ]

    def outputs(self) -> list[StackedLinear]:
        """The heads, all fed by the last hidden layer."""
        inputs = self.architecture.hidden_sizes[-1] * self._features
        return [
            StackedLinear(
                f"{self.name}.{head.name}",
                inputs,
                head.outputs,
                self.members,
                head.gain,
                self.initialiser,
            )
            for head in self.heads
        ]

    def norms(self) -> list[StackedNorm]:
        """The norm of each hidden layer; empty without a normaliser."""
        if self.architecture.normaliser == "none":
            return []
        return [
            StackedNorm(f"{layer.path}.norm", layer.outputs, self.members, self.norm_epsilon)
            for layer in self.hidden()
        ]

    def initialise(self, generators: Generators) -> dict[str, Tensor]:
        """Parameters by name, drawn in forward order."""
        return {
            f"{layer.path}.{role}": value
            for layer in (*self.hidden(), *self.norms(), *self.outputs())
            for role, value in layer.initialise(generators).items()
        }

    def forward(
        self, parameters: Parameters, x: Tensor, taps: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, ...]:
        """[S, (E,) B, in] -> one [S, (E,) B, out] per head; `taps` collects post-activations by
        layer path."""
        activation = ACTIVATIONS[self.architecture.activation]
        norms = self.norms() or [None] * len(self.architecture.hidden_sizes)
        h = x
        for layer, norm in zip(self.hidden(), norms, strict=True):
            u = layer.forward(parameters, h)
            h = activation(u if norm is None else norm.forward(parameters, u))
            if taps is not None:
                taps[layer.path] = h
        return tuple(head.forward(parameters, h) for head in self.outputs())

    def spread(self, x: Tensor) -> Tensor:
        """The same input for every ensemble member: [S, B, in] -> [S, (E,) B, in]."""
        return x if self.members is None else x.unsqueeze(1).expand(-1, self.members, -1, -1)

    def layers(self, parameters: Parameters) -> tuple[Layer, ...]:
        """The layers as remedies see them, over these live tensors."""
        hidden, norms, heads = self.hidden(), self.norms(), self.outputs()
        consumers = [[layer] for layer in hidden[1:]] + [heads]
        published = []
        for i, layer in enumerate(hidden):
            depth = len(hidden) - i
            edges = tuple(self._edge(layer, consumer) for consumer in consumers[i])
            published.append(self._publish(layer, parameters, "torso", depth, edges))
            published += [self._publish_norm(norm, parameters, depth) for norm in norms[i : i + 1]]
        published += [self._publish(head, parameters, "head", 0, ()) for head in heads]
        return tuple(published)

    def _edge(self, layer: StackedLinear, consumer: StackedLinear) -> Edge:
        units = torch.arange(layer.outputs)
        rows = [units + k * layer.outputs for k in range(self._features)]
        return Edge(consumer.path, torch.stack(rows, dim=-1))

    def _publish(
        self,
        layer: StackedLinear,
        parameters: Parameters,
        group: Group,
        depth: int,
        edges: tuple[Edge, ...],
    ) -> Layer:
        hidden = depth > 0
        return Layer(
            path=layer.path,
            kind="dense",
            group=group,
            depth=depth,
            parameters=_roles(layer.path, parameters, ("weight", "bias")),
            initialise=partial(StackedLinear.initialise, layer),
            units=layer.outputs,
            fan_in=layer.inputs,
            activation=self.architecture.activation if hidden else None,
            tap=layer.path if hidden else None,
            consumers=edges,
        )

    def _publish_norm(self, norm: StackedNorm, parameters: Parameters, depth: int) -> Layer:
        return Layer(
            path=norm.path,
            kind="norm",
            group="torso",
            depth=depth,
            parameters=_roles(norm.path, parameters, ("scale", "offset")),
            initialise=partial(StackedNorm.initialise, norm),
            units=norm.features,
            fan_in=1,
        )


class Net(Protocol):
    """A network as agents use it: an MLP, or one with more in front of it."""

    @property
    def name(self) -> str:
        """The first part of its parameters' names."""
        ...

    def initialise(self, generators: Generators) -> dict[str, Tensor]:
        """Parameters by name."""
        ...

    def spread(self, x: Tensor) -> Tensor:
        """The input of `forward` from [S, B, in]."""
        ...

    def forward(
        self, parameters: Parameters, x: Tensor, taps: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, ...]:
        """One [S, (E,) B, out] per head."""
        ...

    def layers(self, parameters: Parameters) -> tuple[Layer, ...]:
        """The layers as remedies see them, over these live tensors."""
        ...


def q_values(net: Net, parameters: Parameters, observation: Tensor, action: Tensor) -> Tensor:
    """An ensemble of critics on the same pairs, [S, B, O] and [S, B, A] -> [S, E, B]."""
    pair = torch.cat((observation, action), -1)
    return net.forward(parameters, net.spread(pair))[0].squeeze(-1)


def _roles(path: str, parameters: Parameters, roles: tuple[Role, ...]) -> dict[Role, Tensor]:
    return {role: parameters[f"{path}.{role}"] for role in roles}
