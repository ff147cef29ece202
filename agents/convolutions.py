"""Convolutions of S networks, and the encoders made of them.

A convolution's weight is kept as the matrix [S, in * k * k, out] of its unfolded product, so that
remedies and diagnostics see it as they see a dense layer. Images run through an encoder as one
tensor per seed, [B, C, H, W] with channels last: on a CPU a loop over seeds is as fast as one
grouped convolution, and channels-last is 1.1 (Nature) to 1.7 (Impala) times faster than
channels-first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from primacy.agents.initialisers import INITIALISERS, Generators
from primacy.plasticity.contract import Edge, Layer, Role

Parameters = Mapping[str, Tensor]
Shape = tuple[int, int, int]
"""Channels, height and width of an image."""
Taps = dict[str, Tensor]
Padding = Literal["same", "valid"]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after an axis for ceil(size / stride) outputs; the odd one comes after
    (TensorFlow's and Flax's "SAME")."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def borders(shape: Shape, kernel: int, stride: int) -> tuple[int, int, int, int]:
    """The padding of F.pad that makes a window "same": left, right, top, bottom."""
    rows, columns = (same_padding(size, kernel, stride) for size in shape[1:])
    return (*columns, *rows)


@dataclass(frozen=True)
class StackedConv:
    """S convolutions: weight [S, in * k * k, out] with rows ordered by channel, row, column; bias
    [S, 1, out]."""

    path: str
    shape: Shape
    """Of the input, without a batch axis."""
    channels: int
    """Output channels."""
    kernel: int
    stride: int = 1
    padding: Padding = "same"
    initialiser: str = "xavier_uniform"
    gain: float = 1.0

    @property
    def rows(self) -> int:
        """The fan-in, in * k * k."""
        return self.shape[0] * self.kernel**2

    @property
    def output(self) -> Shape:
        """The shape of the output."""
        if self.padding == "same":
            height, width = (-(-size // self.stride) for size in self.shape[1:])
        else:
            height, width = ((size - self.kernel) // self.stride + 1 for size in self.shape[1:])
        return self.channels, height, width

    def initialise(self, generators: Generators) -> dict[Role, Tensor]:
        """Fresh weights by the layer's initialiser, biases zero."""
        draw = INITIALISERS[self.initialiser]
        weight = draw(generators, (self.rows, self.channels), self.gain, self.kernel**2)
        return {"weight": weight, "bias": torch.zeros(len(generators), 1, self.channels)}

    def forward(self, parameters: Parameters, images: Sequence[Tensor]) -> list[Tensor]:
        """One [B, in, H, W] per seed -> one [B, out, H', W'] per seed."""
        weights = parameters[f"{self.path}.weight"].unbind(0)
        biases = parameters[f"{self.path}.bias"].flatten(1).unbind(0)
        left, right, top, bottom = (
            borders(self.shape, self.kernel, self.stride)
            if self.padding == "same"
            else (0, 0, 0, 0)
        )
        even = left == right and top == bottom
        outputs = []
        for x, weight, bias in zip(images, weights, biases, strict=True):
            kernel = weight.t().unflatten(1, (self.shape[0], self.kernel, self.kernel))
            kernel = kernel.contiguous(memory_format=torch.channels_last)
            padded = x if even else F.pad(x, (left, right, top, bottom))
            inside = (top, left) if even else 0
            outputs.append(F.conv2d(padded, kernel, bias, self.stride, inside))
        return outputs


def max_pool(images: Sequence[Tensor], shape: Shape) -> list[Tensor]:
    """3x3 maxima with stride 2 and "same" padding by -inf: even sizes are padded after the image
    only, which MaxPool2d(3, 2, padding=1) does not do."""
    sides = borders(shape, 3, 2)
    padded = [F.pad(x, sides, value=-torch.inf) for x in images]
    on_cpu = padded[0].device.type == "cpu"
    return [F.max_pool2d(x, 3, 2) if on_cpu else by_axes(x) for x in padded]


