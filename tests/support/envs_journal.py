"""What a run keeps of its lanes."""

from dataclasses import dataclass, field

import numpy as np

from primacy.envs.lanes import Lanes


def episode_seed(lane: int, episode: int) -> int:
    return 100 * lane + episode


@dataclass
class Journal:
    """What a run keeps of its lanes, and the arguments of `restore` made from it."""

    observations: list[np.ndarray] = field(default_factory=list)
    actions: list[np.ndarray] = field(default_factory=list)
    reached: list[np.ndarray] = field(default_factory=list)

    def unfinished(self, lanes: Lanes) -> tuple[list[int], list[np.ndarray], list[np.ndarray]]:
        parts = []
        for rows in (self.actions, self.observations):
            stacked = np.array(rows)
            total = len(stacked)
            parts.append([stacked[total - n :, s].copy() for s, n in enumerate(lanes.lengths)])
        return lanes.episodes.tolist(), *parts


def walk(lanes: Lanes, steps: int, seed: int) -> tuple[Journal, list[bytes]]:
    """Random steps: their journal, and everything that came of them as bytes."""
    journal, everything = Journal(), []
    shape = (steps, len(lanes.envs), lanes.action_size)
    actions = np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
    for action in actions:
        transitions = lanes.step(action)
        journal.observations.append(transitions.observation)
        journal.actions.append(transitions.action)
        journal.reached.append(transitions.next_observation)
        state = (lanes.observations, lanes.episodes, lanes.lengths, lanes.returns)
        everything += [part.tobytes() for part in (*transitions[:-1], *state)]
        everything.append(repr(transitions.finished).encode())
    return journal, everything
