"""Evaluation episodes: the mean action on fresh episodes that no training run shares."""

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium
import numpy as np
import torch

from primacy.agents.agent import Agent
from primacy.envs.lanes import run_episodes
from primacy.runs.acting import evaluating
from primacy.runs.config import RunConfig
from primacy.runs.environment import environment
from primacy.runs.observations import View, as_is
from primacy.runs.randomness import Randomness
from primacy.runs.spaces import Spaces, lives_count
from primacy.runs.tables import Table


@dataclass(frozen=True)
class Scores:
    """What evaluation episodes came to, [S, episodes] each."""

    returns: np.ndarray
    """Undiscounted."""
    lengths: np.ndarray
    """Env steps."""
    successes: np.ndarray
    """1 or 0, NaN for a task without a notion of success."""

    def success(self, lane: int) -> float | None:
        """Share of a seed's episodes that succeeded, None for a task without a notion of it."""
        share = float(self.successes[lane].mean())
        return None if np.isnan(share) else share


class Evaluator:
    """S x E environments that are stepped together, so that one forward pass serves them all."""

    def __init__(self, config: RunConfig, spaces: Spaces, episodes: int) -> None:
        self.spaces = spaces
        self.seeds = config.seeds
        self.episodes = episodes
        self.device = config.device
        self._config = config
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
            self._envs = [environment(self._config) for _ in range(len(self.seeds) * self.episodes)]
        per_episode = [
            randomness.integers("evaluation", event, str(episode))
            for episode in range(self.episodes)
        ]
        seeds = [int(seed) for lane in np.array(per_episode).T for seed in lane]
        explore = evaluating(self._config, self.spaces, randomness, event, self.episodes)

        def policy(seen: np.ndarray, going: np.ndarray) -> np.ndarray:
            check()
            chosen = torch.from_numpy(self._chosen(going))
            lanes = torch.arange(len(self.seeds)).unsqueeze(-1)
            stacked = torch.from_numpy(seen).unflatten(0, (len(self.seeds), self.episodes))
            one = stacked[lanes, chosen].to(self.device)
            actions = explore(agent.act_greedily(view(one)).cpu(), chosen)
            whole = actions.new_zeros(len(self.seeds), self.episodes, *actions.shape[2:])
            whole[lanes, chosen] = actions
            return whole.flatten(0, 1).numpy()

        eyes = self.spaces.eyes(len(self._envs), self._config.algorithm)
        lives = lives_count(self._config.algorithm)
        found = run_episodes(self._envs, seeds, policy, stack=eyes, life_begins=lives)
        shape = (len(self.seeds), self.episodes)
        return Scores(*(values.reshape(shape) for values in found))

    def _chosen(self, going: np.ndarray) -> np.ndarray:
        """The episodes that are looked at, int64 [S, n]: all, but of frames, which take most of the
        time, as many as are left of some seed."""
        left = going.reshape(len(self.seeds), self.episodes)
        if not self.spaces.stack:
            return np.tile(np.arange(self.episodes), (len(self.seeds), 1))
        return np.argsort(~left, axis=1, kind="stable")[:, : left.sum(1).max()]

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
    for lane, seed in enumerate(seeds):
        returns, lengths = scores.returns[lane], scores.lengths[lane]
        success = scores.success(lane)
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
            "" if success is None else success,
        )
