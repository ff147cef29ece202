"""What the networks of a run are shown of its replay."""

from typing import Any, Protocol, cast

import torch
from torch import Tensor

from primacy.agents.agent import Batch
from primacy.replay.buffer import Batch as Stored
from primacy.replay.buffer import Replay
from primacy.replay.reading import Reader
from primacy.runs.agents import TAKES
from primacy.runs.assembly import Parts
from primacy.runs.frame_sampling import FrameSampler, PrioritisedSampler
from primacy.runs.observations import as_is
from primacy.runs.shares import given_rows, online_share


class Sampler(Protocol):
    """Batches from replay as the run's settings have them: which transitions, and how seen."""

    def draw(self, uniforms: Tensor, gradient_step: int, first: int | None = None) -> Batch:
        """The batch of the next gradient step, after `gradient_step` ones, by uniforms float64
        [S, B]; with `first`, of the transitions that came first alone."""
        ...

    def look(self, uniforms: Tensor) -> Batch:
        """Transitions of all that replay holds, each equally likely, for diagnostics."""
        ...

    def learned(self, batch: Any) -> None:
        """Told that the agent was updated on the batch that was drawn last."""
        ...


class VectorSampler:
    """Of vectors; given and online transitions alike or by shares."""

    def __init__(self, parts: Parts) -> None:
        config = parts.config
        self.parts = parts
        self.replay = cast(Replay, parts.replay)
        self._unscaled = (config.reward_scale, config.reward_bias) == (1, 0)
        self.share = online_share(config.online_sampling, config.batch_size)
        algorithm = config.algorithm
        straight = self.share is None and algorithm.n_step == 1
        self._reader = (
            Reader(self.replay, config.batch_size * algorithm.steps_per_update, algorithm.discount)
            if straight and self.replay.device.type == "cpu"
            else None
        )
        self._returns: dict[str, Any] = {
            "n_step": algorithm.n_step,
            "discount": algorithm.discount,
        }

    def draw(self, uniforms: Tensor, gradient_step: int, first: int | None = None) -> Batch:
        """See Sampler; rewards are scaled and shifted.

        Symmetric sampling draws the rows of `given_rows` from the given transitions and the others
        from the online ones; before the first of these, all rows are given ones.
        """
        if self._reader is not None:
            return self._shown(self._reader.sample(uniforms, first))
        return self._shown(self._sampled(uniforms, first))

    def look(self, uniforms: Tensor) -> Batch:
        """See Sampler; by shares, too."""
        return self._shown(self._sampled(uniforms, None))

    def _sampled(self, uniforms: Tensor, first: int | None) -> Stored:
        replay, given = self.replay, self.parts.config.given_transitions
        if self.share is None or first is not None or replay.total == given:
            return replay.sample(uniforms, first=first, **self._returns)
        rows = torch.from_numpy(given_rows(self.share, uniforms.shape[-1]))
        return replay.sample_split(uniforms, rows, given, **self._returns)

    def _shown(self, batch: Stored) -> Batch:
        if self._unscaled and self.parts.view is as_is:
            return batch
        config = self.parts.config
        return batch._replace(
            observation=self.parts.view(batch.observation),
            reward=config.reward_scale * batch.reward + config.reward_bias,
            next_observation=self.parts.view(batch.next_observation),
        )

    def learned(self, batch: Any) -> None:
        """See Sampler."""


def sampler(parts: Parts) -> Sampler:
    """The one for a run's agent and replay."""
    takes = TAKES[type(parts.config.algorithm)]
    if not takes.frames:
        return VectorSampler(parts)
    return PrioritisedSampler(parts) if takes.choices else FrameSampler(parts)
