"""Which actions a run takes, in training and in evaluation: random ones at first (or not), then the
agent's exploring ones."""

from collections.abc import Callable
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from primacy.agents.bbf import BBF
from primacy.agents.exploration import epsilon, epsilon_greedy
from primacy.agents.value_settings import BBFConfig
from primacy.runs.assembly import Parts
from primacy.runs.config import RunConfig
from primacy.runs.randomness import Randomness, Window
from primacy.runs.spaces import Spaces


class Acting(Protocol):
    """Actions of S lanes as a function of the env step and of what the agent has learned."""

    def act(self, env_step: int, seen: np.ndarray) -> np.ndarray:
        """The actions of env step `env_step` + 1 on what is seen: [S, O] or [S, C, H, W]."""
        ...


class Continuous:
    """Uniform actions, then samples of the policy, float32 [S, A] in [-1, 1]."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._random = Window(self._draw_random)
        self._noise = Window(self._draw_noise)

    def act(self, env_step: int, seen: np.ndarray) -> np.ndarray:
        """See Acting."""
        config = self.parts.config
        if env_step + 1 < config.start_steps and config.warmup_policy == "random":
            return self._random.at(env_step).numpy()
        observation = self.parts.view(torch.from_numpy(seen).to(config.device))
        return self.parts.agent.act(observation, self._noise.at(env_step)).cpu().numpy()

    def _draw_random(self, start: int, count: int) -> Tensor:
        source = self.parts.randomness.source("exploration", start, count)
        uniforms = source.uniform("random", (self.parts.spaces.actions,))
        return uniforms.mul(2.0).sub(1.0).float().transpose(0, 1).contiguous()

    def _draw_noise(self, start: int, count: int) -> Tensor:
        source = self.parts.randomness.source("exploration", start, count)
        noise = source.normal("policy", (self.parts.spaces.actions,))
        return noise.transpose(0, 1).contiguous().to(self.parts.config.device)


class Choices:
    """Choices int64 [S]: epsilon-greedy ones, with epsilon a function of the env step."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.agent = cast(BBF, parts.agent)
        self._noise = Window(self._draw)

    def act(self, env_step: int, seen: np.ndarray) -> np.ndarray:
        """See Acting."""
        noise, config = self._noise.at(env_step), self.parts.config
        share = share_of_random(config, env_step)
        noise[:, 0] = share
        if share >= 1.0:
            nobody = torch.zeros(len(noise), dtype=torch.int64, device=noise.device)
            return epsilon_greedy(nobody, noise, self.parts.spaces.actions).cpu().numpy()
        return self.agent.act(torch.from_numpy(seen).to(config.device), noise).cpu().numpy()

    def _draw(self, start: int, count: int) -> Tensor:
        source = self.parts.randomness.source("exploration", start, count)
        uniforms = source.uniform("choice", (2,)).float()
        normals = source.normal("policy", (self.agent.acting_noises - 3,))
        noise = torch.cat((torch.zeros_like(uniforms[..., :1]), uniforms, normals), -1)
        return noise.transpose(0, 1).contiguous().to(self.parts.config.device)


def share_of_random(config: RunConfig, env_step: int) -> float:
    """Epsilon at an env step counted from 0."""
    algorithm = cast(BBFConfig, config.algorithm)
    warmup = config.start_steps - 1 if config.warmup_policy == "random" else 0
    return epsilon(env_step, warmup, algorithm.epsilon_decay, algorithm.final_epsilon)


def acting(parts: Parts) -> Acting:
    """Who acts in a training run."""
    return Choices(parts) if parts.spaces.choices else Continuous(parts)


def evaluating(
    config: RunConfig, spaces: Spaces, randomness: Randomness, event: int, episodes: int
) -> Callable[[Tensor, Tensor], Tensor]:
    """What becomes of greedy actions [S, n, ...] of some `episodes` int64 [S, n] in evaluation
    number `event`, called once per env step: a few choices are random (evaluation_epsilon), other
    actions stay."""
    if not spaces.choices:
        return lambda greedy, chosen: greedy
    share = cast(Any, config.algorithm).evaluation_epsilon
    step = iter(range(1 << 62))

    def draw(start: int, count: int) -> Tensor:
        source = randomness.source("evaluation", start, count)
        uniforms = source.uniform(f"choice {event}", (episodes, 2)).float().transpose(0, 1)
        return torch.cat((torch.full_like(uniforms[..., :1], share), uniforms), -1)

    window = Window(draw)

    def explore(greedy: Tensor, chosen: Tensor) -> Tensor:
        noise = window.at(next(step)).gather(1, chosen.unsqueeze(-1).expand(-1, -1, 3))
        return epsilon_greedy(greedy, noise, spaces.actions)

    return explore