def by_axes(x: Tensor) -> Tensor:
    """3x3 maxima with stride 2, [B, C, H, W], rows first.

    A pixel that is the maximum of four windows gets four gradients, which compiled kernels of a GPU
    add in any order; on its way through each axis it gets two.
    """
    return F.max_pool2d(F.max_pool2d(x, (1, 3), (1, 2)), (3, 1), (2, 1))


def by_channel(images: Sequence[Tensor]) -> Tensor:
    """One [B, C, H, W] per seed -> [S, B * H * W, C]: every position is a sample of a channel."""
    return torch.stack([x.permute(0, 2, 3, 1).flatten(0, 2) for x in images])


def channel_rows(channels: int, positions: int, first: int = 0) -> Tensor:
    """Where channels lie on the input axis of a consumer: row first + c * positions + j of channel
    c, int64 [channels, positions]; positions are k * k of a convolution or H * W of a flattened
    image."""
    return first + torch.arange(channels * positions).view(channels, positions)


@dataclass(frozen=True)
class Node:
    """A convolution of an encoder, and which one reads its rectified output alone."""

    conv: StackedConv
    reader: str | None
    """Path of the next convolution; "" is what follows the encoder; None where a residual sum
    hides the units."""


@dataclass(frozen=True)
class Plain:
    """Convolutions one behind the other, a ReLU after each."""

    name: str
    shape: Shape
    channels: tuple[int, ...]
    padding: Padding = "same"
    initialiser: str = "xavier_uniform"
    gain: float = 1.0
    windows: tuple[tuple[int, int], ...] = ((3, 2), (3, 2), (3, 2), (3, 2))
    """Kernel and stride of each."""

    def nodes(self) -> list[Node]:
        """In forward order."""
        convs: list[StackedConv] = []
        shape = self.shape
        for i, (channels, window) in enumerate(zip(self.channels, self.windows, strict=True)):
            path = f"{self.name}.conv{i}"
            conv = StackedConv(
                path, shape, channels, *window, self.padding, self.initialiser, self.gain
            )
            convs.append(conv)
            shape = conv.output
        return [
            Node(conv, reader)
            for conv, reader in zip(convs, [*(c.path for c in convs[1:]), ""], strict=True)
        ]

    @property
    def output(self) -> Shape:
        """Shape of the latent."""
        return self.nodes()[-1].conv.output

    def forward(
        self, parameters: Parameters, images: Sequence[Tensor], taps: Taps | None = None
    ) -> list[Tensor]:
        """One [B, *shape] per seed -> one [B, *output] per seed."""
        h = list(images)
        for node in self.nodes():
            h = [F.relu(x) for x in node.conv.forward(parameters, h)]
            if taps is not None:
                taps[node.conv.path] = by_channel(h)
        return h


@dataclass(frozen=True)
class Nature(Plain):
    """Convolutions 8x8 / 4, 4x4 / 2 and 3x3 / 1 (Mnih et al. 2015)."""

    channels: tuple[int, ...] = (32, 64, 64)
    windows: tuple[tuple[int, int], ...] = ((8, 4), (4, 2), (3, 1))


