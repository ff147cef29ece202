"""Exposure: how often each transition of a run was drawn for a gradient step, expected and counted.

Which transitions a gradient step draws is a function of (seed, gradient step) and of what replay
held then, which the settings alone decide: nothing has to be recorded while a run trains. With
n-step returns a draw is the first transition of its window.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from primacy.runs.philox import unit, words
from primacy.runs.shares import given_rows, online_share

CHUNK = 1 << 21
"""Draws counted at a time."""

BINS = 20


@dataclass(frozen=True)
class Schedule:
    """The settings that decide when how much is drawn from what."""

    ratio: Fraction
    batch_size: int
    start_steps: int
    capacity: int
    given: int = 0
    """Transitions in replay before the first env step."""
    offline_updates: int = 0
    prime_updates: int = 0
    prime_transitions: int = 0
    steps_per_update: int = 1
    """Gradient steps whose transitions are drawn at once: RLPD's critic steps."""
    relearn_updates: int = 0
    share: Fraction | None = None
    """Of given transitions in a batch, by symmetric sampling; None: drawn from all alike."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Schedule":
        """From the settings in config.json."""
        return cls(
            Fraction(config["replay_ratio"]),
            config["batch_size"],
            config["start_steps"],
            config["replay_capacity"],
            config.get("given_transitions", 0),
            config.get("offline_updates", 0),
            config["prime_updates"],
            config["prime_transitions"],
            config.get("critic_steps", 1),
            config.get("relearn_updates", 0),
            online_share(config.get("online_sampling", "append"), config["batch_size"]),
        )

    def updates_until(self, env_steps: np.ndarray) -> np.ndarray:
        """Updates of the normal schedule by the end of env steps int64 [N]."""
        learning = np.maximum(0, env_steps - self.start_steps + 1)
        return learning * self.ratio.numerator // (self.ratio.denominator * self.steps_per_update)


class Span(NamedTuple):
    """Env steps start + 1 .. stop of a run, under one schedule; a fork has several."""

    schedule: Schedule
    start: int
    stop: int


class Draws(NamedTuple):
    """Blocks of updates that draw from the same transitions, in order; int64 [N]."""

    first: int
    """Gradient step of the first one."""
    batch_size: int
    """Transitions of an update."""
    steps: int
    """Gradient steps of an update."""
    updates: np.ndarray
    """Updates of each block."""
    oldest: np.ndarray
    """Number of the oldest transition drawn from, counted from 0 in order of arrival, by side:
    int64 [N, 2], of the rows that symmetric sampling draws online and of those it does not."""
    held: np.ndarray
    """Transitions drawn from, each equally likely, by side: int64 [N, 2]."""
    side: np.ndarray
    """Side of each row of an update, int64 [batch size]; all 0 without symmetric sampling."""

    @property
    def total(self) -> int:
        """Gradient steps."""
        return self.steps * int(self.updates.sum())


def history(spans: Sequence[Span]) -> list[Draws]:
    """Everything that was drawn in consecutive spans, the first of which begins at env step 0."""
    found, step = [], 0
    for span in spans:
        found.append(_draws(span, step, offline=not found))
        step += found[-1].total
    return found


def _draws(span: Span, first: int, offline: bool) -> Draws:
    schedule, start, stop = span
    steps = np.arange(start + 1, stop + 1, dtype=np.int64)
    updates = schedule.updates_until(steps) - schedule.updates_until(steps - 1)
    total = schedule.given + steps
    count = np.minimum(total, schedule.capacity)
    alike = np.stack((total - count, count), axis=1)
    sides = [alike, alike]
    if schedule.share is not None:
        sides[0] = np.stack((np.full_like(steps, schedule.given), steps), axis=1)
        sides[1] = np.broadcast_to([0, schedule.given], alike.shape)
    parts = np.concatenate((updates[:, None], *sides), axis=1)
    each = schedule.steps_per_update
    if schedule.prime_updates and start < schedule.prime_transitions <= stop:
        held = [0, schedule.prime_transitions]
        row = [schedule.prime_updates // each, *held, *held]
        parts = np.insert(parts, schedule.prime_transitions - start - 1, row, axis=0)
    before = schedule.offline_updates * offline + schedule.relearn_updates * (start == 0)
    if before:
        held = min(schedule.given, schedule.capacity)
        row = [before // each, *[schedule.given - held, held] * 2]
        parts = np.insert(parts, 0, row, axis=0)
    size = schedule.batch_size * each
    side = np.zeros(size, dtype=np.int64)
    if schedule.share is not None:
        side += given_rows(schedule.share, size)
    updates, *sides = parts[parts[:, 0] > 0].T
    oldest, held = np.stack(sides[0::2], axis=1), np.stack(sides[1::2], axis=1)
    return Draws(first, size, each, updates, oldest, held, side)


def until(draws: Sequence[Draws], gradient_steps: int) -> list[Draws]:
    """The first so many gradient steps of a history."""
    found = []
    for part in draws:
        done = max(0, gradient_steps - part.first) // part.steps
        ends = np.minimum(np.cumsum(part.updates), done)
        found.append(part._replace(updates=np.diff(ends, prepend=0)))
    return found


def expected(draws: Sequence[Draws], transitions: int) -> np.ndarray:
    """Expected number of draws of each transition, float64 [transitions].

    The sum over updates t of their transitions / n_t, where n_t is the number of transitions that t
    draws from, over those t that draw from this transition.
    """
    change = np.zeros(transitions + 1)
    for part in draws:
        for side, drawn in enumerate(np.bincount(part.side, minlength=2)):
            oldest, held = part.oldest[:, side], part.held[:, side]
            weight = part.updates * drawn / held
            change += np.bincount(oldest, weight, transitions + 1)
            change -= np.bincount(oldest + held, weight, transitions + 1)
    # What has left replay keeps its sum to rounding; what was never drawn from has none.
    return np.maximum(np.cumsum(change)[:-1], 0.0)


def counted(draws: Sequence[Draws], seed: int, transitions: int) -> np.ndarray:
    """How often a seed drew each transition, int64 [transitions], found by drawing again."""
    found = np.zeros(transitions, dtype=np.int64)
    for part in draws:
        for numbers in _numbers(part, seed):
            found += np.bincount(numbers, minlength=transitions)
    return found


def _numbers(part: Draws, seed: int) -> Iterator[np.ndarray]:
    """The numbers of the transitions drawn, in pieces that fit in memory."""
    ends = np.cumsum(part.updates)
    size = max(1, CHUNK // part.batch_size)
    total, first = int(part.updates.sum()), part.first // part.steps
    for start in range(0, total, size):
        steps = np.arange(start, min(start + size, total))
        block = np.searchsorted(ends, steps, side="right")
        drawn = words(seed, "replay", "batch", first + start, len(steps), part.batch_size)
        # As replay/buffer.py does it: float64 times count, cut to a whole number.
        ages = (unit(drawn) * part.held[block][:, part.side]).astype(np.int64)
        yield (ages + part.oldest[block][:, part.side]).ravel()


class Row(NamedTuple):
    """Transitions that arrived one after the other, and how often one of them was drawn.

    Env steps from 1 on are the run's own; 0 and below are those given before it, the last one at 0.
    """

    seed: int
    first_env_step: int
    last_env_step: int
    oldest_age: int
    """Env steps between the arrival of the first one and the end; 0 is the newest transition."""
    newest_age: int
    transitions: int
    expected: float
    counted_mean: float
    counted_min: int
    counted_max: int


def edges(schedule: Schedule, transitions: int, bins: int = BINS) -> np.ndarray:
    """Where groups of transitions begin and end: equally long ones, and cuts at the ends of what
    was given, primed on, and collected before learning."""
    given, primed = schedule.given, schedule.prime_transitions * (schedule.prime_updates > 0)
    cuts = [given, primed, given + schedule.start_steps]
    equal = np.linspace(0, transitions, min(bins, transitions) + 1).round().astype(np.int64)
    return np.unique(np.concatenate((equal, np.minimum(cuts, transitions))))


def rows(
    counts: Mapping[int, np.ndarray], mean: np.ndarray, ends: np.ndarray, given: int
) -> list[Row]:
    """The table of all seeds; `counts` are those of each seed, `mean` the expected ones."""
    found, total = [], len(mean)
    for seed, own in counts.items():
        for first, stop in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            group = own[first:stop]
            found.append(
                Row(
                    seed,
                    first - given + 1,
                    stop - given,
                    total - 1 - first,
                    total - stop,
                    stop - first,
                    float(mean[first:stop].mean()),
                    float(group.mean()),
                    int(group.min()),
                    int(group.max()),
                )
            )
    return found
