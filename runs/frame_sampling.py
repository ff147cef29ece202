"""What networks that see are shown of replay."""

from math import inf
from typing import Any, cast

import torch
from torch import Tensor

from primacy.agents.sequences import PrioritisedAgent
from primacy.agents.value_settings import BBFConfig
from primacy.replay.draws import priority
from primacy.replay.frames import Drawn, FrameBatch, FrameReplay, Returns, SequenceBatch
from primacy.runs.assembly import Parts
from primacy.runs.compilation import planned_updates


class FrameSampler:
    """Stacks of frames, each transition equally likely."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.replay = cast(FrameReplay, parts.replay)

    def draw(
        self, uniforms: Tensor, gradient_step: int, first: int | None = None
    ) -> FrameBatch | SequenceBatch:
        """See Sampler."""
        return self._scaled(self._at(self.replay.draw(uniforms, first)))

    def look(self, uniforms: Tensor) -> FrameBatch | SequenceBatch:
        """See Sampler."""
        ages = (uniforms * self.replay.size).long().to(self.replay.device)
        weight = torch.ones_like(ages, dtype=torch.float32)
        return self._scaled(self._at(Drawn(ages, weight, self.replay.size - 1)))

    def learned(self, batch: Any) -> None:
        """See Sampler."""

    def _at(self, drawn: Drawn) -> FrameBatch | SequenceBatch:
        algorithm = self.parts.config.algorithm
        return self.replay.at(drawn, Returns(algorithm.n_step, algorithm.discount))

    def _scaled(self, batch: FrameBatch | SequenceBatch) -> FrameBatch | SequenceBatch:
        config = self.parts.config
        return batch._replace(reward=config.reward_scale * batch.reward + config.reward_bias)


class PrioritisedSampler(FrameSampler):
    """Samples of value-based agents: by priority, with their horizon, clipped rewards and, for
    self-prediction, the steps that follow."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.agent = cast(PrioritisedAgent, parts.agent)
        self.algorithm = cast(BBFConfig, parts.config.algorithm)
        self._planned = max(1, planned_updates(parts.config) - 1)

    def draw(
        self, uniforms: Tensor, gradient_step: int, first: int | None = None
    ) -> FrameBatch | SequenceBatch:
        """See Sampler."""
        start, end = self.algorithm.importance, self.algorithm.final_importance
        beta = start + (end - start) * min(gradient_step / self._planned, 1.0)
        drawn = self.replay.draw(uniforms, first, self.algorithm.margin, beta)
        return self._scaled(self._at(drawn))

    def learned(self, batch: Any) -> None:
        """The losses of the batch become its priorities; those of frozen seeds stay."""
        losses, exponent = self.agent.losses, self.algorithm.priority_exponent
        self.replay.prioritise(batch.ages, priority(losses, exponent), self.agent.alive)

    def _at(self, drawn: Drawn) -> FrameBatch | SequenceBatch:
        n_step, discount = self.agent.horizon()
        # In one piece, for a GPU stops at each number that is read back.
        rows = torch.stack((self.agent.alive.double(), n_step.double(), discount), -1).tolist()
        # All seeds that learn share their updates and resets, and so their horizon.
        _, steps, factor = next((row for row in rows if row[0]), rows[0])
        returns = Returns(
            int(steps),
            factor,
            self.algorithm.reward_clip or inf,
            self.algorithm.bootstrap_offset,
        )
        length = self.agent.sequence_length
        if length == 1:
            return self.replay.at(drawn, returns)
        return self.replay.sequences_at(drawn, length, returns)
