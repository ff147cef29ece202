"""What the networks of a run are shown of its replay."""

from typing import Any

import torch
from torch import Tensor

from primacy.replay.buffer import Batch
from primacy.runs.assembly import Parts
from primacy.runs.shares import given_rows, online_share


class Sampler:
    """Batches from replay as the run's settings have them: which transitions, and how seen."""

    def __init__(self, parts: Parts) -> None:
        config = parts.config
        self.parts = parts
        self.share = online_share(config.online_sampling, config.batch_size)
        self._returns: dict[str, Any] = {
            "n_step": config.n_step,
            "discount": config.algorithm.discount,
        }

    def draw(self, uniforms: Tensor, first: int | None = None) -> Batch:
        """The transitions of uniforms float64 [S, B], rewards scaled and shifted; with `first`, of
        those that came first alone.

        Symmetric sampling draws the rows of `given_rows` from the given transitions and the others
        from the online ones; before the first of these, all rows are given ones.
        """
        config, replay = self.parts.config, self.parts.replay
        given = config.given_transitions
        if self.share is None or first is not None or replay.total == given:
            batch = replay.sample(uniforms, first=first, **self._returns)
        else:
            rows = torch.from_numpy(given_rows(self.share, uniforms.shape[-1]))
            batch = replay.sample_split(uniforms, rows, given, **self._returns)
        return batch._replace(
            observation=self.parts.view(batch.observation),
            reward=config.reward_scale * batch.reward + config.reward_bias,
            next_observation=self.parts.view(batch.next_observation),
        )
