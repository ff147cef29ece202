"""Remedies that are chosen when a network is built."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

from torch import Tensor

from primacy.plasticity.contract import Architecture, PlasticNetwork, select_layered


@dataclass(frozen=True)
class _Option:
    networks: tuple[str, ...] = ("critic", "actor")
    """Networks: all, or names joined by +."""

    def init(self, networks: Mapping[str, PlasticNetwork]) -> dict[str, Tensor]:
        """No memory; raises SelectionError for a network that is not there."""
        select_layered(networks, self.networks)
        return {}

    def _acts_on(self, network: str) -> bool:
        return "all" in self.networks or network in self.networks


@dataclass(frozen=True)
class LayerNorm(_Option):
    """Layer norm between each hidden layer and its non-linearity (Lyle et al. 2023)."""

    def build(self, network: str, architecture: Architecture, inputs: int) -> Architecture:
        """The architecture with norms."""
        if not self._acts_on(network):
            return architecture
        return replace(architecture, normaliser="layer_norm")


@dataclass(frozen=True)
class CReLU(_Option):
    """Concatenated ReLU, [relu(u), relu(-u)], after each hidden layer (Abbas et al. 2023)."""

    width: Literal["params", "units", "keep"] = "params"
    """Hidden sizes: nearest parameter count to the plain network, half the units, or as they
    are."""

    def build(self, network: str, architecture: Architecture, inputs: int) -> Architecture:
        """The architecture with CReLU and its hidden sizes adjusted."""
        if not self._acts_on(network):
            return architecture
        sizes = architecture.hidden_sizes
        factors = {"params": _equal_parameters(sizes, inputs), "units": 0.5, "keep": 1.0}
        factor = factors[self.width]
        narrow = tuple(max(1, round(factor * size)) for size in sizes)
        return replace(architecture, activation="crelu", hidden_sizes=narrow)


def _equal_parameters(sizes: tuple[int, ...], inputs: int) -> float:
    """The factor x on hidden sizes for which the doubled features leave the number of weights as it
    was.

    With d = inputs * H1 and e = sum of H_i H_{i+1} it solves d x + 2 e x^2 = d + e (the output
    layers are small).
    """
    first = inputs * sizes[0]
    inner = sum(a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True))
    if not inner:
        return 1.0
    return (-first + sqrt(first**2 + 8.0 * inner * (first + inner))) / (4.0 * inner)