@dataclass(frozen=True)
class Impala:
    """Stages of a 3x3 convolution, a max-pool and two residual blocks, without norms (Espeholt et
    al. 2018; Schwarzer et al. 2023: four times the channels)."""

    name: str
    shape: Shape
    channels: tuple[int, ...] = (64, 128, 128)
    padding: Padding = "same"
    initialiser: str = "xavier_uniform"
    gain: float = 1.0
    blocks: int = 2

    def _conv(self, path: str, shape: Shape, channels: int) -> StackedConv:
        whole = f"{self.name}.{path}"
        return StackedConv(whole, shape, channels, 3, 1, "same", self.initialiser, self.gain)

    def stages(self) -> list[tuple[StackedConv, list[tuple[StackedConv, StackedConv]]]]:
        """Of each stage, the first convolution and the pairs of its blocks."""
        found = []
        shape = self.shape
        for i, channels in enumerate(self.channels):
            first = self._conv(f"stage{i}", shape, channels)
            shape = (channels, -(-shape[1] // 2), -(-shape[2] // 2))
            pairs = [
                (
                    self._conv(f"stage{i}.block{j}.0", shape, channels),
                    self._conv(f"stage{i}.block{j}.1", shape, channels),
                )
                for j in range(self.blocks)
            ]
            found.append((first, pairs))
        return found

    def nodes(self) -> list[Node]:
        """In forward order. Only the first convolution of a block has units of its own: the
        others are summed into the residual stream."""
        found = []
        for first, pairs in self.stages():
            found.append(Node(first, None))
            for one, two in pairs:
                found += [Node(one, two.path), Node(two, None)]
        return found

    @property
    def output(self) -> Shape:
        """Shape of the latent."""
        return self.nodes()[-1].conv.output

    def forward(
        self, parameters: Parameters, images: Sequence[Tensor], taps: Taps | None = None
    ) -> list[Tensor]:
        """One [B, *shape] per seed -> one [B, *output] per seed."""
        h = list(images)
        for first, pairs in self.stages():
            h = max_pool(first.forward(parameters, h), first.output)
            for one, two in pairs:
                inner = one.forward(parameters, [F.relu(x) for x in h])
                inner = [F.relu(x) for x in inner]
                if taps is not None:
                    taps[one.path] = by_channel(inner)
                h = [x + y for x, y in zip(h, two.forward(parameters, inner), strict=True)]
        return [F.relu(x) for x in h]


Encoder = Plain | Impala


def encode(
    encoder: Encoder, parameters: Parameters, images: Tensor, taps: Taps | None = None
) -> Tensor:
    """[S, N, C, H, W] -> latents [S, N, C', H', W']."""
    last = torch.channels_last
    seeds = [x.contiguous(memory_format=last) for x in images.unbind(0)]
    return torch.stack(encoder.forward(parameters, seeds, taps))


# What remedies see


def conv_edge(conv: StackedConv, reader: StackedConv) -> Edge:
    """From a convolution to the next."""
    return Edge(reader.path, channel_rows(conv.channels, reader.kernel**2))


def flat_edge(shape: Shape, reader: str) -> Edge:
    """From a convolution with an output of this shape to a dense layer that reads it flattened."""
    channels, height, width = shape
    return Edge(reader, channel_rows(channels, height * width))


def conv_layer(
    conv: StackedConv,
    parameters: Parameters,
    depth: int,
    edges: tuple[Edge, ...],
    tapped: bool = True,
) -> Layer:
    """A convolution over these live tensors."""
    roles: tuple[Role, ...] = ("weight", "bias")
    return Layer(
        path=conv.path,
        kind="conv",
        group="encoder",
        depth=depth,
        parameters={role: parameters[f"{conv.path}.{role}"] for role in roles},
        initialise=conv.initialise,
        units=conv.channels,
        fan_in=conv.rows,
        activation="relu" if edges else None,
        tap=conv.path if edges and tapped else None,
        consumers=edges,
    )


def encoder_layers(
    encoder: Encoder, parameters: Parameters, depth: int, after: tuple[Edge, ...]
) -> list[Layer]:
    """The convolutions of an encoder in forward order: the last one at this depth, and where its
    units go `after` it."""
    nodes = encoder.nodes()
    convs = {node.conv.path: node.conv for node in nodes}
    layers = []
    for i, node in enumerate(nodes):
        reader = convs.get(node.reader or "")
        edges = after if node.reader == "" else ()
        if reader is not None:
            edges = (conv_edge(node.conv, reader),)
        layers.append(conv_layer(node.conv, parameters, depth + len(nodes) - 1 - i, edges))
    return layers


ENCODERS: dict[str, type[Nature] | type[Impala]] = {"nature": Nature, "impala": Impala}
