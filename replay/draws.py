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

    A draw sums all priorities in float64: no second copy of anything to keep in step, and no error
    that grows from update to update. With its update, at 100,000 priorities, it takes half the time
    of a vectorised sum tree for S = 1 and twice that time for S = 5: 0.2 ms and 1.1 ms on a CPU
    (benchmarks/bench_replay.py), little beside any update of a network that sees.
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
        head = self.values[:, span.oldest : span.oldest + span.size]
        beyond = span.size - head.shape[1]
        drawable = torch.cat((head, self.values[:, :beyond]), -1) if beyond else head
        running = drawable.cumsum(-1)
        total = running[:, -1:].contiguous()
        if not (total > 0).all():
            raise ReplayError(
                "all priorities that could be drawn are 0",
                "give priorities above 0: replay.draws.priority never returns 0",
            )
        # Where rounding puts a query at the end of the sum, the last priority above 0 is meant.
        last = torch.searchsorted(running, total)
        ages = torch.searchsorted(running, parts * total, right=True).minimum(last)
        drawn = drawable.gather(1, ages).view(uniforms.shape)
        weight = (drawn + SMALLEST) ** -beta
        return ages.view(uniforms.shape), (weight / weight.amax(-1, keepdim=True)).float()

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
