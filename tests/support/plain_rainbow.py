"""The network of Rainbow's kin (SPR, PLASTIC's DrQ) for one seed, as those codes write it: two
streams of noisy layers behind three convolutions without padding. Shares no code with the package.
"""

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primacy.tests.support.plain_bbf import Choices, Network, Valid, nature


class Noisy(nn.Module):
    """Fortunato et al. 2018, factorised: w = mu + sigma * outer(f(b), f(a))."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight, self.weight_sigma = (
            nn.Parameter(torch.zeros(outputs, inputs)) for _ in range(2)
        )
        self.bias, self.bias_sigma = (nn.Parameter(torch.zeros(outputs)) for _ in range(2))

    @property
    def numbers(self) -> int:
        return sum(self.weight.shape)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        if noise is None:
            return F.linear(x, self.weight, self.bias)
        f = torch.where(noise > 0, 1.0, -1.0) * noise.abs() ** 0.5
        a, b = f[: x.shape[1]], f[x.shape[1] :]
        weight = self.weight + self.weight_sigma * torch.outer(b, a)
        return F.linear(x, weight, self.bias + self.bias_sigma * b)


class Damped(torch.autograd.Function):
    """The identity, with a fraction of the gradient."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> Tensor:
        return gradients[0] * 2**-0.5


class Rainbow(Network):
    def __init__(self, choices: Choices, shape: tuple[int, int, int], actions: int) -> None:
        nn.Module.__init__(self)
        self.choices, self.actions = choices, actions
        self.encoder = nature(shape[0], choices.channels, Valid)
        channels, *size = self.encoder(torch.zeros(1, *shape)).shape[1:]
        flat, half = channels * prod(size), choices.hidden // 2
        self.value_hidden, self.advantage_hidden = Noisy(flat, half), Noisy(flat, half)
        self.value = Noisy(half, choices.atoms)
        self.advantage = Noisy(half, actions * choices.atoms)
        self.self_prediction(channels)

    def forward(self, latent: Tensor, noise: Tensor | None = None) -> Tensor:
        layers = (self.value_hidden, self.advantage_hidden, self.value, self.advantage)
        parts = [None] * 4 if noise is None else noise.split([layer.numbers for layer in layers])
        x = Damped.apply(latent.flatten(1))
        value = self.value(F.relu(self.value_hidden(x, parts[0])), parts[2])
        advantage = self.advantage(F.relu(self.advantage_hidden(x, parts[1])), parts[3])
        rows = advantage.view(len(x), self.actions, -1)
        return value[:, None] + rows - rows.mean(1, keepdim=True)

    def project(self, latent: Tensor) -> Tensor:
        x = latent.flatten(1)
        return torch.cat((self.value_hidden(x), self.advantage_hidden(x)), 1)
