"""Which transitions a batch consists of: each equally likely, or by priority.

Positions are those of the ring: transition t (counted from 0) lies at t modulo the capacity, in
every lane. Nothing random is in here: uniforms are handed in.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from primacy.replay.buffer import ReplayError

SMALLEST = 1e-10

BLOCK = 128
"""Priorities that are summed together: of 64 to 512 the fastest at 100,000 priorities."""


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

    def state(self, held: Span) -> dict[str, Tensor]:
        """What a checkpoint holds of it, each tensor with a leading axis of lanes."""
        ...

    def load(self, state: Mapping[str, Tensor], held: Span) -> None:
        """Be again what `state` was taken from; `held` are the transitions held now, as many or
        fewer, of which the newest are the same."""
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

    def state(self, held: Span) -> dict[str, Tensor]:
        """See Draws."""
        return {}

    def load(self, state: Mapping[str, Tensor], held: Span) -> None:
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
    running sum in order of ages first exceeds it (as Dopamine's sum tree, which goes by positions).
    New transitions get the largest priority ever stored in their lane, at first 1.

    A draw sums all priorities in float64, in blocks, and looks for each entry within one block: no
    second copy of anything to keep in step, and no error that grows from update to update. A sum
    tree is beside it in benchmarks/bench_replay.py.
    """

    def __init__(self, lanes: int, capacity: int, device: str | torch.device = "cpu") -> None:
        self.capacity = capacity
        self.values = torch.zeros(lanes, capacity, dtype=torch.float64, device=device)
        """Priorities by position, float64 [S, capacity]; 0 where nothing was added yet."""
        self._largest = torch.ones(lanes, dtype=torch.float64, device=device)

    def draw(self, uniforms: Tensor, span: Span, beta: float) -> tuple[Tensor, Tensor]:
        """See Draws. Weights are priority**-beta over the largest one of the batch.

        Raises ReplayError where all drawable priorities of a lane are 0.
        """
        batch = uniforms.shape[-1]
        strata = torch.arange(batch, dtype=torch.float64, device=uniforms.device)
        parts = ((strata + uniforms) / batch).reshape(len(self.values), -1)
        firsts, ends, sums = self._blocks(span)
        running = sums.cumsum(-1)
        total = running[:, -1:].contiguous()
        if not (total > 0).all():
            raise ReplayError(
                "all priorities that could be drawn are 0",
                "give priorities above 0: replay.draws.priority never returns 0",
            )
        queries = parts * total
        block = _exceeding(running, queries)
        rest = (queries - (running - sums).gather(1, block)).clamp(min=0)
        within = torch.arange(BLOCK, device=uniforms.device)
        places = ((span.oldest + firsts) % self.capacity)[block].unsqueeze(-1) + within
        sizes = (ends - firsts)[block].unsqueeze(-1)
        inside = within < sizes
        found = self.values.gather(1, places.clamp(max=self.capacity - 1).flatten(1))
        values = found.view(places.shape) * inside
        # A GPU's running sums need not be monotone behind the last priority.
        entry = _exceeding(values.cumsum(-1), rest.unsqueeze(-1)).minimum(sizes - 1)
        drawn = values.gather(-1, entry).view(uniforms.shape)
        ages = firsts[block] + entry.squeeze(-1)
        weight = (drawn + SMALLEST) ** -beta
        return ages.view(uniforms.shape), (weight / weight.amax(-1, keepdim=True)).float()

    def _blocks(self, span: Span) -> tuple[Tensor, Tensor, Tensor]:
        """Of runs of up to BLOCK ages that lie side by side in the ring: the first age and the one
        after the last, int64 [N], and their sums float64 [S, N], in order of ages."""
        head = min(span.size, self.capacity - span.oldest)
        firsts, sums = [], []
        for begin, age, size in ((span.oldest, 0, head), (0, head, span.size - head)):
            whole = size - size % BLOCK
            values = self.values[:, begin : begin + size]
            firsts.append(torch.arange(age, age + size, BLOCK, device=values.device))
            sums.append(values[:, :whole].unflatten(1, (-1, BLOCK)).sum(-1))
            if whole < size:
                sums.append(values[:, whole:].sum(-1, keepdim=True))
        first = torch.cat(firsts)
        end = torch.cat((first[1:], first.new_tensor([span.size])))
        return first, end, torch.cat(sums, -1)

    def added(self, total: int, count: int) -> None:
        """See Draws."""
        begin, end = max(total, total + count - self.capacity), total + count
        new = torch.arange(begin, end, device=self.values.device) % self.capacity
        self.values[:, new] = self._largest.unsqueeze(-1)

    def restart(self) -> None:
        """See Draws."""
        self.values.zero_()
        self._largest.fill_(1.0)

    def prioritise(self, positions: Tensor, priorities: Tensor, lanes: Tensor | None) -> None:
        """See Draws. Of a position that occurs twice, the last one counts.

        `lanes` bool [S] says whose priorities count (default: everyone's): those of a seed that is
        frozen, because its loss is not finite, need not be numbers.

        Raises ReplayError for priorities that are negative or not finite; nothing is stored then.
        """
        new = priorities.detach().to(self.values).flatten(1)
        places = positions.flatten(1)
        if lanes is not None:
            new = new.where(lanes.unsqueeze(-1), self.values.gather(1, places))
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
        self.values.scatter_(1, places, new.gather(1, last))
        torch.maximum(self._largest, new.amax(-1), out=self._largest)

    def state(self, held: Span) -> dict[str, Tensor]:
        """Priorities float64 [S, size], the oldest transition's first, and the largest ever stored
        [S]."""
        values = self.values.index_select(1, self._places(held))
        return {"priorities": values, "largest_priority": self._largest}

    def load(self, state: Mapping[str, Tensor], held: Span) -> None:
        """See Draws."""
        newest = state["priorities"][:, -held.size :] if held.size else state["priorities"][:, :0]
        self.values.index_copy_(1, self._places(held), newest.to(self.values))
        self._largest.copy_(state["largest_priority"])

    def _places(self, held: Span) -> Tensor:
        ages = torch.arange(held.size, device=self.values.device)
        return (held.oldest + ages) % self.capacity


def _exceeding(running: Tensor, queries: Tensor) -> Tensor:
    """Where a running sum [..., N] first exceeds queries [..., Q], int64 [..., Q]; where rounding
    puts a query at the end of the sum, at its last part above 0."""
    last = torch.searchsorted(running, running[..., -1:].contiguous())
    return torch.searchsorted(running, queries, right=True).minimum(last)
