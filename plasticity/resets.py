"""Periodic resets (Nikishin et al. 2022)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from primacy.plasticity.contract import (
    Generators,
    PlasticNetwork,
    forget,
    select_layers,
    select_networks,
    write,
)
from primacy.plasticity.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Reset(Schedule):
    """Give layers back to their initialiser: a fresh draw, with the optimiser as on the first day.

    With the defaults the whole agent starts over and only replay stays: actor, critics, target and
    temperature.
    """

    redraws: ClassVar[bool] = True
    """Edited layers are new-born: what remembers initial weights takes theirs."""

    networks: tuple[str, ...] = ("all",)
    """Networks: all, or names joined by + (critic+actor+temperature)."""
    layers: str = "all"
    """Layers of them: all, head:K (the last K), encoder, torso, head, or a pattern on paths."""
    target: Literal["reset", "copy", "own", "keep"] = "reset"
    """Target network: the same new draw, a copy of the online layers (the same here), a draw of its
    own (BBF), or left as it is."""
    optimiser: Literal["reset", "keep", "all"] = "reset"
    """Adam's moments and step counters: of the reset layers, of none, or of the whole network."""

    def init(self, networks: Mapping[str, PlasticNetwork]) -> dict[str, Tensor]:
        """No memory; raises SelectionError where the selectors name nothing."""
        for network in select_networks(networks, self.networks):
            select_layers(network, self.layers)
        return {}

    def apply(
        self,
        networks: Mapping[str, PlasticNetwork],
        state: dict[str, Tensor],
        fire: Tensor,
        generators: Callable[[str], Generators],
    ) -> set[str]:
        """Edit the seeds in `fire`; returns the names of the edited networks."""
        chosen = select_networks(networks, self.networks)
        for network in chosen:
            paths = {layer.path for layer in select_layers(network, self.layers)}
            for layer in network.layers:
                if layer.path in paths:
                    fresh = layer.initialise(generators(layer.path))
                    for role, value in layer.parameters.items():
                        write(value, fresh[role], fire)
                forgotten = self.optimiser == "all" or (
                    self.optimiser == "reset" and layer.path in paths
                )
                if forgotten:
                    for name in layer.names().values():
                        forget(network, name, fire)
            if self.target == "own":
                _redraw_target(network, paths, fire, generators)
            elif self.target != "keep":
                copy_to_target(network, paths, fire)
        return {network.name for network in chosen}


def _redraw_target(
    network: PlasticNetwork,
    paths: set[str],
    fire: Tensor,
    generators: Callable[[str], Generators],
) -> None:
    for layer in network.target.layers if network.target is not None else ():
        if layer.path in paths:
            fresh = layer.initialise(generators(f"target/{layer.path}"))
            for role, value in layer.parameters.items():
                write(value, fresh[role], fire)


def copy_to_target(network: PlasticNetwork, paths: set[str], fire: Tensor) -> None:
    """target <- online for these layers and the seeds in `fire`; other layers of the target are
    kept."""
    if network.target is None:
        return
    for online, target in zip(network.layers, network.target.layers, strict=True):
        if online.path in paths:
            for role, value in target.parameters.items():
                write(value, online.parameters[role], fire)
