"""Linear layers with noise of learned size (Fortunato et al. 2018, factorised)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from primacy.agents.initialisers import Generators, uniform
from primacy.plasticity.contract import Role


def factor(normal: Tensor) -> Tensor:
    """sign(x) sqrt|x|."""
    return normal.sign() * normal.abs().sqrt()


@dataclass(frozen=True)
class NoisyLinear:
    """S layers y = x (W + sigma_W * f(a) f(b)^T) + b + sigma_b * f(b), with a [S, in] and b [S,
    out] standard normal; one draw serves all samples of a pass."""

    path: str
    inputs: int
    outputs: int
    sigma: float = 0.5
    """sigma_0: every sigma starts at sigma_0 / sqrt(in)."""

    def initialise(self, generators: Generators) -> dict[Role, Tensor]:
        """Means uniform on +-1 / sqrt(in) (section 3.2 of the paper)."""
        seeds, bound = len(generators), self.inputs**-0.5
        bias = (seeds, 1, self.outputs)
        return {
            "weight": uniform(generators, (self.inputs, self.outputs), bound),
            "bias": uniform(generators, (1, self.outputs), bound),
            "weight_sigma": torch.full((seeds, self.inputs, self.outputs), self.sigma * bound),
            "bias_sigma": torch.full(bias, self.sigma * bound),
        }

    def forward(
        self, parameters: Mapping[str, Tensor], x: Tensor, noise: Tensor | None = None
    ) -> Tensor:
        """[S, B, in] -> [S, B, out]; `noise` is standard normal [S, in + out], None uses the
        means."""
        weight, bias = (parameters[f"{self.path}.{role}"] for role in ("weight", "bias"))
        if noise is not None:
            rows, columns = factor(noise).split((self.inputs, self.outputs), -1)
            sigma = parameters[f"{self.path}.weight_sigma"]
            weight = weight + sigma * rows.unsqueeze(-1) * columns.unsqueeze(-2)
            bias = bias + parameters[f"{self.path}.bias_sigma"] * columns.unsqueeze(-2)
        return torch.baddbmm(bias, x, weight)
