"""The replay buffer of agents that see: each image once, stacks of them assembled at sampling."""

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from primacy.replay.buffer import Replay, demand, doubles, powers
from primacy.replay.draws import Draws, Span, Uniform
from primacy.replay.frame_layout import FrameLayout
from primacy.replay.frame_store import BeforeStart, FrameStore, ring_frames


class FrameBatch(NamedTuple):
    """Sampled transitions between stacks of frames; the oldest frame of a stack comes first.

    C is the number of frames in a stack times the channels of a frame (grey: 1, RGB: 3).
    """

    observation: Tensor  # uint8 [S, ..., B, C, H, W]
    action: Tensor  # int64 [S, ..., B], or float32 [S, ..., B, A]
    reward: Tensor  # float32 [S, ..., B]: sum of discount**i * reward_i over the window's steps
    discount: Tensor  # float32 [S, ..., B]: discount**k, or 0 where the window terminates
    next_observation: Tensor  # uint8 [S, ..., B, C, H, W]: after the window's last step
    weight: Tensor  # float32 [S, ..., B]: importance weights, at most 1; ones of a uniform draw
    ages: Tensor  # int64 [S, ..., B]: where they lie, to give priorities back


class SequenceBatch(NamedTuple):
    """Transitions as in FrameBatch, and the T - 1 steps that follow each of them.

    Reward, discount and next_observation are those of the n-step return of the first step. Where
    the mask is 0, the last step of the episode is repeated.
    """

    observation: Tensor  # uint8 [S, ..., B, T, C, H, W]: s_t .. s_{t+T-1}
    action: Tensor  # int64 [S, ..., B, T], or float32 [S, ..., B, T, A]: a_t .. a_{t+T-1}
    mask: Tensor  # float32 [S, ..., B, T]: 1 where s_{t+k} is of the episode of s_t
    reward: Tensor  # float32 [S, ..., B]
    discount: Tensor  # float32 [S, ..., B]
    next_observation: Tensor  # uint8 [S, ..., B, C, H, W]
    weight: Tensor  # float32 [S, ..., B]
    ages: Tensor  # int64 [S, ..., B]


class Returns(NamedTuple):
    """How the return of the n steps from t on is taken."""

    n_step: int = 1
    discount: float = 0.99
    reward_clip: float = inf
    """Each reward is cut to [-reward_clip, reward_clip] before they are summed."""
    bootstrap_offset: int = 0
    """0, or -1 for the off-by-one of bigger_better_faster's replay: the value is taken at s_{t+n-1}
    (still times discount**n), and a termination in the last of the n steps does not stop it."""


class Drawn(NamedTuple):
    """Where the transitions of a batch lie."""

    ages: Tensor  # int64 [S, ..., B]
    weight: Tensor  # float32 [S, ..., B]
    newest: int
    """The age at which windows and subsequences end at the latest."""


def frame_bytes(
    layout: FrameLayout, lanes: int, capacity: int, stack: int = 4, spare: int | None = None
) -> int:
    """Bytes that a full buffer takes; priorities come to 8 more per transition."""
    images = layout.pixels * ring_frames(capacity, stack, spare)
    return lanes * (images + (4 * layout.step.width + 8 * (stack + 1)) * capacity)


def describe_frames(layout: FrameLayout, lanes: int, capacity: int, stack: int = 4) -> str:
    """The size of a buffer in words, for printing before it is allocated."""
    size = frame_bytes(layout, lanes, capacity, stack) / 1e9
    return f"replay: {lanes} x {capacity:,} frames, {size:.2f} GB when full"


