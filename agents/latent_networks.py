"""Actor and critics of agents that see continuous control: convolutions, a small latent, an MLP."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from primacy.agents.convolutions import Plain, Shape, Taps, encoder_layers, flat_edge
from primacy.agents.initialisers import Generators
from primacy.agents.networks import MLP, StackedLinear, StackedNorm
from primacy.plasticity.contract import Edge, Layer, Role

Parameters = Mapping[str, Tensor]


@dataclass(frozen=True)
class LatentMLP:
    """What follows the convolutions: linear, layer norm and tanh, then an MLP on this latent.

    The input of `forward` is [S, B, features + rest]: flattened features, and numbers that pass the
    latent by (a critic's action).
    """

    features: Shape
    """Of the encoder's output."""
    size: int
    """Units of the latent."""
    mlp: MLP
    """On latent and rest; its name is the network's."""
    encoder: Plain | None = None
    """The convolutions whose parameters belong to this network, though `forward` begins behind
    them; None where another network's are used."""
    initialiser: str = "lecun_normal"
    gain: float = 1.0
    """Of the latent's linear layer."""
    norm_epsilon: float = 1e-6

    @property
    def name(self) -> str:
        """The first part of its parameters' names."""
        return self.mlp.name

    @property
    def linear(self) -> StackedLinear:
        """From features to latent."""
        inputs = prod(self.features)
        path = f"{self.name}.latent"
        return StackedLinear(path, inputs, self.size, None, self.gain, self.initialiser)

    @property
    def norm(self) -> StackedNorm:
        """Between the linear layer and its tanh."""
        return StackedNorm(f"{self.name}.latent.norm", self.size, None, self.norm_epsilon)

    def initialise(self, generators: Generators) -> dict[str, Tensor]:
        """Parameters by name, drawn in forward order."""
        convs = [node.conv for node in self.encoder.nodes()] if self.encoder is not None else []
        first = {
            f"{layer.path}.{role}": value
            for layer in (*convs, self.linear, self.norm)
            for role, value in layer.initialise(generators).items()
        }
        return first | self.mlp.initialise(generators)

    def spread(self, x: Tensor) -> Tensor:
        """The input itself: the latent is one for all members."""
        return x

    def forward(
        self, parameters: Parameters, x: Tensor, taps: Taps | None = None
    ) -> tuple[Tensor, ...]:
        """[S, B, features + rest] -> one [S, (E,) B, out] per head."""
        count = prod(self.features)
        u = self.linear.forward(parameters, x[..., :count])
        latent = torch.tanh(self.norm.forward(parameters, u))
        if taps is not None:
            taps[self.linear.path] = latent
        seen = torch.cat((latent, x[..., count:]), -1)
        return self.mlp.forward(parameters, self.mlp.spread(seen), taps)

    def layers(self, parameters: Parameters) -> tuple[Layer, ...]:
        """The layers as remedies see them, over these live tensors."""
        linear, norm, first = self.linear, self.norm, self.mlp.hidden()[0]
        depth = 1 + len(self.mlp.hidden())

        def owned(path: str, *roles: Role) -> dict[Role, Tensor]:
            return {role: parameters[f"{path}.{role}"] for role in roles}

        after = (flat_edge(self.features, linear.path),)
        convs = (
            []
            if self.encoder is None
            else encoder_layers(self.encoder, parameters, depth + 1, after)
        )
        latent = Layer(
            path=linear.path,
            kind="dense",
            group="torso",
            depth=depth,
            parameters=owned(linear.path, "weight", "bias"),
            initialise=linear.initialise,
            units=self.size,
            fan_in=linear.inputs,
            activation="tanh",
            tap=linear.path,
            consumers=(Edge(first.path, torch.arange(self.size).unsqueeze(-1)),),
        )
        scaled = Layer(
            path=norm.path,
            kind="norm",
            group="torso",
            depth=depth,
            parameters=owned(norm.path, "scale", "offset"),
            initialise=norm.initialise,
            units=self.size,
            fan_in=1,
        )
        return (*convs, latent, scaled, *self.mlp.layers(parameters))
