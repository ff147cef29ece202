"""Replay in plain Python: lists of transitions, and loops that follow an episode step by step."""

from typing import NamedTuple

import numpy as np

from primacy.replay.layout import Layout

LAYOUT = Layout(observation_size=2, action_size=3)


class Step(NamedTuple):
    """One transition of one lane; every number in it names the lane and the step."""

    observation: list[float]
    action: list[float]
    reward: float
    terminated: bool
    truncated: bool
    next_observation: list[float]


class Outcome(NamedTuple):
    """What the n-step return of one start comes to."""

    observation: list[float]
    action: list[float]
    reward: float
    discount: float
    next_observation: list[float]


def step_of(lane: int, number: int, reward: float, ending: str = "") -> Step:
    mark = 1000.0 * lane + number
    return Step(
        [mark, mark + 0.125],
        [mark + 0.25, mark + 0.375, mark + 0.5],
        reward,
        "terminated" in ending,
        "truncated" in ending,
        [mark + 0.625, mark + 0.75],
    )


def pack(steps: list[Step]) -> np.ndarray:
    """Rows float32 [S, width] of one step per lane."""
    return LAYOUT.pack(*(np.asarray(column) for column in zip(*steps, strict=True)))


class PlainReplay:
    """Keeps everything ever added, and counts back from the end."""

    def __init__(self, lanes: int, capacity: int) -> None:
        self.history: list[list[Step]] = [[] for _ in range(lanes)]
        self.capacity = capacity

    def add(self, steps: list[Step]) -> None:
        for lane, step in zip(self.history, steps, strict=True):
            lane.append(step)

    def held(self, lane: int, first: int | None) -> list[Step]:
        history = self.history[lane]
        return history[-self.capacity :] if first is None else history[:first]

    def sample(
        self, lane: int, uniform: float, n_step: int, discount: float, first: int | None
    ) -> Outcome:
        steps = self.held(lane, first)
        start = int(uniform * len(steps))
        total, factor, last = 0.0, 1.0, steps[start]
        for step in steps[start : start + n_step]:
            total += factor * step.reward
            factor *= discount
            last = step
            if step.terminated or step.truncated:
                break
        return Outcome(
            steps[start].observation,
            steps[start].action,
            total,
            0.0 if last.terminated else factor,
            last.next_observation,
        )
