"""Which transitions a batch consists of: each equally likely, or by priority.

Positions are those of the ring: transition t (counted from 0) lies at t modulo the capacity, in
every lane. Nothing random is in here: uniforms are handed in.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from primacy.replay.buffer import ReplayError

BLOCK = 128
"""Priorities summed together; measured at 100,000 of them (benchmarks/bench_replay.py)."""
SMALLEST = 1e-10


class Span(NamedTuple):
    """The drawable part of a ring: `size` transitions from the position `oldest` on."""

    oldest: int
    size: int


class Draws(Protocol):
    """Decides by uniforms which ages are drawn, and with which weight."""

    def draw(self, uniforms: Tensor, span: Span, beta: float) -> tuple[Tensor, Tensor]:
        """Ages int64 and importance weights float32, [S, ..., B] as the uniforms float64 are."""
        ...

    def added(self, total: int, count: int) -> None:
        """Told that `count` transitions came after the first `total`, in every lane."""
        ...

    def restart(self) -> None:
        """Told that the buffer is empty again."""
        ...

    def prioritise(self, positions: Tensor, priorities: Tensor, lanes: Tensor | None) -> None:
        """Told the new priorities [S, ..., B] of positions int64 in the ring, of some lanes."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint holds of it."""
        ...

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Be again what `state` was taken from."""
        ...


class Uniform:
    """Every drawable transition is equally likely, with replacement; keeps nothing."""

    def draw(self, uniforms: Tensor, span: Span, beta: float) -> tuple[Tensor, Tensor]:
        """See Draws; all weights are 1."""
        return (uniforms * span.size).long(), torch.ones_like(uniforms, dtype=torch.float32)

    def added(self, total: int, count: int) -> None:
        """See Draws."""

    def restart(self) -> None:
        """See Draws."""

    def prioritise(self, positions: Tensor, priorities: Tensor, lanes: Tensor | None) -> None:
        """See Draws; whoever asks for uniform draws may give priorities back none the less."""

    def state(self) -> dict[str, Tensor]:
        """See Draws."""
        return {}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """See Draws."""


def priority(loss: Tensor, exponent: float = 0.5) -> Tensor:
    """What is stored for losses >= 0 (cross-entropies): (loss + 1e-10)**exponent, float64.

    Schaul et al. 2016, equation 1, as in Dopamine and bigger_better_faster.
    """
    return (loss.double() + SMALLEST) ** exponent


class Priorities:
    """Prioritised draws of S lanes (Schaul et al. 2016, "Prioritized experience replay").

    The probability of a transition is its priority over the sum of all drawable ones. A batch is
    stratified: entry j looks for (j + u_j) / B of the sum, and finds the transition where the
    running sum in order of positions first exceeds it (Dopamine's sum tree). All sums are float64.
    New transitions get the largest priority ever stored in their lane, at first 1.

    Sums of blocks are kept, so that a draw sums the blocks and then inside B of them. They are
    a function of the priorities alone, whatever the order of the updates: a checkpoint holds only
    priorities, and a resumed run draws the same bit for bit.
    """

    def __init__(
        self, lanes: int, capacity: int, device: str | torch.device = "cpu", block: int = BLOCK
    ) -> None:
        """`block` priorities are summed together."""
        self.capacity = capacity
        self._block = block
        blocks = -(-capacity // block)
        wide = {"dtype": torch.float64, "device": device}
        self._leaves = torch.zeros(lanes, blocks * block, **wide)
        self._sums = torch.zeros(lanes, blocks, **wide)
        self._rows = self._leaves.view(lanes * blocks, block)
        self._first_rows = torch.arange(lanes, device=device).unsqueeze(-1) * blocks
        self._within = torch.arange(block, device=device)
        self._largest = torch.ones(lanes, **wide)

    @property
    def values(self) -> Tensor:
        """Priorities by position, float64 [S, capacity]; 0 where nothing was added yet."""
        return self._leaves[:, : self.capacity]

    def draw(self, uniforms: Tensor, span: Span, beta: float) -> tuple[Tensor, Tensor]:
        """See Draws. Weights are priority**-beta over the largest one of the batch.

        Raises ReplayError where all drawable priorities of a lane are 0.
        """
        batch, lanes = uniforms.shape[-1], len(self._leaves)
        strata = torch.arange(batch, dtype=torch.float64, device=uniforms.device)
        parts = ((strata + uniforms) / batch).reshape(lanes, -1)
        sums = self._drawable_sums(span)
        running = sums.cumsum(-1)
        total = running[:, -1:]
        if not (total > 0).all():
            raise ReplayError(
                "all priorities that could be drawn are 0",
                "give priorities above 0: replay.draws.priority never returns 0",
            )
        query = parts * total
        block = _reached(running, query)
        rest = query - torch.nn.functional.pad(running, (1, 0)).gather(1, block)
        inside = self._inside(block, span)
        at = _reached(inside.cumsum(-1).flatten(0, 1), rest.reshape(-1, 1)).view(block.shape)
        drawn = inside.gather(-1, at.unsqueeze(-1)).view(uniforms.shape)
        ages = (block * self._block + at - span.oldest) % self.capacity
        weight = (drawn + SMALLEST) ** -beta
        weight = weight / weight.amax(-1, keepdim=True)
        return ages.view(uniforms.shape), weight.float()

    def _inside(self, blocks: Tensor, span: Span) -> Tensor:
        """Priorities in the blocks int64 [S, n] of each lane, 0 outside of the span, [S, n, W]."""
        rows = self._rows.index_select(0, (blocks + self._first_rows).flatten())
        ages = (blocks.unsqueeze(-1) * self._block + self._within - span.oldest) % self.capacity
        return rows.view(*blocks.shape, self._block).where(ages < span.size, 0.0)

    def _drawable_sums(self, span: Span) -> Tensor:
        """Sums of blocks without what lies outside of the span, [S, blocks]."""
        start, left = (span.oldest + span.size) % self.capacity, self.capacity - span.size
        if not left:
            return self._sums
        sums = self._sums.clone()
        # What must not be drawn is one stretch of the ring, or two where it crosses the seam.
        head = min(left, self.capacity - start)
        stretches = [(start, start + head), (0, left - head)]
        edges = set[int]()
        for begin, end in stretches:
            if begin < end:
                sums[:, begin // self._block : (end - 1) // self._block + 1] = 0.0
                edges |= {begin // self._block, (end - 1) // self._block}
        partly = torch.tensor(sorted(edges), device=sums.device).expand(len(sums), -1)
        return sums.scatter_(1, partly, self._inside(partly, span).cumsum(-1)[..., -1])

    def added(self, total: int, count: int) -> None:
        """See Draws."""
        begin, end = max(total, total + count - self.capacity), total + count
        new = torch.arange(begin, end, device=self._leaves.device) % self.capacity
        positions = new.expand(len(self._leaves), -1)
        self._store(positions, self._largest.unsqueeze(-1).expand(-1, len(new)))

    def restart(self) -> None:
        """See Draws."""
        self._leaves.zero_()
        self._sums.zero_()
        self._largest.fill_(1.0)

    def prioritise(self, positions: Tensor, priorities: Tensor, lanes: Tensor | None) -> None:
        """See Draws. Of a position that occurs twice, the last one counts.

        `lanes` bool [S] says whose priorities count (default: everyone's): those of a seed that is
        frozen, because its loss is not finite, need not be numbers.

        Raises ReplayError for priorities that are negative or not finite; nothing is stored then.
        """
        new = priorities.detach().to(self._leaves).flatten(1)
        places = positions.flatten(1)
        if lanes is not None:
            new = new.where(lanes.unsqueeze(-1), self._leaves.gather(1, places))
        sound = (new.isfinite() & (new >= 0)).all(-1)
        if not sound.all():
            bad = (~sound).nonzero().flatten().tolist()
            raise ReplayError(
                f"priorities of lane {', '.join(map(str, bad))} are negative or not finite",
                "the loss of that seed went astray: lower --learning-rate, or freeze the seed",
            )
        same = places.unsqueeze(-1) == places.unsqueeze(-2)
        order = torch.arange(places.shape[1], device=places.device)
        last = (same * order).amax(-1)
        self._store(places, new.gather(1, last))
        torch.maximum(self._largest, new.amax(-1), out=self._largest)

    def _store(self, positions: Tensor, values: Tensor) -> None:
        """Priorities [S, n] at positions int64 [S, n]; equal positions have equal values."""
        self._leaves.scatter_(1, positions, values)
        rows = positions // self._block + self._first_rows
        # A running sum, because its order does not depend on how many rows there are.
        sums = self._rows.index_select(0, rows.flatten()).cumsum(-1)[:, -1]
        self._sums.view(-1).index_copy_(0, rows.flatten(), sums)

    def state(self) -> dict[str, Tensor]:
        """Priorities float64 [S, capacity], and the largest ever stored [S]."""
        return {"priorities": self.values, "largest_priority": self._largest}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """See Draws."""
        self.values.copy_(state["priorities"])
        self._largest.copy_(state["largest_priority"])
        self._sums.copy_(self._rows.cumsum(-1)[:, -1].view_as(self._sums))


def _reached(running: Tensor, query: Tensor) -> Tensor:
    """Where running sums [L, n] first exceed queries [L, m], int64 [L, m].

    A query that rounding put at the end of the sum, or beyond it, means the last part above 0.
    """
    last = torch.searchsorted(running, running[:, -1:].contiguous())
    return torch.minimum(torch.searchsorted(running, query, right=True), last)
