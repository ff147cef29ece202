"""The network of value-based agents that see: encoder, hidden streams, dueling heads, and the
transition model and predictor of self-prediction (SPR)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain as together
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from primacy.agents.convolutions import (
    Encoder,
    StackedConv,
    Taps,
    conv_edge,
    conv_layer,
    encode,
    encoder_layers,
    flat_edge,
)
from primacy.agents.initialisers import Generators
from primacy.agents.networks import ACTIVATIONS, FEATURES_PER_UNIT, StackedLinear, StackedNorm
from primacy.agents.noisy import NoisyLinear
from primacy.agents.value_losses import dueling, renormalise, scale_gradient
from primacy.plasticity.contract import Architecture, Edge, Group, Layer, Role

Parameters = Mapping[str, Tensor]
Linear = StackedLinear | NoisyLinear
ROLES: tuple[Role, ...] = ("weight", "bias", "weight_sigma", "bias_sigma", "scale", "offset")
AnyLayer = StackedConv | Linear | StackedNorm


@dataclass(frozen=True)
class ValueNetwork:
    """S networks. Images enter as float [S, N, C, H, W] in [0, 1]."""

    encoder: Encoder
    actions: int
    atoms: int
    """Outputs per action: 51, or 1 for a scalar value."""
    architecture: Architecture
    """Of the hidden layer; its one size is split evenly among separate streams."""
    separate: bool = False
    """Hidden layers of their own for value and advantage, instead of one for both."""
    sigma: float = 0.0
    """sigma_0 of noisy linear layers; 0 for plain ones."""
    renormalised: bool = False
    jumps: int = 0
    """Steps of self-prediction; 0 leaves transition model and predictor out."""
    initialiser: str = "xavier_uniform"
    gain: float = 1.0
    head_gradient: float = 1.0
    """Factor of the gradient from the value loss into the latent."""
    name: str = field(default="critic", kw_only=True)

    def __post_init__(self) -> None:
        # Cached now: the compiler cannot trace the lock around a first access.
        _ = (self.noisy, self.norms, self.transition, self.predictor)

    # The layers

    def _linear(self, path: str, inputs: int, outputs: int) -> Linear:
        whole = f"{self.name}.{path}"
        if self.sigma > 0:
            return NoisyLinear(whole, inputs, outputs, self.sigma)
        return self._plain(path, inputs, outputs)

    def _plain(self, path: str, inputs: int, outputs: int) -> StackedLinear:
        return StackedLinear(
            f"{self.name}.{path}", inputs, outputs, None, self.gain, self.initialiser
        )

    @cached_property
    def streams(self) -> list[Linear]:
        """The hidden layers: one, or of value and of advantage."""
        names = ("value_hidden", "advantage_hidden") if self.separate else ("projection",)
        width = self.architecture.hidden_sizes[-1] // len(names)
        return [self._linear(name, prod(self.encoder.output), width) for name in names]

    @cached_property
    def norms(self) -> list[StackedNorm]:
        """One after each stream, where the architecture has them."""
        if self.architecture.normaliser == "none":
            return []
        return [StackedNorm(f"{stream.path}.norm", stream.outputs) for stream in self.streams]

    @cached_property
    def heads(self) -> tuple[Linear, Linear]:
        """Value and advantage."""
        features = self.streams[0].outputs * FEATURES_PER_UNIT[self.architecture.activation]
        return (
            self._linear("value", features, self.atoms),
            self._linear("advantage", features, self.actions * self.atoms),
        )

    @cached_property
    def transition(self) -> list[StackedConv]:
        """Two convolutions from latent and one-hot action to the next latent."""
        if self.jumps == 0:
            return []
        channels, *size = self.encoder.output
        return [
            StackedConv(
                f"{self.name}.transition{i}",
                (inputs, size[0], size[1]),
                channels,
                3,
                initialiser=self.initialiser,
                gain=self.gain,
            )
            for i, inputs in enumerate((channels + self.actions, channels))
        ]

    @cached_property
    def predictor(self) -> list[StackedLinear]:
        """One layer, from projection to projection."""
        width = sum(stream.outputs for stream in self.streams)
        return [self._plain("predictor", width, width)] if self.jumps else []

    @cached_property
    def noisy(self) -> list[NoisyLinear]:
        """The layers that take noise, in forward order."""
        return [x for x in (*self.streams, *self.heads) if isinstance(x, NoisyLinear)]

    @property
    def noises(self) -> int:
        """Standard normal numbers of one noisy pass."""
        return sum(layer.inputs + layer.outputs for layer in self.noisy)

    def all_layers(self) -> Iterator[AnyLayer]:
        """In forward order."""
        convs = (node.conv for node in self.encoder.nodes())
        return together(
            convs, self.transition, self.streams, self.norms, self.heads, self.predictor
        )

    def initialise(self, generators: Generators) -> dict[str, Tensor]:
        """Parameters by name, drawn in forward order."""
        return {
            f"{layer.path}.{role}": value
            for layer in self.all_layers()
            for role, value in layer.initialise(generators).items()
        }

    # The functions

    def encode(self, parameters: Parameters, images: Tensor, taps: Taps | None = None) -> Tensor:
        """[S, N, C, H, W] -> latents [S, N, C', H', W']."""
        latent = encode(self.encoder, parameters, images, taps)
        return renormalise(latent) if self.renormalised else latent

    def outputs(
        self,
        parameters: Parameters,
        latent: Tensor,
        noise: Tensor | None = None,
        taps: Taps | None = None,
    ) -> Tensor:
        """Latents -> V + A - mean A, [S, N, A, atoms]; `noise` [S, noises] or None for means."""
        x = scale_gradient(latent.flatten(2), self.head_gradient)
        noises = self._noises(noise)
        activation = ACTIVATIONS[self.architecture.activation]
        hidden = []
        for i, stream in enumerate(self.streams):
            u = _apply(stream, parameters, x, noises)
            h = activation(self.norms[i].forward(parameters, u) if self.norms else u)
            hidden.append(h)
            if taps is not None:
                taps[stream.path] = h
        value = _apply(self.heads[0], parameters, hidden[0], noises)
        advantage = _apply(self.heads[1], parameters, hidden[-1], noises)
        return dueling(value.unsqueeze(-2), advantage.unflatten(-1, (self.actions, self.atoms)))

    def _noises(self, noise: Tensor | None) -> dict[str, Tensor]:
        if noise is None or not self.noisy:
            return {}
        parts = noise.split([layer.inputs + layer.outputs for layer in self.noisy], -1)
        return {layer.path: part for layer, part in zip(self.noisy, parts, strict=True)}

    def project(self, parameters: Parameters, latent: Tensor) -> Tensor:
        """Latents -> the hidden streams before their non-linearity, without noise, [S, N, P]."""
        x = latent.flatten(2)
        return torch.cat([_apply(stream, parameters, x, {}) for stream in self.streams], -1)

    def predict(self, parameters: Parameters, latent: Tensor) -> Tensor:
        """Latents -> predictor(projection), [S, N, P]."""
        return self.predictor[0].forward(parameters, self.project(parameters, latent))

    def step(self, parameters: Parameters, latent: Tensor, action: Tensor) -> Tensor:
        """The next latent as the transition model sees it: [S, N, C', H', W'] and int64 [S, N]."""
        # F.one_hot reads the largest action back.
        chosen = action.unsqueeze(-1) == torch.arange(self.actions, device=action.device)
        planes = chosen.to(latent.dtype)[..., None, None]
        planes = planes.expand(*planes.shape[:3], *latent.shape[-2:])
        images = torch.cat((latent, planes), 2)
        h = [x.contiguous(memory_format=torch.channels_last) for x in images.unbind(0)]
        for conv in self.transition:
            h = [F.relu(x) for x in conv.forward(parameters, h)]
        after = torch.stack(h)
        return renormalise(after) if self.renormalised else after

    # What remedies see

    def layers(self, parameters: Parameters) -> tuple[Layer, ...]:
        """The layers as remedies see them, over these live tensors."""
        before, latent = len(self.transition), self.encoder.output
        flat = tuple(flat_edge(latent, stream.path) for stream in self.streams)
        last = self.encoder.nodes()[-1].conv
        after = (*flat, *(conv_edge(last, conv) for conv in self.transition[:1]))
        published = encoder_layers(self.encoder, parameters, 2 + before, after)
        for i, conv in enumerate(self.transition):
            if conv is not self.transition[-1]:
                edges = (conv_edge(conv, self.transition[i + 1]),)
            else:
                # What it predicts is what it reads at the next jump.
                again = self.transition[:1] if self.jumps > 1 else []
                edges = (*flat, *(conv_edge(conv, first) for first in again))
            published.append(conv_layer(conv, parameters, 1 + before - i, edges, tapped=False))
        for i, stream in enumerate(self.streams):
            edges = tuple(self._stream_edges(i, stream))
            published.append(self._layer(stream, parameters, "torso", 1, edges))
        published += [self._layer(norm, parameters, "torso", 1, ()) for norm in self.norms]
        for head in (*self.heads, *self.predictor):
            published.append(self._layer(head, parameters, "head", 0, ()))
        return tuple(published)

    def _stream_edges(self, index: int, stream: Linear) -> Iterator[Edge]:
        units = torch.arange(stream.outputs)
        features = FEATURES_PER_UNIT[self.architecture.activation]
        rows = torch.stack([units + k * stream.outputs for k in range(features)], -1)
        for head in self.heads[index : index + 1] if self.separate else self.heads:
            yield Edge(head.path, rows)
        # The predictor reads the units before their non-linearity.
        for head in self.predictor:
            yield Edge(head.path, (units + index * stream.outputs).unsqueeze(-1))

    def _layer(
        self,
        layer: Linear | StackedNorm,
        parameters: Parameters,
        group: Group,
        depth: int,
        edges: tuple[Edge, ...],
    ) -> Layer:
        owned: dict[Role, Tensor] = {
            role: parameters[f"{layer.path}.{role}"]
            for role in ROLES
            if f"{layer.path}.{role}" in parameters
        }
        norm = isinstance(layer, StackedNorm)
        hidden = bool(edges) and depth > 0
        return Layer(
            path=layer.path,
            kind="norm" if norm else "dense",
            group=group,
            depth=depth,
            parameters=owned,
            initialise=layer.initialise,
            units=layer.features if norm else layer.outputs,
            fan_in=1 if norm else layer.inputs,
            activation=self.architecture.activation if hidden else None,
            tap=layer.path if hidden else None,
            consumers=edges,
        )


def _apply(
    layer: Linear, parameters: Parameters, x: Tensor, noises: Mapping[str, Tensor]
) -> Tensor:
    if isinstance(layer, NoisyLinear):
        return layer.forward(parameters, x, noises.get(layer.path))
    return layer.forward(parameters, x)
