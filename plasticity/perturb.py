"""Shrink & perturb (Ash and Adams 2020; D'Oro et al. 2023; Schwarzer et al. 2023)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from torch import Tensor

from primacy.plasticity.contract import (
    Generators,
    Layer,
    PlasticNetwork,
    Role,
    forget,
    select_layered,
    select_layers,
    write,
)
from primacy.plasticity.resets import copy_to_target
from primacy.plasticity.schedule import RemedyError, Schedule


@dataclass(frozen=True, kw_only=True)
class ShrinkPerturb(Schedule):
    """theta <- shrink * theta + perturb * phi, phi a draw of the layer's own initialiser (Ash's
    public code)."""

    shrink: float = 0.8
    """Share of the old weights, lambda, in [0, 1]."""
    perturb: float | None = None
    """Factor of the fresh draw (default 1 - shrink)."""
    networks: tuple[str, ...] = ("critic", "actor")
    """Networks: all, or names joined by +. What belongs to no layer (the temperature, IQL's
    log-stds) is never perturbed."""
    layers: str = "all"
    """Layers of them: all, head:K, encoder, torso, head, or a pattern on paths."""
    source: Literal["fresh", "initial"] = "fresh"
    """phi: a new draw each time, or the run's own initial weights (Hare & Tortoise's code)."""
    target: Literal["same", "own", "copy", "keep"] = "same"
    """Target network: shrunk and moved by the same draw, by one of its own, a copy of the new
    online layers, or kept."""
    preserve_variance: bool = False
    """Use perturb = sqrt(1 - shrink^2), which keeps the weights' scale."""

    def __post_init__(self) -> None:
        if self.preserve_variance and self.perturb is not None:
            raise RemedyError(
                "remedy shrink-perturb: fields perturb and preserve_variance exclude each other",
                "give one of them: preserve_variance means perturb = sqrt(1 - shrink^2)",
            )

    def init(self, networks: Mapping[str, PlasticNetwork]) -> dict[str, Tensor]:
        """The initial weights, where they are the source."""
        state = {}
        for network in select_layered(networks, self.networks):
            for layer in self._layers(network):
                for role, name in layer.names().items():
                    if self.source == "initial":
                        state[name] = layer.parameters[role].clone()
        return state

    def _layers(self, network: PlasticNetwork) -> list[Layer]:
        return [x for x in select_layers(network, self.layers) if x.kind != "free"]

    def _factor(self, layer: Layer) -> float:
        # A norm's scale is drawn as 1: any other factor would change what "no scaling" means.
        if layer.kind == "norm":
            return 1.0 - self.shrink
        if self.preserve_variance:
            return sqrt(1.0 - self.shrink**2)
        return 1.0 - self.shrink if self.perturb is None else self.perturb

    def _draw(
        self,
        layer: Layer,
        state: dict[str, Tensor],
        generators: Callable[[str], Generators],
        key: str,
    ) -> dict[Role, Tensor]:
        if self.source == "initial":
            return {role: state[name] for role, name in layer.names().items()}
        return layer.initialise(generators(key))

    def apply(
        self,
        networks: Mapping[str, PlasticNetwork],
        state: dict[str, Tensor],
        fire: Tensor,
        generators: Callable[[str], Generators],
    ) -> set[str]:
        """Edit the seeds in `fire`; moments and counters of the edited parameters are zeroed."""
        chosen = select_layered(networks, self.networks)
        for network in chosen:
            layers = self._layers(network)
            for layer in layers:
                draw = self._draw(layer, state, generators, layer.path)
                self._mix(layer, draw, fire)
                for name in layer.names().values():
                    forget(network, name, fire)
            self._apply_to_target(network, {x.path for x in layers}, state, fire, generators)
        return {network.name for network in chosen}

    def _mix(self, layer: Layer, draw: Mapping[Role, Tensor], fire: Tensor) -> None:
        factor = self._factor(layer)
        for role, value in layer.parameters.items():
            write(value, self.shrink * value + factor * draw[role].to(value), fire)

    def _apply_to_target(
        self,
        network: PlasticNetwork,
        paths: set[str],
        state: dict[str, Tensor],
        fire: Tensor,
        generators: Callable[[str], Generators],
    ) -> None:
        if network.target is None or self.target == "keep":
            return
        if self.target == "copy":
            copy_to_target(network, paths, fire)
            return
        for layer in network.target.layers:
            if layer.path in paths:
                key = layer.path if self.target == "same" else f"target/{layer.path}"
                self._mix(layer, self._draw(layer, state, generators, key), fire)
