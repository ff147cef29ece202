"""What networks see of observations: these, or these standardised by a run's given transitions.

Replay and journal hold raw observations; the statistics are a function of the journal, so no
checkpoint needs them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from primacy.replay.journal import Journal
from primacy.runs.config import RunConfig

View = Callable[[Tensor], Tensor]
"""Raw observations [S, ..., O] -> what networks see, of the same shape."""

MARGIN = 1e-3
"""Added to the standard deviation (CORL's normalize_states)."""

CHUNK = 4096
"""Env steps at a time: the same for any number of seeds, and so are the sums."""


def as_is(observation: Tensor) -> Tensor:
    """Observations themselves."""
    return observation


@dataclass(frozen=True)
class Standardised:
    """(x - mean) / (std + 0.001), each seed by its own statistics (CORL, normalize_states)."""

    mean: Tensor  # [S, O]
    scale: Tensor  # [S, O], std + MARGIN

    def __call__(self, observation: Tensor) -> Tensor:
        """[S, ..., O] -> [S, ..., O]."""
        shape = (len(self.mean), *(1,) * (observation.ndim - 2), -1)
        return (observation - self.mean.view(shape)) / self.scale.view(shape)


def view_of(config: RunConfig, journal: Journal) -> View:
    """What the networks of a run see, by the first `given_transitions` of its journal."""
    if not config.normalize_observations:
        return as_is
    mean, std = _statistics(journal, config.given_transitions)
    scale = (std + MARGIN).astype(np.float32)
    both = (torch.from_numpy(x).to(config.device) for x in (mean.astype(np.float32), scale))
    return Standardised(*both)


def _statistics(journal: Journal, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population standard deviation of the first observations, float64 [S, O]."""
    size = journal.layout.observation_size

    def mean_of(figure: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        total = np.zeros((len(journal.seeds), size))
        for begin in range(0, count, CHUNK):
            rows = journal.read(begin, min(begin + CHUNK, count))[..., :size]
            total += figure(rows.astype(np.float64)).sum(0)
        return total / count

    mean = mean_of(lambda x: x)
    return mean, np.sqrt(mean_of(lambda x: (x - mean) ** 2))
