"""Adam for stacks: one element-wise optimiser over [S, ...] tensors equals S separate Adams.

torch.optim.Adam keeps one step counter per tensor; once a single seed (or unit) is reset, its bias
correction would be wrong. Here the counter is a tensor of its own: [S, 1, ...] per parameter, or
shaped like the parameter where unit-wise remedies ask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, pi

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
    weight_decay: float = 0.0
    """Decoupled decay per unit of step size, of weights alone (AdamW, Loshchilov and Hutter
    2019)."""

    def decay(self, name: str, value: Tensor, learning_rate: float | Tensor) -> Tensor:
        """The value that a step starts from: biases, norms and noise scales do not decay."""
        if self.weight_decay == 0.0 or not name.endswith(".weight"):
            return value
        return value * (1.0 - learning_rate * self.weight_decay)

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

    def corrections(self, moments: Sequence[Moments]) -> list[tuple[Tensor, Tensor]]:
        """Bias corrections 1 - beta1**t and 1 - beta2**t of the next step, each shaped like the
        counter t.

        All counters go through one small table: left to itself, the compiler evaluates a correction
        again for every element that it divides. In float64, because in float32 the difference loses
        five digits at t = 1 for beta2 = 0.999.
        """
        steps = torch.cat([moment.step.flatten() for moment in moments]).double() + 1.0
        tables = [(1.0 - torch.exp(steps * log(beta))).float() for beta in (self.beta1, self.beta2)]
        sizes = [moment.step.numel() for moment in moments]
        parts = zip(moments, *(table.split(sizes) for table in tables), strict=True)
        return [(one.view_as(m.step), two.view_as(m.step)) for m, one, two in parts]

    def step(
        self,
        value: Tensor,
        gradient: Tensor,
        moments: Moments,
        corrections: tuple[Tensor, Tensor],
        start: Tensor,
        alive: Tensor,
        learning_rate: float | Tensor | None = None,
    ) -> None:
        """One step from `start` (the value, or what decoupled decay made of it), in place; seeds
        not alive keep every bit. `learning_rate` takes the place of the optimiser's own."""
        rate = self.learning_rate if learning_rate is None else learning_rate
        keep = expand(alive, value)
        mean = torch.lerp(gradient, moments.mean, self.beta1)
        variance = torch.lerp(gradient.square(), moments.variance, self.beta2)
        denominator = (variance / corrections[1]).sqrt() + self.epsilon
        new = start - rate * (mean / corrections[0]) / denominator
        moments.mean.copy_(torch.where(keep, mean, moments.mean))
        moments.variance.copy_(torch.where(keep, variance, moments.variance))
        moments.step.copy_(torch.where(keep, moments.step + 1.0, moments.step))
        value.copy_(torch.where(keep, new, value))


def cosine(learning_rate: float, moments: Sequence[Moments], period: int) -> list[Tensor]:
    """Step sizes learning_rate (1 + cos(pi min(t, period) / period)) / 2 of the next step, each
    shaped like the counter t of its parameter.

    A reset puts the counter back to 0 and with it the schedule, per seed. One small table, as for
    the corrections.
    """
    steps = torch.cat([moment.step.flatten() for moment in moments]).double().clamp(max=period)
    table = (0.5 * learning_rate * (1.0 + torch.cos(steps * (pi / period)))).float()
    parts = table.split([moment.step.numel() for moment in moments])
    return [part.view_as(m.step) for part, m in zip(parts, moments, strict=True)]


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
