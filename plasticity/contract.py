"""What an agent publishes of its networks, and what a remedy may do with it.

An agent builds `PlasticNetwork`s; a remedy acts on them. Neither names the other. The four kinds of
remedy are told apart by when they act (the protocols at the end). Every parameter has a leading
seed axis S; an ensemble is a second axis E.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

Generators = Sequence[np.random.Generator]
Role = Literal["weight", "bias", "scale", "offset", "value", "weight_sigma", "bias_sigma"]
Group = Literal["encoder", "torso", "head", "free"]


@dataclass(frozen=True)
class Architecture:
    """The build-time description of a multi-layer perceptron; remedies of kind Option edit it
    before parameters exist."""

    hidden_sizes: tuple[int, ...] = (256, 256)
    """Units of each hidden layer."""
    activation: Literal["relu", "crelu", "tanh"] = "relu"
    """Non-linearity after each hidden layer; crelu is [relu(u), relu(-u)] and doubles the
    features."""
    normaliser: Literal["none", "layer_norm"] = "none"
    """What stands between a hidden layer and its non-linearity."""


class Moments(NamedTuple):
    """Views of the optimiser's state for one parameter; edits on them are edits of the
    optimiser."""

    mean: Tensor
    variance: Tensor
    step: Tensor  # [S, 1, ...] or, where a unit-wise remedy asked for it, shaped like the parameter


@dataclass(frozen=True)
class Edge:
    """Where a layer's units go: unit i feeds the rows `unit_map[i]` of the consumer's input
    axis."""

    consumer: str
    unit_map: Tensor  # int64 [units, r]


@dataclass(frozen=True)
class Layer:
    """One layer of a stack of networks.

    `parameters` are the live tensors by role, weight [S, (E,) in, out] and others [S, (E,) 1, out];
    edit them in place only. `initialise(generators)` is the constructor's own function: one
    generator per seed, a fresh draw of every role.
    """

    path: str
    kind: Literal["dense", "conv", "norm", "scalar", "free"]
    """conv: a unit is a channel, and row c * k * k + i * k + j of the weight is position (i, j) of
    input channel c. scalar: a network of one number (a temperature). free: a parameter of a network
    that belongs to no layer (IQL's log-stds)."""
    group: Group
    depth: int
    """0 is the output; mean and log-std heads are both 0; a norm has the depth of the layer it
    follows."""
    parameters: Mapping[Role, Tensor]
    initialise: Callable[[Generators], dict[Role, Tensor]]
    units: int
    fan_in: int
    activation: str | None = None
    tap: str | None = None
    consumers: tuple[Edge, ...] = ()

    def names(self) -> dict[Role, str]:
        """The parameters' names by role, as the agent's own dict has them: "critic.1.weight"."""
        return {role: f"{self.path}.{role}" for role in self.parameters}


@dataclass(frozen=True)
class PlasticNetwork:
    """A network as remedies and diagnostics see it."""

    name: str
    layers: tuple[Layer, ...]
    moments: Callable[[str], Moments | None] = field(repr=False)
    """Optimiser state of a parameter by name; None where the optimiser has none (a target
    network)."""
    target: "PlasticNetwork | None" = None
    """The slowly following copy: the same paths, no optimiser state."""
    activations: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] | None = field(
        default=None, repr=False
    )
    """Post-activations by tap on a batch (observation [S, B, O], action [S, B, A]): [S, (E,) B,
    units]; of a convolution [S, B * H * W, channels], every position a sample."""

    @property
    def num_seeds(self) -> int:
        """S."""
        return next(iter(self.layers[0].parameters.values())).shape[0]

    def parameters(self) -> Iterator[tuple[str, Role, Layer, Tensor]]:
        """All parameters as (name, role, layer, value)."""
        for layer in self.layers:
            for role, value in layer.parameters.items():
                yield f"{layer.path}.{role}", role, layer, value


