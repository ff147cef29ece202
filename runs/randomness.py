"""Every random number of a run is a function of (seed, purpose, counter).

A counter-based generator (Philox 4x64: Salmon et al. 2011, "Parallel random numbers: as easy as 1,
2, 3") is keyed by the seed and the purpose and positioned by the counter. Nothing random is ever
saved; drawing more for one purpose (evaluating twice as often, say) changes no other; and the draws
of a seed do not depend on which seeds share its stack.
"""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

from primacy.runs import philox

WINDOW = 64
"""Counters drawn in one call: a call costs more than the few numbers of one step."""


class Source:
    """The random numbers of `count` consecutive counters, for all seeds in one vectorised call."""

    def __init__(self, seeds: tuple[int, ...], purpose: str, start: int, count: int) -> None:
        self.seeds = seeds
        self.purpose = purpose
        self.start = start
        self.count = count

    def _words(self, label: str, per_counter: int) -> np.ndarray:
        lanes = [
            philox.words(seed, self.purpose, label, self.start, self.count, per_counter)
            for seed in self.seeds
        ]
        return np.stack(lanes)

    def uniform(self, label: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform numbers in [0, 1), float64 [S, count, *shape], 53 random bits each."""
        numbers = philox.unit(self._words(label, prod(shape)))
        return torch.from_numpy(numbers.reshape(len(self.seeds), self.count, *shape))

    def normal(self, label: str, shape: tuple[int, ...]) -> Tensor:
        """Standard normal numbers, float32 [S, count, *shape], by the Box-Muller transform.

        A rejection method would use a varying number of words, and the numbers of a counter would
        then depend on its neighbours; Box-Muller takes one word for each pair.
        """
        size = prod(shape)
        words = torch.from_numpy(self._words(label, (size + 1) // 2).view(np.int64))
        # 24 bits fill a float32 mantissa; the half step keeps log() away from zero.
        first = ((words >> 40) & 0xFFFFFF).float().add_(0.5).mul_(2.0**-24)
        angle = (words & 0xFFFFFFFF).float().mul_(2.0 * torch.pi * 2.0**-32)
        radius = first.log_().mul_(-2.0).sqrt_()
        pairs = torch.cat((radius * angle.cos(), radius * angle.sin()), dim=-1)
        return pairs[..., :size].reshape(len(self.seeds), self.count, *shape)


class Randomness:
    """All random numbers of the runs of `seeds` (S of them)."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self.seeds = tuple(seeds)

    def generators(self, purpose: str, counter: int, *labels: str) -> list[np.random.Generator]:
        """One generator per seed; the streams of different counters do not meet within 2**192
        numbers."""
        return [
            np.random.Generator(
                np.random.Philox(key=philox.key(seed, purpose, labels), counter=counter << 192)
            )
            for seed in self.seeds
        ]

    def integers(self, purpose: str, counter: int, *labels: str) -> list[int]:
        """One integer in [0, 2**31) per seed, for simulators that want a seed of their own."""
        return [int(g.integers(2**31)) for g in self.generators(purpose, counter, *labels)]

    def source(self, purpose: str, start: int, count: int) -> Source:
        """The numbers of the counters start .. start + count - 1."""
        return Source(self.seeds, purpose, start, count)


class Window:
    """Draws handed out counter by counter and made `WINDOW` at a time.

    Which counters are drawn together shows in no number, so nothing of this is ever saved.
    """

    def __init__(self, draw: Callable[[int, int], Tensor]) -> None:
        """`draw` takes a start and a count, and returns [count, ...]."""
        self._draw = draw
        self._start = -1
        self._drawn: Sequence[Tensor] = ()

    def at(self, counter: int) -> Tensor:
        """The draw of one counter."""
        start = counter - counter % WINDOW
        if start != self._start:
            self._drawn, self._start = self._draw(start, WINDOW).unbind(), start
        return self._drawn[counter - start]
