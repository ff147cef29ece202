"""Soft actor-critic for one seed as the field writes it: nn.Module, autograd, torch.optim.Adam.

The readable specification of agents/sac.py, its test twin, and the opponent of
benchmarks/bench_update.py. It shares no code with the package.
"""

import copy
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Sample(NamedTuple):
    observation: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_observation: Tensor


class Actor(nn.Module):
    def __init__(self, observation_size: int, action_size: int, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(observation_size, width)
        self.second = nn.Linear(width, width)
        self.mean = nn.Linear(width, action_size)
        self.log_std = nn.Linear(width, action_size)

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        h = F.relu(self.second(F.relu(self.first(observation))))
        return self.mean(h), -10.0 + 6.0 * (1.0 + torch.tanh(self.log_std(h)))

    def sample(self, observation: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self(observation)
        u = mean + log_std.exp() * noise
        density = -0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)
        density = density - 2 * (math.log(2) - u - F.softplus(-2 * u))
        return torch.tanh(u), density.sum(-1)


class Critic(nn.Module):
    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.second = nn.Linear(width, width)
        self.q = nn.Linear(width, 1)

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        h = F.relu(self.first(torch.cat((observation, action), -1)))
        return self.q(F.relu(self.second(h))).squeeze(-1)


class PlainSAC:
    def __init__(
        self, observation_size: int, action_size: int, width: int, learning_rate: float = 3e-4
    ) -> None:
        self.actor = Actor(observation_size, action_size, width)
        inputs = observation_size + action_size
        self.critics = nn.ModuleList([Critic(inputs, width) for _ in range(2)])
        self.targets = copy.deepcopy(self.critics)
        self.log_alpha = torch.zeros(1, requires_grad=True)
        self.target_entropy = -action_size / 2
        self.actor_adam = torch.optim.Adam(self.actor.parameters(), learning_rate)
        self.critic_adam = torch.optim.Adam(self.critics.parameters(), learning_rate)
        self.alpha_adam = torch.optim.Adam([self.log_alpha], learning_rate)

    def sync_targets(self) -> None:
        self.targets.load_state_dict(self.critics.state_dict())

    def update(self, batch: Sample, noise: Tensor) -> dict[str, float]:
        """noise [2, B, A]: for the next action, then for the policy's."""
        alpha = self.log_alpha.exp().detach()
        with torch.no_grad():
            action, density = self.actor.sample(batch.next_observation, noise[0])
            q = torch.minimum(*(critic(batch.next_observation, action) for critic in self.targets))
            y = batch.reward + batch.discount * (q - alpha * density)
        losses = [F.mse_loss(critic(batch.observation, batch.action), y) for critic in self.critics]
        critic_loss = losses[0] + losses[1]
        self.critic_adam.zero_grad()
        critic_loss.backward()
        self.critic_adam.step()
        with torch.no_grad():
            pairs = zip(self.targets.parameters(), self.critics.parameters(), strict=True)
            for target, value in pairs:
                target.lerp_(value, 0.005)
        action, density = self.actor.sample(batch.observation, noise[1])
        q = torch.minimum(*(critic(batch.observation, action) for critic in self.critics))
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
            "critic_loss": critic_loss.item(),
            "actor_loss": actor_loss.item(),
            "entropy": entropy.item(),
            "temperature": alpha.item(),
        }
