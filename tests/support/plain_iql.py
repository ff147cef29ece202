"""Implicit Q-learning for one seed as the field writes it: nn.Module, autograd, torch.optim.Adam.

The readable specification of agents/iql.py, its test twin, and an opponent of
benchmarks/bench_offline.py. It shares no code with the package.
"""

import copy
import math
from collections.abc import Callable

import torch
from torch import nn

from primacy.tests.support.plain_sac import Sample


def mlp(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class PlainIQL:
    def __init__(
        self,
        observation_size: int,
        action_size: int,
        hidden: tuple[int, ...],
        expectile: float = 0.9,
        temperature: float = 10.0,
        learning_rate: float = 3e-4,
        schedule: Callable[[int], float] = lambda step: 1.0,
    ) -> None:
        self.expectile, self.temperature = expectile, temperature
        self.value = mlp(observation_size, hidden, 1)
        pair = observation_size + action_size
        self.critics = nn.ModuleList([mlp(pair, hidden, 1) for _ in range(2)])
        self.targets = copy.deepcopy(self.critics)
        self.actor = mlp(observation_size, hidden, action_size)
        self.log_std = nn.Parameter(torch.zeros(action_size))
        self.value_adam = torch.optim.Adam(self.value.parameters(), learning_rate)
        self.critic_adam = torch.optim.Adam(self.critics.parameters(), learning_rate)
        actor = [*self.actor.parameters(), self.log_std]
        self.actor_adam = torch.optim.Adam(actor, learning_rate)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.actor_adam, schedule)

    def sync_targets(self) -> None:
        self.targets.load_state_dict(self.critics.state_dict())

    def update(self, batch: Sample) -> dict[str, float]:
        s, a, r, discount, s2 = batch
        pair = torch.cat((s, a), -1)
        with torch.no_grad():
            q = torch.minimum(*(target(pair).squeeze(-1) for target in self.targets))
        d = q - self.value(s).squeeze(-1)
        value_loss = (torch.where(d > 0, self.expectile, 1 - self.expectile) * d**2).mean()
        self.value_adam.zero_grad()
        value_loss.backward()
        self.value_adam.step()

        with torch.no_grad():
            advantage = q - self.value(s).squeeze(-1)
            weight = torch.clamp(torch.exp(self.temperature * advantage), max=100.0)
        mean, log_std = torch.tanh(self.actor(s)), self.log_std.clamp(-5.0, 2.0)
        density = -0.5 * ((a - mean) / log_std.exp()) ** 2 - log_std - 0.5 * math.log(2 * math.pi)
        actor_loss = -(weight * density.sum(-1)).mean()
        self.actor_adam.zero_grad()
        actor_loss.backward()
        self.actor_adam.step()
        self.schedule.step()

        with torch.no_grad():
            y = r + discount * self.value(s2).squeeze(-1)
        first, second = (critic(pair).squeeze(-1) for critic in self.critics)
        critic_loss = ((first - y) ** 2 + (second - y) ** 2).mean()
        self.critic_adam.zero_grad()
        critic_loss.backward()
        self.critic_adam.step()
        with torch.no_grad():
            pairs = zip(self.targets.parameters(), self.critics.parameters(), strict=True)
            for target, value in pairs:
                target.lerp_(value, 0.005)
        return {
            "value_loss": value_loss.item(),
            "actor_loss": actor_loss.item(),
            "critic_loss": critic_loss.item(),
            "mean_advantage": advantage.mean().item(),
            "mean_weight": weight.mean().item(),
        }
