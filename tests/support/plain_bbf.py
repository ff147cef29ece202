"""BBF and its kin for one seed as the field writes them: nn.Module, autograd, torch.optim.AdamW.

The readable specification of agents/bbf.py and its test twin. It shares no code with the package.
Images are already augmented, float [B, ..., C, H, W] in [0, 1].
"""

import copy
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Noise = tuple[Tensor | None, Tensor | None, Tensor | None]
"""Of the network on s_t, of the network on s_{t+n}, of the target."""


class Sample(NamedTuple):
    images: Tensor  # [B, T, C, H, W]: s_t .. s_{t+K}
    following: Tensor  # [B, C, H, W]: s_{t+n}
    action: Tensor  # [B, T]
    mask: Tensor  # [B, K]
    reward: Tensor
    discount: Tensor
    weight: Tensor


@dataclass
class Choices:
    encoder: str = "impala"
    channels: tuple[int, ...] = (64, 128, 128)
    hidden: int = 2048
    categorical: bool = True
    renormalised: bool = True
    jumps: int = 5
    rate: float = 0.005
    weight_decay: float = 0.1
    learning_rate: float = 1e-4
    atoms: int = 51
    clip: float = 0.0


class Same(nn.Module):
    """TensorFlow's SAME convolution."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(pad_same(x, self.conv.kernel_size[0], self.conv.stride[0], 0.0))


class Valid(Same):
    """A convolution without padding."""

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def pad_same(x: Tensor, kernel: int, stride: int, value: float) -> Tensor:
    sides: list[int] = []
    for size in reversed(x.shape[-2:]):
        outputs = (size + stride - 1) // stride
        total = max(0, (outputs - 1) * stride + kernel - size)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides, value=value)


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one, self.two = Same(channels, channels, 3), Same(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.two(F.relu(self.one(F.relu(x))))


class Pool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(pad_same(x, 3, 2, -torch.inf), 3, 2)


def impala(inputs: int, widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in widths:
        layers += [Same(inputs, width, 3), Pool(), Residual(width), Residual(width)]
        inputs = width
    return nn.Sequential(*layers, nn.ReLU())


def nature(inputs: int, widths: tuple[int, ...], kind: type[Same] = Same) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width, (kernel, stride) in zip(widths, ((8, 4), (4, 2), (3, 1)), strict=True):
        layers += [kind(inputs, width, kernel, stride), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers)


class Network(nn.Module):
    def __init__(self, choices: Choices, shape: tuple[int, int, int], actions: int) -> None:
        super().__init__()
        self.choices, self.actions = choices, actions
        make = impala if choices.encoder == "impala" else nature
        self.encoder = make(shape[0], choices.channels)
        channels, *size = self.encoder(torch.zeros(1, *shape)).shape[1:]
        self.projection = nn.Linear(channels * size[0] * size[1], choices.hidden)
        atoms = choices.atoms
        self.advantage = nn.Linear(choices.hidden, actions * atoms)
        self.value = nn.Linear(choices.hidden, atoms)
        self.self_prediction(channels)

    def self_prediction(self, channels: int) -> None:
        if self.choices.jumps:
            self.transition = nn.Sequential(
                Same(channels + self.actions, channels, 3),
                nn.ReLU(),
                Same(channels, channels, 3),
                nn.ReLU(),
            )
            self.predictor = nn.Linear(self.choices.hidden, self.choices.hidden)

    def latent(self, x: Tensor) -> Tensor:
        return self.normal(self.encoder(x))

    def normal(self, h: Tensor) -> Tensor:
        if not self.choices.renormalised:
            return h
        flat = h.flatten(1)
        low, high = flat.min(1, keepdim=True).values, flat.max(1, keepdim=True).values
        return ((flat - low) / (high - low + 1e-5)).view_as(h)

    def forward(self, latent: Tensor, noise: Tensor | None = None) -> Tensor:
        h = F.relu(self.project(latent))
        advantage = self.advantage(h).view(len(h), self.actions, -1)
        return self.value(h)[:, None] + advantage - advantage.mean(1, keepdim=True)

    def project(self, latent: Tensor) -> Tensor:
        return self.projection(latent.flatten(1))

    def following(self, latent: Tensor, action: Tensor) -> Tensor:
        planes = torch.zeros(len(latent), self.actions, *latent.shape[-2:])
        planes[torch.arange(len(latent)), action] = 1.0
        return self.normal(self.transition(torch.cat((latent, planes), 1)))


class PlainBBF:
    def __init__(self, choices: Choices, online: Network) -> None:
        self.choices, self.online = choices, online
        self.target = copy.deepcopy(self.online)
        kernels = [p for p in self.online.parameters() if p.ndim != 1]
        biases = [p for p in self.online.parameters() if p.ndim == 1]
        self.adam = torch.optim.AdamW(
            [
                {"params": kernels, "weight_decay": choices.weight_decay},
                {"params": biases, "weight_decay": 0.0},
            ],
            choices.learning_rate,
            eps=1.5e-4,
        )
        self.z = torch.linspace(-10.0, 10.0, 51)

    def q(self, outputs: Tensor) -> Tensor:
        if not self.choices.categorical:
            return outputs[..., 0]
        return (outputs.softmax(-1) * self.z).sum(-1)

    def categorical_target(self, p: Tensor, reward: Tensor, discount: Tensor) -> Tensor:
        """The projection as the original paper's algorithm 1 writes it, sample by sample."""
        m = torch.zeros_like(p)
        for b in range(len(p)):
            for j in range(51):
                tz = (reward[b] + discount[b] * self.z[j]).clamp(-10.0, 10.0)
                place = float((tz + 10.0) / 0.4)
                low = min(int(place), 49)
                m[b, low] += p[b, j] * (low + 1 - place)
                m[b, low + 1] += p[b, j] * (place - low)
        return m

    def losses(self, batch: Sample, noise: Noise = (None, None, None)) -> tuple[Tensor, Tensor]:
        rows = torch.arange(len(batch.reward))
        with torch.no_grad():
            best = self.q(self.online(self.online.latent(batch.following), noise[1])).argmax(-1)
            outputs = self.target(self.target.latent(batch.following), noise[2])[rows, best]
        latent = self.online.latent(batch.images[:, 0])
        mine = self.online(latent, noise[0])[rows, batch.action[:, 0]]
        if self.choices.categorical:
            m = self.categorical_target(outputs.softmax(-1), batch.reward, batch.discount)
            td = -(m * mine.log_softmax(-1)).sum(-1)
        else:
            y = batch.reward + batch.discount * outputs[:, 0]
            td = F.huber_loss(mine[:, 0], y, reduction="none")
        ahead = torch.zeros_like(td)
        for k in range(self.choices.jumps):
            latent = self.online.following(latent, batch.action[:, k])
            y = self.online.predictor(self.online.project(latent))
            with torch.no_grad():
                seen = self.target.latent(batch.images[:, k + 1])
                goal = self.target.project(seen)
            cosine = F.cosine_similarity(y, goal, dim=-1)
            ahead = ahead + batch.mask[:, k] * (2.0 - 2.0 * cosine) / self.choices.jumps
        return td, ahead

    def update(self, batch: Sample, noise: Noise = (None, None, None)) -> dict[str, float]:
        td, ahead = self.losses(batch, noise)
        loss = (batch.weight * (td + 5.0 * ahead)).mean()
        self.adam.zero_grad()
        loss.backward()
        if self.choices.clip:
            nn.utils.clip_grad_norm_(self.online.parameters(), self.choices.clip)
        self.adam.step()
        with torch.no_grad():
            pairs = zip(self.target.parameters(), self.online.parameters(), strict=True)
            for target, value in pairs:
                target.mul_(1.0 - self.choices.rate).add_(value, alpha=self.choices.rate)
        return {
            "critic_loss": loss.item(),
            "td_loss": td.mean().item(),
            "self_prediction_loss": ahead.mean().item(),
        }
