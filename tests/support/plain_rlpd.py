"""RLPD for one seed as the field writes it: nn.Module, autograd, torch.optim.Adam.

The readable specification of agents/rlpd.py, its test twin, and an opponent of
benchmarks/bench_offline.py. It shares no code with the package.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primacy.tests.support.plain_sac import Sample


class Critic(nn.Module):
    def __init__(self, inputs: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(inputs, width), nn.LayerNorm(width, eps=1e-6), nn.ReLU()]
            inputs = width
        self.net = nn.Sequential(*layers, nn.Linear(inputs, 1))

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        return self.net(torch.cat((observation, action), -1)).squeeze(-1)


class Actor(nn.Module):
    def __init__(self, observation_size: int, action_size: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = observation_size
        for width in hidden:
            layers += [nn.Linear(inputs, width), nn.ReLU()]
            inputs = width
        self.torso = nn.Sequential(*layers)
        self.mean = nn.Linear(inputs, action_size)
        self.log_std = nn.Linear(inputs, action_size)

    def sample(self, observation: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        h = self.torso(observation)
        log_std = self.log_std(h).clamp(-20.0, 2.0)
        u = self.mean(h) + log_std.exp() * noise
        density = -0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)
        density = density - 2 * (math.log(2) - u - F.softplus(-2 * u))
        return torch.tanh(u), density.sum(-1)


class PlainRLPD:
    def __init__(
        self,
        observation_size: int,
        action_size: int,
        hidden: tuple[int, ...],
        critics: int = 10,
        entropy_backup: bool = True,
        learning_rate: float = 3e-4,
    ) -> None:
        self.entropy_backup = entropy_backup
        self.actor = Actor(observation_size, action_size, hidden)
        pair = observation_size + action_size
        self.critics = nn.ModuleList([Critic(pair, hidden) for _ in range(critics)])
        self.targets = copy.deepcopy(self.critics)
        self.log_alpha = torch.zeros(1, requires_grad=True)
        self.target_entropy = -action_size / 2
        self.actor_adam = torch.optim.Adam(self.actor.parameters(), learning_rate)
        self.critic_adam = torch.optim.Adam(self.critics.parameters(), learning_rate)
        self.alpha_adam = torch.optim.Adam([self.log_alpha], learning_rate)

    def sync_targets(self) -> None:
        self.targets.load_state_dict(self.critics.state_dict())

    def update_critic(self, batch: Sample, noise: Tensor, subset: list[int]) -> float:
        with torch.no_grad():
            action, density = self.actor.sample(batch.next_observation, noise)
            asked = [self.targets[member](batch.next_observation, action) for member in subset]
            y = batch.reward + batch.discount * torch.stack(asked).amin(0)
            if self.entropy_backup:
                y = y - batch.discount * self.log_alpha.exp() * density
        q = torch.stack([critic(batch.observation, batch.action) for critic in self.critics])
        loss = ((q - y) ** 2).mean()
        self.critic_adam.zero_grad()
        loss.backward()
        self.critic_adam.step()
        with torch.no_grad():
            pairs = zip(self.targets.parameters(), self.critics.parameters(), strict=True)
            for target, value in pairs:
                target.lerp_(value, 0.005)
        return loss.item()

    def update_policy(self, observation: Tensor, noise: Tensor) -> dict[str, float]:
        alpha = self.log_alpha.exp().detach()
        action, density = self.actor.sample(observation, noise)
        q = torch.stack([critic(observation, action) for critic in self.critics]).mean(0)
        actor_loss = (alpha * density - q).mean()
        self.actor_adam.zero_grad()
        actor_loss.backward()
        self.actor_adam.step()
        entropy = -density.mean().detach()
        alpha_loss = (self.log_alpha.exp() * (entropy - self.target_entropy)).sum()
        self.alpha_adam.zero_grad()
        alpha_loss.backward()
        self.alpha_adam.step()
        return {
            "actor_loss": actor_loss.item(),
            "entropy": entropy.item(),
            "temperature": alpha.item(),
        }

    def update(
        self, batch: Sample, following: Tensor, policy: Tensor, subset: Tensor
    ) -> dict[str, float]:
        """following [G, B, A], policy [B, A], subset [G, M]."""
        steps = len(subset)
        rows = len(batch.reward) // steps
        losses, part = [], batch
        for i in range(steps):
            part = Sample(*(column[rows * i : rows * (i + 1)] for column in batch))
            losses.append(self.update_critic(part, following[i], subset[i].tolist()))
        figures = self.update_policy(part.observation, policy)
        return figures | {"critic_loss": sum(losses) / steps}
