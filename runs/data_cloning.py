"""How well plain imitation does on a data set: the success rate of behaviour cloning, by which the
quality of data is stated."""

from dataclasses import dataclass

import numpy as np
import torch

from primacy.agents.bc import BC, BCConfig
from primacy.agents.transitions import Transitions
from primacy.envs.lanes import run_episodes
from primacy.envs.suites import make
from primacy.replay.offline import Dataset
from primacy.runs.observations import MARGIN, Standardised
from primacy.runs.randomness import WINDOW, Randomness


@dataclass(frozen=True)
class Cloning:
    """How the score is made; observations are standardised by the data's mean and deviation."""

    steps: int = 10_000
    """Gradient steps."""
    episodes: int = 100
    """Evaluation episodes in the task."""
    batch: int = 256
    """Rows of a gradient step."""
    seed: int = 0
    """Of the weights, the batches and the episodes."""


def cloning_score(data: Dataset, task: str, cloning: Cloning) -> float:
    """Share of evaluation episodes in which a clone of the data reaches the goal, in [0, 1]."""
    mean, spread = data.observation.mean(0), data.observation.std(0) + np.float32(MARGIN)
    view = Standardised(*(torch.from_numpy(x[None]) for x in (mean, spread)))
    seen = view(torch.from_numpy(data.observation[None]))[0]
    taken = torch.from_numpy(data.action)
    randomness = Randomness((cloning.seed,))
    sizes = seen.shape[1], taken.shape[1]
    agent = BC(BCConfig(), *sizes, randomness.generators("initialisation", 0))
    unused = torch.zeros(1, cloning.batch)
    for first in range(0, cloning.steps, WINDOW):
        block = min(WINDOW, cloning.steps - first)
        uniforms = randomness.source("replay", first, block).uniform("batch", (cloning.batch,))
        for rows in (uniforms[0] * len(data)).long():
            here = seen[rows][None]
            agent.update(Transitions(here, taken[rows][None], unused, unused, here), torch.empty(0))

    def policy(observations: np.ndarray, going: np.ndarray) -> np.ndarray:
        return agent.act_greedily(view(torch.from_numpy(observations[None])))[0].numpy()

    envs = [make(task) for _ in range(cloning.episodes)]
    seeds = [
        randomness.integers("evaluation", 0, str(episode))[0] for episode in range(cloning.episodes)
    ]
    returns, *_ = run_episodes(envs, seeds, policy)
    for env in envs:
        env.close()
    return float((returns > 0).mean())
