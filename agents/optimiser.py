"""Adam for stacks: one element-wise optimiser over [S, ...] tensors equals S separate Adams.

torch.optim.Adam keeps one step counter per tensor; once a single seed (or unit) is reset, its bias
correction would be wrong. Here the counter is a tensor of its own: [S, 1, ...] per parameter, or
shaped like the parameter where unit-wise remedies ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from primacy.plasticity.contract import Moments, expand


@dataclass(frozen=True)
class Adam:
    """Kingma and Ba 2015 with optax's defaults (epsilon outside the root)."""

    learning_rate: float = 3e-4
    """Step size."""
    beta1: float = 0.9
    """Decay of the mean of the gradients, per step."""
    beta2: float = 0.999
    """Decay of the mean of their squares, per step."""
    epsilon: float = 1e-8
    """Added to the root of the second moment."""

    def initialise(
        self, parameters: Mapping[str, Tensor], elementwise: bool = False
    ) -> dict[str, Moments]:
        """Zero moments for each parameter; `elementwise` gives every element its own step
        counter."""
        return {
            name: Moments(
                torch.zeros_like(value),
                torch.zeros_like(value),
                torch.zeros_like(value if elementwise else _per_seed(value)),
            )
            for name, value in parameters.items()
        }

    def step(
        self, value: Tensor, gradient: Tensor, moments: Moments, start: Tensor, alive: Tensor
    ) -> None:
        """One step from `start` (the value, or what decoupled decay made of it), in place; seeds
        not alive keep every bit.

        Bias corrections 1 - beta**t are computed as -expm1(t log beta): in float32 the plain form
        loses five digits at t = 1 for beta2 = 0.999.
        """
        keep = expand(alive, value)
        mean = torch.lerp(gradient, moments.mean, self.beta1)
        variance = torch.lerp(gradient.square(), moments.variance, self.beta2)
        step = moments.step + 1.0
        correction1 = -torch.expm1(step * log(self.beta1))
        correction2 = -torch.expm1(step * log(self.beta2))
        denominator = (variance / correction2).sqrt() + self.epsilon
        new = start - self.learning_rate * (mean / correction1) / denominator
        moments.mean.copy_(torch.where(keep, mean, moments.mean))
        moments.variance.copy_(torch.where(keep, variance, moments.variance))
        moments.step.copy_(torch.where(keep, step, moments.step))
        value.copy_(torch.where(keep, new, value))


def _per_seed(value: Tensor) -> Tensor:
    return value.new_zeros(value.shape[0], *([1] * (value.ndim - 1)))


def gradient_norm(gradients: Mapping[str, Tensor]) -> Tensor:
    """The Euclidean norm of each seed's gradient over all parameters, [S]."""
    squares = [gradient.square().flatten(1).sum(-1) for gradient in gradients.values()]
    return torch.stack(squares).sum(0).sqrt()


def clip_by_norm(gradients: Mapping[str, Tensor], largest: float) -> dict[str, Tensor]:
    """Scale each seed's gradient to a norm of at most `largest`; a global norm would mix seeds."""
    factor = (largest / (gradient_norm(gradients) + 1e-6)).clamp(max=1.0)
    return {name: value * expand(factor, value) for name, value in gradients.items()}


def polyak(target: Tensor, value: Tensor, rate: float, alive: Tensor) -> None:
    """target <- rate * value + (1 - rate) * target, in place (eq. 6)."""
    target.copy_(torch.where(expand(alive, target), torch.lerp(target, value, rate), target))
