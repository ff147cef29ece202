"""S environments stepped in lock-step by a plain loop, with resets of our own.

A loop in one process is as fast as threads or worker processes here, and an episode stays what it
has to be for exact resume: a function of its seed and its actions.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import gymnasium
import numpy as np


class EnvironmentFault(RuntimeError):
    """The simulator gave a reward or an observation that is not finite."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class NotRepeatable(RuntimeError):
    """Re-stepping an episode gave other observations than the journal holds."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Episode(NamedTuple):
    """A finished training episode."""

    lane: int
    number: int
    episode_return: float
    """Undiscounted sum of rewards."""
    length: int
    """Env steps."""


class Transitions(NamedTuple):
    """One step of every lane; float32 and bool arrays that nobody else writes to."""

    observation: np.ndarray  # [S, O]
    action: np.ndarray  # [S, A]
    reward: np.ndarray  # [S]
    terminated: np.ndarray  # [S]
    truncated: np.ndarray  # [S]
    next_observation: np.ndarray  # [S, O], the true last one at an episode's end
    finished: list[Episode]


class Lanes:
    """S environments; a lane whose episode ends is reset at once to its next episode number."""

    def __init__(
        self, envs: Sequence[gymnasium.Env], episode_seed: Callable[[int, int], int]
    ) -> None:
        """`episode_seed(lane, episode number)` is the seed of an episode."""
        self.envs = list(envs)
        self._episode_seed = episode_seed
        count = len(self.envs)
        self.observation_size = _length(self.envs[0].observation_space)
        self.action_size = _length(self.envs[0].action_space)
        self.observations = np.zeros((count, self.observation_size), dtype=np.float32)
        self.episodes = np.zeros(count, dtype=np.int64)
        self.lengths = np.zeros(count, dtype=np.int64)
        self.returns = np.zeros(count, dtype=np.float64)

    def start(self) -> None:
        """Begin the current episode of every lane."""
        for lane in range(len(self.envs)):
            self._reset(lane)

    def _reset(self, lane: int) -> None:
        seed = self._episode_seed(lane, int(self.episodes[lane]))
        self.observations[lane] = self.envs[lane].reset(seed=seed)[0]
        self.lengths[lane] = 0
        self.returns[lane] = 0.0

    def step(self, actions: np.ndarray) -> Transitions:
        """Take actions [S, A]. Raises EnvironmentFault for a reward or observation that is not
        finite."""
        count = len(self.envs)
        before = self.observations.copy()
        after = np.empty_like(before)
        reward = np.empty(count, dtype=np.float32)
        terminated, truncated = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        for lane, env in enumerate(self.envs):
            observation, gain, ended, cut, _ = env.step(actions[lane])
            after[lane], reward[lane] = observation, gain
            terminated[lane], truncated[lane] = ended, cut
            self.returns[lane] += gain
        self.lengths += 1
        if not (np.isfinite(reward).all() and np.isfinite(after).all()):
            self._complain(reward, after)
        self.observations[...] = after
        finished = []
        for lane in np.flatnonzero(terminated | truncated):
            finished.append(self._finish(int(lane)))
        return Transitions(before, actions.copy(), reward, terminated, truncated, after, finished)

    def _finish(self, lane: int) -> Episode:
        ended = Episode(
            lane, int(self.episodes[lane]), float(self.returns[lane]), int(self.lengths[lane])
        )
        self.episodes[lane] += 1
        self._reset(lane)
        return ended

    def _complain(self, reward: np.ndarray, after: np.ndarray) -> None:
        bad = ~np.isfinite(reward) | ~np.isfinite(after).all(axis=1)
        lane = int(np.flatnonzero(bad)[0])
        what = "reward" if not np.isfinite(reward[lane]) else "observation"
        raise EnvironmentFault(
            f"{_name(self.envs[lane])} gave a {what} that is not finite "
            f"(lane {lane}, episode {self.episodes[lane]}, step {self.lengths[lane]})",
            "the simulator is at fault, not the agent: try another seed or action repeat",
        )

    def restore(
        self,
        episodes: Sequence[int],
        actions: Sequence[np.ndarray],
        observations: Sequence[np.ndarray],
    ) -> None:
        """Re-step every unfinished episode with its own actions [n, A].

        `observations` [n, O] are those in which the actions were taken; they must come back bit for
        bit, else NotRepeatable is raised.
        """
        self.episodes[:] = episodes
        self.start()
        for lane, env in enumerate(self.envs):
            for step, action in enumerate(actions[lane]):
                if not np.array_equal(self.observations[lane], observations[lane][step]):
                    raise NotRepeatable(
                        f"{_name(env)} does not repeat itself: lane {lane}, episode "
                        f"{episodes[lane]}, step {step} differs from the journal",
                        "go on with the machine and versions that began the run, or start anew",
                    )
                self.observations[lane], gain = env.step(action)[:2]
                self.returns[lane] += gain
                self.lengths[lane] += 1

    def close(self) -> None:
        """Close every environment."""
        for env in self.envs:
            env.close()


def run_episodes(
    envs: Sequence[gymnasium.Env],
    seeds: Sequence[int],
    policy: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """One episode in each of N environments: returns float64 [N] and lengths int64 [N].

    `policy` maps observations [N, O] to actions [N, A]; finished environments keep their last row
    and are not stepped.
    """
    observations = np.stack(
        [env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)]
    )
    returns, lengths = np.zeros(len(envs)), np.zeros(len(envs), dtype=np.int64)
    going = np.ones(len(envs), dtype=bool)
    while going.any():
        actions = policy(observations)
        for i in np.flatnonzero(going).tolist():
            observations[i], gain, terminated, truncated, _ = envs[i].step(actions[i])
            returns[i] += gain
            lengths[i] += 1
            going[i] = not (terminated or truncated)
    return returns, lengths


def _length(space: gymnasium.Space) -> int:
    if space.shape is None:
        raise TypeError(f"{space} has no shape")
    return int(np.prod(space.shape))


def _name(env: gymnasium.Env) -> str:
    return getattr(env.unwrapped, "name", type(env.unwrapped).__name__)
