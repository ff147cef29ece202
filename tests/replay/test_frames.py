"""The buffer of frames against its plain twin, ends of episodes and wrapping included."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from primacy.replay.buffer import ReplayError
from primacy.replay.draws import Priorities
from primacy.replay.frame_layout import FrameLayout
from primacy.replay.frame_store import BeforeStart
from primacy.replay.frames import (
    FrameReplay,
    Returns,
    SequenceBatch,
    describe_frames,
    frame_bytes,
)
from primacy.replay.journal import Journal, refill
from primacy.tests.support.replay_frames import (
    COLOUR,
    GREY,
    Outcome,
    PlainFrames,
    Step,
    image,
    lane,
    pack,
)

torch.set_num_threads(1)

ENDINGS = st.sampled_from(["", "", "", "", "terminated", "truncated", "terminated truncated"])
CELLS = st.tuples(
    st.integers(-8, 8).map(lambda i: i / 4), ENDINGS, st.sampled_from([False, False, False, True])
)
"""Reward, ending, and whether the next frame is another one although nothing ended."""


class Case(NamedTuple):
    layout: FrameLayout
    capacity: int
    stack: int
    before_start: BeforeStart
    lanes: list[list[Step]]

    def replay(self) -> FrameReplay:
        return FrameReplay(
            self.layout, len(self.lanes), self.capacity, self.stack, self.before_start
        )

    def rows(self) -> np.ndarray:
        """[S, n, width]."""
        return np.stack([pack(self.layout, steps) for steps in self.lanes])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    capacity, lanes = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    count = draw(st.integers(1, 3 * capacity))
    layout = draw(st.sampled_from([GREY, COLOUR]))
    cells = st.lists(CELLS, min_size=count, max_size=count)
    return Case(
        layout,
        capacity,
        draw(st.integers(1, 4)),
        draw(st.sampled_from(["zero", "repeat"])),
        [lane(layout, 1 + 1000 * number, draw(cells)) for number in range(lanes)],
    )


def twins(case: Case, added: int) -> list[PlainFrames]:
    found = [PlainFrames(case.stack, case.before_start) for _ in case.lanes]
    for twin, steps in zip(found, case.lanes, strict=True):
        twin.history = steps[:added]
    return found


def middles(lanes: int, count: int) -> Tensor:
    """Uniforms [S, count] that hit each of `count` equal parts once."""
    row = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return row.expand(lanes, -1)


def stacked(layout: FrameLayout, stack: list[np.ndarray]) -> np.ndarray:
    return np.stack(stack).reshape(-1, *layout.frame[-2:])


def check(layout: FrameLayout, batch: SequenceBatch, outcomes: list[list[Outcome]]) -> None:
    expected = {
        "observation": [
            [[stacked(layout, one) for one in out.stacks] for out in row] for row in outcomes
        ],
        "action": [[out.actions for out in row] for row in outcomes],
        "mask": [[out.mask for out in row] for row in outcomes],
        "next_observation": [[stacked(layout, out.next_stack) for out in row] for row in outcomes],
    }
    for name, wanted in expected.items():
        np.testing.assert_array_equal(getattr(batch, name).numpy(), np.array(wanted), name)
    for name in ("reward", "discount"):
        wanted = [[getattr(out, name) for out in row] for row in outcomes]
        np.testing.assert_allclose(getattr(batch, name).numpy(), wanted, rtol=1e-6, atol=1e-6)


def compare(case: Case, replay: FrameReplay, data: st.DataObject) -> None:
    """Every start that the buffer holds, or a first part of it, in some way of returns."""
    firsts = range(1, replay.total + 1) if replay.total <= case.capacity else ()
    first = data.draw(st.sampled_from([None, *firsts]), "first")
    count = first or replay.size
    margin = data.draw(st.integers(0, count - 1), "margin")
    returns = Returns(
        data.draw(st.integers(1, 6), "n"),
        data.draw(st.sampled_from([0.0, 0.5, 0.97, 1.0]), "discount"),
    )
    length = data.draw(st.integers(1, 5), "length")
    lost = replay.total - replay.size
    drawn = replay.draw(middles(len(case.lanes), count - margin), first, margin)
    assert drawn.ages.tolist() == [list(range(count - margin))] * len(case.lanes)
    batch = replay.sequences_at(drawn, length, returns)
    outcomes = [
        [
            twin.sample(lost + age, lost + count - 1, *returns[:2], length)
            for age in range(count - margin)
        ]
        for twin in twins(case, replay.total)
    ]
    check(case.layout, batch, outcomes)
    assert batch.observation.dtype == torch.uint8
    single = replay.at(drawn, returns)
    assert torch.equal(single.observation, batch.observation[:, :, 0])
    assert torch.equal(single.action, batch.action[:, :, 0])
    for name in ("reward", "discount", "next_observation", "weight", "ages"):
        assert torch.equal(getattr(single, name), getattr(batch, name))


@settings(deadline=None, max_examples=40)
@given(cases(), st.data())
def test_every_start_gives_what_the_twin_gives(case, data):
    replay, rows = case.replay(), case.rows()
    while replay.total < rows.shape[1]:
        piece = data.draw(st.integers(1, rows.shape[1] - replay.total), "rows added at once")
        new = rows[:, replay.total : replay.total + piece]
        replay.extend(new) if piece > 1 else replay.add(new[:, 0])
        compare(case, replay, data)


@settings(deadline=None, max_examples=25)
@given(cases(), st.data())
def test_a_buffer_refilled_from_a_journal_samples_what_the_twin_samples(
    tmp_path_factory, case, data
):
    folder = tmp_path_factory.mktemp("run")
    journal = Journal(folder, case.layout, range(len(case.lanes)), segment_steps=5)
    rows = case.rows()
    for number in range(rows.shape[1]):
        journal.append(rows[:, number])
    journal.close()
    replay = case.replay()
    replay.extend(rows[:, : data.draw(st.integers(0, rows.shape[1]), "there before")])
    until = data.draw(st.integers(1, rows.shape[1]), "until")
    opened = Journal.open(folder)
    assert (opened.layout, len(opened)) == (case.layout, rows.shape[1])
    refill(replay, opened, until)
    assert replay.total == until
    compare(case, replay, data)
    for number in range(until, min(until + 2, rows.shape[1])):
        replay.add(rows[:, number])
        compare(case, replay, data)


def rewards_with(endings: dict[int, str], rewards: list[float]) -> FrameReplay:
    cells = [(reward, endings.get(number, ""), False) for number, reward in enumerate(rewards)]
    replay = FrameReplay(GREY, 1, len(rewards))
    replay.extend(pack(GREY, lane(GREY, 1, cells))[None])
    return replay


@pytest.mark.parametrize(
    ("start", "n_step", "discount", "reward", "factor", "next", "their_factor", "their_next"),
    [
        (0, 3, 0.99, 0.99, 0.970299, 3, 0.970299, 2),
        (0, 5, 0.99, 0.9802970100, 0.9509900499, 5, 0.9509900499, 4),
        (2, 3, 0.99, -0.0099, 0.970299, 5, 0.970299, 4),
        (3, 3, 0.99, -0.01, 0, None, 0.970299, 5),
        (1, 5, 0.97, 0.971773, 0, None, 0.8587340257, 5),
        (4, 2, 0.97, 1.0, 0, None, 0.9409, 5),
    ],
)
def test_n_step_check_values_of_bbf_and_of_its_off_by_one(
    start, n_step, discount, reward, factor, next, their_factor, their_next
):
    replay = rewards_with({5: "terminated"}, [0, 1, 0, -1, 1, 0, 1, 0])
    drawn = replay.draw(torch.full((1, 1), (start + 0.5) / 8, dtype=torch.float64))
    ours = replay.at(drawn, Returns(n_step, discount))
    theirs = replay.at(drawn, Returns(n_step, discount, bootstrap_offset=-1))
    assert ours.reward.item() == theirs.reward.item() == pytest.approx(reward, abs=1e-6)
    assert ours.discount.item() == pytest.approx(factor, abs=1e-7)
    assert theirs.discount.item() == pytest.approx(their_factor, abs=1e-7)
    if next is not None:
        assert np.array_equal(ours.next_observation[0, 0, -1], image(GREY, 1 + next))
    assert np.array_equal(theirs.next_observation[0, 0, -1], image(GREY, 1 + their_next))


def test_n_and_discount_change_from_one_sample_to_the_next():
    replay = rewards_with({}, [1.0] * 20)
    uniforms = torch.zeros(1, 1, dtype=torch.float64)
    for n_step, discount in ((10, 0.97), (7, 0.983129760), (3, 0.997)):
        batch = replay.sample(uniforms, n_step, discount)
        assert batch.reward.item() == pytest.approx((1 - discount**n_step) / (1 - discount))
        assert batch.discount.item() == pytest.approx(discount**n_step)


def test_a_lane_in_a_stack_is_bit_equal_to_the_lane_alone():
    rng = np.random.default_rng(0)
    cells = [
        [
            (rng.normal(), rng.choice(["", "", "", "terminated", "truncated"]), rng.random() < 0.1)
            for _ in range(60)
        ]
        for _ in range(3)
    ]
    rows = np.stack([pack(GREY, lane(GREY, 1 + 200 * i, one)) for i, one in enumerate(cells)])
    uniforms = torch.rand(3, 40, dtype=torch.float64)
    stack = FrameReplay(GREY, 3, 25)
    stack.extend(rows)
    for number in range(3):
        alone = FrameReplay(GREY, 1, 25)
        alone.extend(rows[number : number + 1])
        pairs = zip(
            stack.sample(uniforms, 3), alone.sample(uniforms[number : number + 1], 3), strict=True
        )
        assert all(torch.equal(ours[number], single[0]) for ours, single in pairs)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_samples_what_the_cpu_samples():
    cells = [(i / 2, "truncated" if i % 7 == 6 else "", i % 11 == 5) for i in range(70)]
    rows = np.stack([pack(GREY, lane(GREY, 1 + 200 * s, cells)) for s in range(2)])
    uniforms = torch.rand(2, 300, dtype=torch.float64)
    batches = []
    for device in ("cpu", "cuda"):
        draws = Priorities(2, 40, device)
        replay = FrameReplay(GREY, 2, 40, draws=draws, device=device)
        replay.extend(rows[:, :30])
        for number in range(30, 70):
            replay.add(rows[:, number])
        replay.prioritise(
            torch.arange(40, device=device).expand(2, -1), torch.arange(40.0).expand(2, -1)
        )
        drawn = replay.draw(uniforms, margin=3)
        batches.append(replay.sequences_at(drawn, 4, Returns(3, 0.9)))
    for cpu, gpu in zip(*batches, strict=True):
        assert torch.equal(cpu, gpu.cpu())


def test_k_batches_at_once_are_k_single_batches():
    replay = rewards_with({3: "truncated", 7: "terminated"}, [float(i) for i in range(12)])
    uniforms = torch.rand(1, 4, 6, dtype=torch.float64)
    drawn = replay.draw(uniforms)
    together = replay.sequences_at(drawn, 3, Returns(2))
    for k in range(4):
        alone = replay.sequences_at(replay.draw(uniforms[:, k]), 3, Returns(2))
        for ours, single in zip(together, alone, strict=True):
            assert torch.equal(ours[:, k], single)


def test_adding_does_not_touch_the_rows_given():
    rows = pack(GREY, lane(GREY, 1, [(0.0, "", True)] * 6))[None]
    before = rows.copy()
    replay = FrameReplay(GREY, 1, 4)
    replay.add(rows[:, 0])
    replay.extend(rows[:, 1:])
    assert np.array_equal(rows, before)


def test_more_cut_episodes_than_spare_frames_are_refused_and_nothing_is_lost():
    steps = lane(GREY, 1, [(0.0, "truncated", False)] * 20)
    rows = pack(GREY, steps)[None]
    replay = FrameReplay(GREY, 1, 10, spare=3)

    def add_all() -> None:
        for number in range(20):
            replay.add(rows[:, number])

    with pytest.raises(ReplayError, match="3 beside 10 transitions") as refused:
        add_all()
    assert "spare" in refused.value.hint
    held = replay.sample(middles(1, replay.size)).observation[0, :, -1]
    for found, step in zip(held, steps[replay.total - replay.size : replay.total], strict=True):
        assert np.array_equal(found, step.frame)


def test_100k_atari_steps_fit_in_three_quarters_of_a_gigabyte_and_say_so():
    atari = FrameLayout((84, 84))
    assert frame_bytes(atari, 1, 100_000) < 0.75e9
    assert describe_frames(atari, 5, 100_000) == "replay: 5 x 100,000 frames, 3.67 GB when full"
    small = FrameReplay(GREY, 2, 30, stack=3)
    held = (small.store.frames[1:], small.store.stacks, small.steps.rows)
    assert frame_bytes(GREY, 2, 30, 3) == sum(part.nbytes for part in held)


def pages() -> int:
    """Resident ones of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_memory_is_claimed_as_the_buffer_fills():
    replay = FrameReplay(FrameLayout((84, 84)), 1, 100_000)
    before = pages()
    frame = np.zeros((1, 84, 84), dtype=np.uint8)
    zero = np.zeros(1)
    replay.add(replay.layout.pack(frame, zero.astype(int), zero, zero, zero, frame))
    assert (pages() - before) * 4096 < 0.01e9


def test_what_cannot_be_sampled_is_named():
    replay = rewards_with({}, [0.0] * 5)
    uniforms = torch.zeros(1, 1, dtype=torch.float64)
    with pytest.raises(ReplayError, match="but the newest 5: it holds 5 of 5 added"):
        replay.draw(uniforms, margin=5)
    with pytest.raises(ReplayError, match="the first 6: it holds 5 of 5 added"):
        replay.draw(uniforms, first=6)
    with pytest.raises(ValueError, match="float64"):
        replay.sample(uniforms.float())
    with pytest.raises(ValueError, match="n_step must be at least 1"):
        replay.sample(uniforms, n_step=0)
    with pytest.raises(ValueError, match="bootstrap_offset is 0 or -1, not 1"):
        replay.at(replay.draw(uniforms), Returns(bootstrap_offset=1))


@pytest.mark.parametrize("shape", [(1, 10), (1, 2, 10)])
def test_rows_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="rows must be"):
        FrameReplay(GREY, 2, 3).add(np.zeros(shape, dtype=np.uint8))
