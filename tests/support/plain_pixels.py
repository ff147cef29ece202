"""DrQ from pixels for one seed as the field writes it: nn.Module, autograd, torch.optim.Adam, and
images padded and cropped one by one.

The readable specification of agents/drq.py and its test twin. It shares no code with the package.
"""

import copy
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Sample(NamedTuple):
    observation: Tensor  # uint8 [B, C, H, W]
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_observation: Tensor


class Choices(NamedTuple):
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    same: bool
    latent: int
    width: int
    epsilon: float
    learning_rate: float
    rate: float
    tanh: bool
    pad: int


class Encoder(nn.Module):
    def __init__(self, choices: Choices, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.same = choices.same
        inputs = (shape[0], *choices.channels[:-1])
        sizes = zip(inputs, choices.channels, choices.strides, strict=True)
        self.convs = nn.ModuleList([nn.Conv2d(one, two, 3, stride) for one, two, stride in sizes])

    def forward(self, images: Tensor) -> Tensor:
        h = images.float() / 255
        for conv in self.convs:
            assert isinstance(conv, nn.Conv2d)
            if self.same:
                h = F.pad(h, (*self.sides(conv, h.shape[3]), *self.sides(conv, h.shape[2])))
            h = F.relu(conv(h))
        return h.flatten(1)

    @staticmethod
    def sides(conv: nn.Conv2d, size: int) -> tuple[int, int]:
        stride = conv.stride[0]
        missing = max((math.ceil(size / stride) - 1) * stride + 3 - size, 0)
        return missing // 2, missing - missing // 2


class Latent(nn.Module):
    def __init__(self, features: int, choices: Choices) -> None:
        super().__init__()
        self.linear = nn.Linear(features, choices.latent)
        self.norm = nn.LayerNorm(choices.latent, eps=choices.epsilon)

    def forward(self, features: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.linear(features)))


def trunk(inputs: int, width: int, *rest: nn.Module) -> nn.Sequential:
    first, second = nn.Linear(inputs, width), nn.Linear(width, width)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), *rest)


class Critic(nn.Module):
    def __init__(self, choices: Choices, shape: tuple[int, int, int], actions: int) -> None:
        super().__init__()
        self.encoder = Encoder(choices, shape)
        features = self.encoder(torch.zeros(1, *shape)).shape[1]
        self.latent = Latent(features, choices)
        inputs, width = choices.latent + actions, choices.width
        self.one = trunk(inputs, width, nn.Linear(width, 1))
        self.two = trunk(inputs, width, nn.Linear(width, 1))

    def heads(self, features: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        pair = torch.cat((self.latent(features), action), 1)
        return self.one(pair).squeeze(1), self.two(pair).squeeze(1)

    def forward(self, images: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        return self.heads(self.encoder(images), action)


class Actor(nn.Module):
    def __init__(self, choices: Choices, features: int, actions: int) -> None:
        super().__init__()
        self.tanh = choices.tanh
        self.latent = Latent(features, choices)
        self.trunk = trunk(choices.latent, choices.width)
        self.mean = nn.Linear(choices.width, actions)
        self.log_std = nn.Linear(choices.width, actions)

    def forward(self, features: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """An action and its log density."""
        h = self.trunk(self.latent(features))
        raw = self.log_std(h)
        log_std = 6 * (1 + torch.tanh(raw)) - 10 if self.tanh else torch.clamp(raw, -10, 2)
        u = self.mean(h) + log_std.exp() * noise
        density = -(noise**2) / 2 - log_std - math.log(2 * math.pi) / 2
        density = density - 2 * (math.log(2) - u - F.softplus(-2 * u))
        return torch.tanh(u), density.sum(1)


def shifted(images: Tensor, uniform: Tensor, pad: int) -> Tensor:
    """Edges repeated, then a crop of each image at its own offset."""
    if pad == 0:
        return images
    height, width = images.shape[2:]
    crops = []
    for image, (row, column) in zip(images, uniform, strict=True):
        large = F.pad(image[None].float(), (pad,) * 4, mode="replicate")[0].to(torch.uint8)
        top, left = int(row * (2 * pad + 1)), int(column * (2 * pad + 1))
        crops.append(large[:, top : top + height, left : left + width])
    return torch.stack(crops)


class PlainPixels:
    def __init__(self, choices: Choices, shape: tuple[int, int, int], actions: int) -> None:
        self.choices = choices
        self.critic = Critic(choices, shape, actions)
        self.target = copy.deepcopy(self.critic)
        features = self.critic.latent.linear.in_features
        self.actor = Actor(choices, features, actions)
        self.log_alpha = torch.full((1,), math.log(0.1), requires_grad=True)
        self.target_entropy = -float(actions)
        rate = choices.learning_rate
        self.critic_adam = torch.optim.Adam(self.critic.parameters(), rate)
        self.actor_adam = torch.optim.Adam(self.actor.parameters(), rate)
        self.alpha_adam = torch.optim.Adam([self.log_alpha], rate)

    def update(
        self,
        batches: list[Sample],
        shifts: list[tuple[list[Tensor], list[Tensor]]],
        noises: list[list[Tensor]],
        policy_noise: Tensor,
    ) -> dict[str, float]:
        """A critic step for each batch, by the offsets [B, 2] of its M shifts of s and K of s' and
        the noise [B, A] of each of the latter; then target, actor and temperature."""
        alpha = self.log_alpha.exp().detach()
        losses = []
        for batch, (here, there), noise in zip(batches, shifts, noises, strict=True):
            with torch.no_grad():
                targets = []
                for shift, normal in zip(there, noise, strict=True):
                    following = shifted(batch.next_observation, shift, self.choices.pad)
                    action, density = self.actor(self.critic.encoder(following), normal)
                    q = torch.minimum(*self.target(following, action))
                    targets.append(batch.reward + batch.discount * (q - alpha * density))
                y = torch.stack(targets).sum(0) / len(targets)
            loss = torch.zeros(())
            for shift in here:
                one, two = self.critic(
                    shifted(batch.observation, shift, self.choices.pad), batch.action
                )
                loss = loss + F.mse_loss(one, y) + F.mse_loss(two, y)
            self.critic_adam.zero_grad()
            loss.backward()
            self.critic_adam.step()
            losses.append(loss.item())
        with torch.no_grad():
            pairs = zip(self.target.parameters(), self.critic.parameters(), strict=True)
            for target, value in pairs:
                target.lerp_(value, self.choices.rate)
        images = shifted(batches[-1].observation, shifts[-1][0][0], self.choices.pad)
        features = self.critic.encoder(images).detach()
        action, density = self.actor(features, policy_noise)
        actor_loss = (alpha * density - torch.minimum(*self.critic.heads(features, action))).mean()
        self.actor_adam.zero_grad()
        actor_loss.backward()
        self.actor_adam.step()
        entropy = -density.mean().detach()
        alpha_loss = (self.log_alpha.exp() * (entropy - self.target_entropy)).sum()
        self.alpha_adam.zero_grad()
        alpha_loss.backward()
        self.alpha_adam.step()
        return {
            "critic_loss": sum(losses) / len(losses),
            "actor_loss": actor_loss.item(),
            "entropy": entropy.item(),
            "temperature": alpha.item(),
        }