class FrameReplay:
    """The last `capacity` transitions of S lanes, ages as in `Replay`, images in a FrameStore.

    What a row has beside its images lies in a Replay of its own, which also decides where windows
    end. Transitions are drawn by `draws`, uniformly or by priority.
    """

    def __init__(
        self,
        layout: FrameLayout,
        lanes: int,
        capacity: int,
        stack: int = 4,
        before_start: BeforeStart = "zero",
        draws: Draws | None = None,
        device: str | torch.device = "cpu",
        spare: int | None = None,
    ) -> None:
        """`spare` frames of a lane have room beside one per transition, for episodes cut short.

        Raises ReplayError where the memory would not suffice.
        """
        self.layout = layout
        self.device = torch.device(device)
        size = frame_bytes(layout, lanes, capacity, stack, spare)
        demand(describe_frames(layout, lanes, capacity, stack), size, self.device)
        self.draws = Uniform() if draws is None else draws
        self.steps = Replay(layout.step, lanes, capacity, device)
        self.store = FrameStore(
            layout.pixels, lanes, capacity, stack, before_start, self.device, spare
        )
        self.history = stack - 1

    @property
    def capacity(self) -> int:
        """Transitions held at most, per lane."""
        return self.steps.capacity

    @property
    def lanes(self) -> int:
        """S."""
        return self.steps.lanes

    @property
    def size(self) -> int:
        """Transitions held, per lane."""
        return self.steps.size

    @property
    def total(self) -> int:
        """Transitions ever added, per lane."""
        return self.steps.total

    def restart(self, total: int) -> None:
        """Forget everything, priorities included, and count from `total` transitions on."""
        self.steps.restart(total)
        self.store.restart()
        self.draws.restart()

    def add(self, rows: np.ndarray | Tensor) -> None:
        """Append one row per lane, uint8 [S, width]."""
        self.extend(rows[:, None])

    def extend(self, rows: np.ndarray | Tensor) -> None:
        """Append rows uint8 [S, n, width] in order, any number of them.

        An episode also ends where the next row's frame is not the one that its last row led to
        (experience from elsewhere, a run that went on with another episode): as if truncated.

        Raises ReplayError where more episodes were cut short than there are spare frames.
        """
        new = torch.as_tensor(rows)
        if new.ndim != 3 or (len(new), new.shape[2]) != (self.lanes, self.layout.width):
            wanted = [self.lanes, "n", self.layout.width]
            raise ValueError(f"rows must be {wanted}, not {list(new.shape)}")
        for piece in new.split(self.capacity, dim=1) if new.shape[1] else ():
            steps = self.layout.steps(piece)
            flags = steps[..., self.layout.step.outcome]
            frames, after = (part.cpu().numpy() for part in self.layout.images(piece))
            terminated, truncated = (flags[..., i].cpu().numpy() > 0 for i in (1, 2))
            cut, cut_before = self.store.extend(
                frames, after, terminated, terminated | truncated, self.total
            )
            flags[..., 2] = flags[..., 2].maximum(torch.from_numpy(cut).to(flags))
            self._truncate_newest(cut_before)
            before = self.total
            self.steps.extend(steps)
            self.draws.added(before, piece.shape[1])

    def _truncate_newest(self, lanes: np.ndarray) -> None:
        """Mark the newest transition of some lanes, bool [S], as truncated."""
        if lanes.any():
            newest = (self.total - 1) % self.capacity
            truncated = self.steps.rows[:, newest, self.layout.step.outcome.stop - 1]
            truncated.masked_fill_(torch.from_numpy(lanes).to(self.device), 1.0)

    # Drawing

    def draw(
        self, uniforms: Tensor, first: int | None = None, margin: int = 0, beta: float = 0.5
    ) -> Drawn:
        """Where to sample, by uniforms float64 [S, ..., B] in [0, 1), with replacement.

        `first` draws as if the buffer held only the first transitions that were ever added, and
        the newest `margin` ones are never drawn (they may still end a window). `beta` is the
        exponent of importance weights.

        Raises ReplayError for a buffer that does not hold what is asked for.
        """
        count = self.steps.drawable(first, margin)
        span = Span(self._oldest, count)
        ages, weight = self.draws.draw(doubles(uniforms).to(self.device), span, beta)
        return Drawn(ages, weight, count + margin - 1)

    def prioritise(self, ages: Tensor, priorities: Tensor, lanes: Tensor | None = None) -> None:
        """New priorities [S, ..., B] of a batch, before anything is added to the buffer.

        Where a transition occurs twice, the last one counts; `lanes` bool [S] leaves frozen seeds
        out. Raises ReplayError for priorities that are negative or not finite.
        """
        positions = (ages + (self.total - self.size)) % self.capacity
        self.draws.prioritise(positions, priorities, lanes)

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint holds beside the journal: priorities, the oldest transition's first, or
        nothing."""
        return self.draws.state(Span(self._oldest, self.size))

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Be again what `state` was taken from, once refilled from the journal; the capacity may
        have become another one.

        Raises KeyError where the state is of a buffer with other draws.
        """
        self.draws.load(state, Span(self._oldest, self.size))

    @property
    def _oldest(self) -> int:
        """Position of the oldest transition held."""
        return (self.total - self.size) % self.capacity

    # Sampling

    def at(self, drawn: Drawn, returns: Returns) -> FrameBatch:
        """The transitions drawn, each with its window of n steps.

        Windows end early as those of `Replay` do: at terminations, truncations and the newest. The
        next observation of a truncated episode is the one that it was cut at; after termination
        (discount 0) the image before the last action stands in for the one after it.
        """
        reward, discount, last = self._returns(drawn, returns)
        positions = self.steps.positions(drawn.ages)
        observation, after = self._look(positions, last, returns)
        action = self._actions(positions)
        return FrameBatch(observation, action, reward, discount, after, drawn.weight, drawn.ages)

    def sequences_at(self, drawn: Drawn, length: int, returns: Returns) -> SequenceBatch:
        """The transitions drawn, each with the stacks and actions of `length` steps from it on.

        Raises ValueError for subsequences without a step.
        """
        ages, _, newest = drawn
        within = self.steps.windows(ages, length, 1.0, newest).length.unsqueeze(-1)
        offsets = torch.arange(length, device=self.device)
        reached = ages.unsqueeze(-1) + offsets.minimum(within - 1)
        reward, discount, last = self._returns(drawn, returns)
        positions = self.steps.positions(reached)
        observation, after = self._look(positions, last, returns)
        action, mask = self._actions(positions), (offsets < within).float()
        return SequenceBatch(observation, action, mask, reward, discount, after, drawn.weight, ages)

    def sample(
        self,
        uniforms: Tensor,
        n_step: int = 1,
        discount: float = 0.99,
        first: int | None = None,
    ) -> FrameBatch:
        """As `Replay.sample`: `at` what `draw` drew."""
        return self.at(self.draw(uniforms, first), Returns(n_step, discount))

    def _returns(self, drawn: Drawn, returns: Returns) -> tuple[Tensor, Tensor, Tensor]:
        """Reward and discount of each window, and where its last step lies."""
        n_step, discount, clip, bootstrap_offset = returns
        windows = self.steps.windows(drawn.ages, n_step, discount, drawn.newest, clip)
        stopped = windows.terminated
        if bootstrap_offset == -1:
            stopped = stopped * (windows.length < n_step)
        elif bootstrap_offset != 0:
            raise ValueError(f"bootstrap_offset is 0 or -1, not {bootstrap_offset}")
        factor = powers(discount, n_step, self.device)[1][windows.length] * (1.0 - stopped)
        last = self.steps.positions(drawn.ages + (windows.length - 1))
        return windows.reward, factor, last

    def _actions(self, positions: Tensor) -> Tensor:
        rows = self.steps.flat.index_select(0, positions.flatten())
        action = self.layout.step.views(rows).action
        return self.layout.action(action.view(*positions.shape, -1))

    def _look(self, positions: Tensor, last: Tensor, returns: Returns) -> tuple[Tensor, Tensor]:
        """The stacks at positions [S, ...], and those after the last steps [S, ...] of windows.

        All frames are fetched at once: most of the next stack is in the cache by then.
        """
        store, stack = self.store, self.store.stack
        both = torch.cat((positions.flatten(), last.flatten()))
        places = store.stacks.index_select(0, both)
        begin = 1 + returns.bootstrap_offset
        here, there = places[: positions.numel()], places[positions.numel() :]
        wanted = torch.cat((here[:, :stack], there[:, begin : begin + stack]))
        found = store.frames.index_select(0, wanted.flatten())
        *channels, height, width = self.layout.frame
        stacks = found.view(len(both), stack * (channels[0] if channels else 1), height, width)
        shape = stacks.shape[1:]
        return (
            stacks[: positions.numel()].view(*positions.shape, *shape),
            stacks[positions.numel() :].view(*last.shape, *shape),
        )