class SelectionError(ValueError):
    """A remedy names a network or layer that the agent does not have."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


NETWORKS = ("critic", "value", "actor", "temperature")
"""Names that networks of some agent have."""


def select_networks(
    networks: Mapping[str, PlasticNetwork], names: Sequence[str]
) -> list[PlasticNetwork]:
    """The networks of these names, in the agent's order; ("all",) is all of them.

    Of several names, those that only other agents have are passed over: critic+actor is the critic
    of an agent that learns values alone.

    Raises:
        SelectionError: a name that no agent has, or none that this one has.
    """
    if tuple(names) == ("all",):
        return list(networks.values())
    for name in names:
        others = name in NETWORKS and not networks.keys().isdisjoint(names)
        if name not in networks and not others:
            raise SelectionError(
                f"field networks: the agent has no network {name!r}",
                f"name some of {', '.join(networks)}, or all",
            )
    return [networks[name] for name in networks if name in names]


def select_layers(network: PlasticNetwork, layers: str) -> list[Layer]:
    """The layers a selector names: "all", "head:k" (depth below k), or groups ("encoder") and globs
    on paths ("critic.*") joined by "+". A parameter that belongs to no layer is at no depth.

    A network of a single scalar (the temperature) has no layers to choose from: every selector
    takes it whole.
    """
    if layers == "all" or all(layer.kind == "scalar" for layer in network.layers):
        return list(network.layers)
    if layers.startswith("head:") and layers[5:].isdigit() and int(layers[5:]) > 0:
        depth = int(layers[5:])
        return [x for x in network.layers if x.depth < depth and x.kind != "free"]
    names = layers.split("+")
    chosen = [
        layer
        for layer in network.layers
        if layer.group in names or any(fnmatchcase(layer.path, name) for name in names)
    ]
    if not chosen:
        raise SelectionError(
            f"field layers: {layers!r} selects nothing in the network {network.name!r}",
            "use all, head:K with K >= 1, encoder, torso, head, or a pattern over "
            + ", ".join(layer.path for layer in network.layers),
        )
    return chosen


def select_layered(
    networks: Mapping[str, PlasticNetwork], names: Sequence[str]
) -> list[PlasticNetwork]:
    """The networks of these names without single scalars (the temperature).

    Raises SelectionError where none is left: the remedy would do nothing.
    """
    chosen = select_networks(networks, names)
    layered = [network for network in chosen if network.layers[0].kind != "scalar"]
    if not layered:
        raise SelectionError(
            f"field networks: {'+'.join(names)} is a single scalar, which this remedy leaves alone",
            "name networks that have layers; reset is the remedy for a temperature",
        )
    return layered


def expand(mask: Tensor, like: Tensor) -> Tensor:
    """A mask [S] shaped to broadcast against a parameter [S, ...]."""
    return mask.view(-1, *([1] * (like.ndim - 1)))


def write(value: Tensor, new: Tensor, fire: Tensor) -> None:
    """`value <- new` in place for the seeds that fire (bool [S]); the others keep every bit."""
    value.copy_(torch.where(expand(fire, value), new.to(value), value))


def forget(network: PlasticNetwork, name: str, fire: Tensor) -> None:
    """Zero the optimiser's moments AND step counter of one parameter for the seeds that fire.

    Moments without their counter multiply the next steps by up to 6.6 (bias correction sees an old
    optimiser).
    """
    moments = network.moments(name)
    if moments is not None:
        for tensor in moments:
            write(tensor, torch.zeros_like(tensor), fire)


class Penalty(Protocol):
    """A term of the loss, inside the compiled update: the sum over parameters, per seed."""

    def init(self, networks: Mapping[str, PlasticNetwork]) -> dict[str, Tensor]:
        """All memory the remedy needs, with a leading seed axis."""
        ...

    def penalty(
        self, network: PlasticNetwork, parameters: Mapping[str, Tensor], state: Mapping[str, Tensor]
    ) -> Tensor | float:
        """[S], or 0.0 for a network that it leaves alone; `parameters` are the differentiated
        values by name, not the network's live tensors."""
        ...


@runtime_checkable
class StepRule(Protocol):
    """Acts inside the compiled update with fixed shapes, before and after each optimiser step of a
    network."""

    def init(self, networks: Mapping[str, PlasticNetwork]) -> dict[str, Tensor]:
        """All memory the remedy needs, with a leading seed axis."""
        ...

    def before_step(
        self,
        network: PlasticNetwork,
        name: str,
        value: Tensor,
        learning_rate: float | Tensor,
        state: Mapping[str, Tensor],
    ) -> Tensor:
        """The value that the optimiser's step starts from (pure; the value itself where the rule
        has no say)."""
        ...

    def after_step(self, network: PlasticNetwork, state: Mapping[str, Tensor]) -> None:
        """In-place edits of the rule's own state (an average that follows the network)."""
        ...


class Intervention(Protocol):
    """An edit between updates: eager, in place, per seed."""

    def init(self, networks: Mapping[str, PlasticNetwork]) -> dict[str, Tensor]:
        """All memory the remedy will ever need, as tensors with a leading seed axis; checkpoints
        store it as it is."""
        ...

    def apply(
        self,
        networks: Mapping[str, PlasticNetwork],
        state: dict[str, Tensor],
        fire: Tensor,
        generators: Callable[[str], Generators],
    ) -> set[str]:
        """Edit the seeds in `fire` (bool [S]); `generators(path)` are this event's own, one per
        seed.

        Returns the names of the networks that were edited, for the agent's `on_edit`.
        """
        ...


class Follower(Protocol):
    """A remedy that remembers weights and is told when another one edits them."""

    def follow(
        self,
        networks: Mapping[str, PlasticNetwork],
        state: dict[str, Tensor],
        changed: Mapping[str, Tensor],
        redrawn: bool,
    ) -> None:
        """`changed` says by parameter name which seeds (bool [S]) were edited; `redrawn` that the
        edit was a fresh draw, as the editing remedy's class says by `redraws = True`."""
        ...


class Option(Protocol):
    """A build-time choice: edits the description of a network before its parameters exist."""

    def build(self, network: str, architecture: Architecture, inputs: int) -> Architecture:
        """The architecture of this network (inputs features wide) with the option taken."""
        ...
