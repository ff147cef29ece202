"""Replay of frames in plain Python: lists of steps, and loops that walk along an episode."""

from typing import NamedTuple

import numpy as np

from primacy.replay.draws import Span
from primacy.replay.frame_layout import FrameLayout

GREY = FrameLayout((2, 3))
COLOUR = FrameLayout((3, 1, 2), action_size=2)


class Step(NamedTuple):
    """One transition of one lane."""

    frame: np.ndarray
    action: np.ndarray
    reward: float
    terminated: bool
    truncated: bool
    next_frame: np.ndarray


class Outcome(NamedTuple):
    """What a draw of one start comes to; stacks are lists of frames."""

    stacks: list[list[np.ndarray]]
    actions: list[np.ndarray]
    mask: list[float]
    reward: float
    discount: float
    next_stack: list[np.ndarray]


def image(layout: FrameLayout, mark: int) -> np.ndarray:
    """An image that no other mark below 65,536 has, and that is never black."""
    values = np.full(layout.pixels, 7, dtype=np.uint8)
    values[:2] = divmod(mark, 256)
    return values.reshape(layout.frame)


def lane(layout: FrameLayout, first_mark: int, cells: list[tuple[float, str, bool]]) -> list[Step]:
    """Steps of (reward, ending, whether the next step has an image of its own)."""
    steps = list[Step]()
    mark = first_mark
    for reward, ending, jump in cells:
        start, end = image(layout, mark), image(layout, mark + 1)
        size = layout.action_size
        action = np.asarray(mark % 18 if size is None else [mark / 4 + i for i in range(size)])
        steps.append(
            Step(start, action, reward, "terminated" in ending, "truncated" in ending, end)
        )
        mark += 2 if jump else 1
    return steps


def pack(layout: FrameLayout, steps: list[Step]) -> np.ndarray:
    """Rows uint8 [len(steps), width]."""
    frame, action, reward, terminated, truncated, after = (
        np.stack([np.asarray(part) for part in column]) for column in zip(*steps, strict=True)
    )
    return layout.pack(frame, action, reward, terminated, truncated, after)


class PlainFrames:
    """Keeps everything ever added to one lane."""

    def __init__(self, stack: int, before_start: str) -> None:
        self.history: list[Step] = []
        self.stack = stack
        self.before_start = before_start

    def starts(self, number: int) -> bool:
        """Whether an episode starts with this step."""
        if number == 0:
            return True
        before, here = self.history[number - 1], self.history[number]
        ended = before.terminated or before.truncated
        return ended or not np.array_equal(before.next_frame, here.frame)

    def ends(self, number: int, newest: int) -> bool:
        step = self.history[number]
        over = step.terminated or step.truncated or number == newest
        return over or self.starts(number + 1)

    def frames_until(self, number: int, extra: list[np.ndarray]) -> list[np.ndarray]:
        frames = extra[:]
        while True:
            frames.insert(0, self.history[number].frame)
            if self.starts(number) or len(frames) >= self.stack:
                break
            number -= 1
        first = frames[0] if self.before_start == "repeat" else np.zeros_like(frames[0])
        return ([first] * self.stack + frames)[-self.stack :]

    def sample(self, start: int, newest: int, n_step: int, discount: float, length: int) -> Outcome:
        """Of the step `start`, as if `newest` were the last one."""
        number, total, factor = start - 1, 0.0, 1.0
        for _ in range(n_step):
            number += 1
            total += factor * self.history[number].reward
            factor *= discount
            if self.ends(number, newest):
                break
        last = self.history[number]
        if last.terminated:
            factor, after = 0.0, self.frames_until(number, [last.frame])
        else:
            after = self.frames_until(number, [last.next_frame])
        stacks, actions, mask, at, alive = [], [], [], start, True
        for _ in range(length):
            stacks.append(self.frames_until(at, []))
            actions.append(self.history[at].action)
            mask.append(float(alive))
            alive = alive and not self.ends(at, newest)
            at += alive
        return Outcome(stacks, actions, mask, total, factor, after)


class Naive:
    """Priorities of one lane: a list of priorities, and a loop along it for every draw."""

    def __init__(self, capacity: int) -> None:
        self.leaves = [0.0] * capacity
        self.largest = 1.0

    def add(self, number: int) -> None:
        self.leaves[number % len(self.leaves)] = self.largest

    def prioritise(self, positions: list[int], values: list[float]) -> None:
        for position, value in zip(positions, values, strict=True):
            self.leaves[position] = value
            self.largest = max(self.largest, value)

    def draw(self, uniforms: list[float], span: Span, beta: float) -> tuple[list[int], list[float]]:
        drawable = [self.leaves[(span.oldest + age) % len(self.leaves)] for age in range(span.size)]
        ages, weights = [], []
        for j, u in enumerate(uniforms):
            query, running, age = (j + u) / len(uniforms) * sum(drawable), 0.0, -1
            while running <= query:
                age += 1
                running += drawable[age]
            ages.append(age)
            weights.append((drawable[age] + 1e-10) ** -beta)
        return ages, [weight / max(weights) for weight in weights]
