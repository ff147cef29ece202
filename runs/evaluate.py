"""Evaluation episodes: the mean action on fresh episodes that no training run shares."""

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium
import numpy as np
import torch

from primacy.agents.agent import Agent
from primacy.envs.lanes import run_episodes
from primacy.envs.suites import make
from primacy.runs.observations import View, as_is
from primacy.runs.randomness import Randomness
from primacy.runs.tables import Table


@dataclass(frozen=True)
class Scores:
    """Undiscounted returns and lengths in env steps, [S, episodes] each."""

    returns: np.ndarray
    lengths: np.ndarray


class Evaluator:
    """S x E environments that are stepped together, so that one forward pass serves them all."""

    def __init__(
        self, task: str, action_repeat: int, seeds: tuple[int, ...], episodes: int, device: str
    ) -> None:
        self.seeds = seeds
        self.episodes = episodes
        self.device = device
        self._task = (task, action_repeat)
        self._envs: list[gymnasium.Env] = []

    def evaluate(
        self,
        agent: Agent,
        randomness: Randomness,
        event: int,
        check: Callable[[], None],
        view: View = as_is,
    ) -> Scores:
        """The episodes of evaluation number `event`; `check` may raise to stop early, `view` is
        what the networks see of observations."""
        if not self._envs:
            self._envs = [make(*self._task) for _ in range(len(self.seeds) * self.episodes)]
        per_episode = [
            randomness.integers("evaluation", event, str(episode))
            for episode in range(self.episodes)
        ]
        seeds = [int(seed) for lane in np.array(per_episode).T for seed in lane]

        def policy(observations: np.ndarray) -> np.ndarray:
            check()
            stacked = torch.from_numpy(observations).view(len(self.seeds), self.episodes, -1)
            actions = agent.act_greedily(view(stacked.to(self.device))).cpu()
            return actions.flatten(0, 1).numpy()

        returns, lengths = run_episodes(self._envs, seeds, policy)
        shape = (len(self.seeds), self.episodes)
        return Scores(returns.reshape(shape), lengths.reshape(shape))

    def close(self) -> None:
        """Close the environments."""
        for env in self._envs:
            env.close()


def record(
    table: Table,
    seeds: tuple[int, ...],
    scores: Scores,
    env_step: int,
    gradient_step: int,
    frame: int,
) -> None:
    """One row of evaluations.csv per seed."""
    for seed, returns, lengths in zip(seeds, scores.returns, scores.lengths, strict=True):
        table.add(
            seed,
            env_step,
            gradient_step,
            frame,
            len(returns),
            float(returns.mean()),
            float(returns.std()),
            float(returns.min()),
            float(returns.max()),
            float(lengths.mean()),
            " ".join(f"{value:.6g}" for value in returns),
        )
