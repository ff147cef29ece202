"""Which actions a run takes: random ones at first (or not), then samples of the policy."""

import numpy as np
import torch
from torch import Tensor

from primacy.runs.assembly import Parts
from primacy.runs.randomness import Window


class Acting:
    """Actions [S, A] as a function of the env step and of what the agent has learned."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._random = Window(self._draw_random)
        self._noise = Window(self._draw_noise)

    def act(self, env_step: int, observations: np.ndarray) -> np.ndarray:
        """The actions of env step `env_step` + 1: [S, O] -> [S, A], float32 in [-1, 1]."""
        config = self.parts.config
        if env_step + 1 < config.start_steps and config.warmup_policy == "random":
            return self._random.at(env_step).numpy()
        seen = torch.from_numpy(observations).to(config.device)
        return self.parts.agent.act(self.parts.view(seen), self._noise.at(env_step)).cpu().numpy()

    def _draw_random(self, start: int, count: int) -> Tensor:
        source = self.parts.randomness.source("exploration", start, count)
        uniforms = source.uniform("random", (self.parts.layout.action_size,))
        return uniforms.mul(2.0).sub(1.0).float().transpose(0, 1).contiguous()

    def _draw_noise(self, start: int, count: int) -> Tensor:
        source = self.parts.randomness.source("exploration", start, count)
        noise = source.normal("policy", (self.parts.layout.action_size,))
        return noise.transpose(0, 1).contiguous().to(self.parts.config.device)
