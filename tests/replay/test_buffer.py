"""The buffer against its plain twin, the check values of the specifications, and its own size."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from primacy.replay import buffer
from primacy.replay.buffer import Batch, Replay, ReplayError, describe, nbytes
from primacy.replay.layout import Layout
from primacy.tests.support.replay_twin import LAYOUT, Outcome, PlainReplay, Step, pack, step_of

torch.set_num_threads(1)

ENDINGS = st.sampled_from(["", "", "", "", "terminated", "truncated", "terminated truncated"])


def middles(lanes: int, count: int) -> Tensor:
    """Uniforms [S, count] that hit each of `count` equal parts once, in another order per lane."""
    row = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return torch.stack([row.roll(lane) for lane in range(lanes)])


def filled(
    rewards: list[float], endings: dict[int, str] | None = None, capacity: int = 0
) -> Replay:
    """One lane with these rewards; `endings` says what happened at which step."""
    replay = Replay(LAYOUT, 1, capacity or len(rewards))
    for number, reward in enumerate(rewards):
        replay.add(pack([step_of(0, number, reward, (endings or {}).get(number, ""))]))
    return replay


def check(batch: Batch, outcomes: list[list[Outcome]]) -> None:
    """Equal in everything that is stored, and in what is computed up to float32."""
    for name in ("observation", "action", "next_observation"):
        expected = torch.tensor([[getattr(one, name) for one in lane] for lane in outcomes])
        assert torch.equal(getattr(batch, name), expected), name
    for name in ("reward", "discount"):
        expected = torch.tensor([[getattr(one, name) for one in lane] for lane in outcomes])
        torch.testing.assert_close(getattr(batch, name), expected, rtol=1e-6, atol=1e-6)


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[list[Step]]]:
    """A capacity, and steps [time][lane] that may fill it several times over."""
    capacity, lanes = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    cells = st.tuples(st.integers(-8, 8).map(lambda i: i / 4), ENDINGS)
    row = st.lists(cells, min_size=lanes, max_size=lanes)
    drawn = draw(st.lists(row, min_size=1, max_size=3 * capacity))
    return capacity, [
        [step_of(lane, number, *cell) for lane, cell in enumerate(row)]
        for number, row in enumerate(drawn)
    ]


@settings(deadline=None, max_examples=200)
@given(histories(), st.data())
def test_every_start_gives_what_the_twin_gives(history, data):
    capacity, steps = history
    lanes = len(steps[0])
    replay, twin = Replay(LAYOUT, lanes, capacity), PlainReplay(lanes, capacity)
    while steps:
        piece = data.draw(st.integers(1, len(steps)), "rows added at once")
        if piece == 1:
            replay.add(pack(steps[0]))
        else:
            replay.extend(np.stack([pack(row) for row in steps[:piece]], axis=1))
        for row in steps[:piece]:
            twin.add(row)
        steps = steps[piece:]
        n_step = data.draw(st.integers(1, 6), "n")
        discount = data.draw(st.sampled_from([0.0, 0.5, 0.97, 1.0]), "discount")
        firsts = range(1, replay.total + 1) if replay.total <= capacity else ()
        first = data.draw(st.sampled_from([None, *firsts]), "first")
        uniforms = middles(lanes, first or replay.size)
        outcomes = [
            [twin.sample(lane, u, n_step, discount, first) for u in row]
            for lane, row in enumerate(uniforms.tolist())
        ]
        check(replay.sample(uniforms, n_step, discount, first), outcomes)


def test_n_step_check_values_of_sac():
    replay = filled([1, 0, 2])
    batch = replay.sample(torch.zeros(1, 1, dtype=torch.float64), n_step=3, discount=0.99)
    assert batch.reward.item() == pytest.approx(2.9602, abs=1e-6)
    assert batch.discount.item() == pytest.approx(0.970299, abs=1e-7)
    assert (batch.reward + 10 * batch.discount).item() == pytest.approx(12.66319, abs=1e-5)


def test_termination_stops_rewards_and_bootstrapping():
    replay = filled([1, 0, 2], {1: "terminated"})
    batch = replay.sample(torch.zeros(1, 1, dtype=torch.float64), n_step=3, discount=0.99)
    assert (batch.reward + 10 * batch.discount).item() == 1.0


def test_truncation_stops_rewards_and_bootstraps_where_the_episode_was_cut():
    replay = filled([1, 0, 2], {1: "truncated"})
    batch = replay.sample(torch.zeros(1, 1, dtype=torch.float64), n_step=3, discount=0.99)
    assert batch.reward.item() == 1.0
    assert batch.discount.item() == pytest.approx(0.9801, abs=1e-7)
    assert batch.next_observation[0, 0].tolist() == step_of(0, 1, 0).next_observation


@pytest.mark.parametrize(
    ("start", "n_step", "discount", "reward", "factor", "last"),
    [
        (0, 3, 0.99, 0.99, 0.970299, 2),
        (0, 5, 0.99, 0.9802970100, 0.9509900499, 4),
        (2, 3, 0.99, -0.0099, 0.970299, 4),
        (3, 3, 0.99, -0.01, 0, 5),
        (1, 5, 0.97, 0.971773, 0, 5),
        (4, 2, 0.97, 1.0, 0, 5),
    ],
)
def test_n_step_check_values_of_bbf(start, n_step, discount, reward, factor, last):
    replay = filled([0, 1, 0, -1, 1, 0, 1, 0], {5: "terminated"})
    batch = replay.at(torch.tensor([[start]]), n_step, discount)
    assert batch.reward.item() == pytest.approx(reward, abs=1e-6)
    assert batch.discount.item() == pytest.approx(factor, abs=1e-7)
    assert batch.next_observation[0, 0].tolist() == step_of(0, last, 0).next_observation


@pytest.mark.parametrize("added", [5, 7, 12])
def test_every_transition_held_is_drawn_equally_often(added):
    replay = filled([0.0] * added, capacity=7)
    held = range(max(0, added - 7), added)
    drawn = replay.sample(middles(1, 11 * len(held))).observation[0, :, 0].long()
    assert drawn.bincount().tolist() == [0] * held[0] + [11] * len(held)


def test_the_largest_uniform_draws_the_newest_transition():
    largest = torch.full((1, 1), 1 - 2.0**-53, dtype=torch.float64)
    for size in (1, 2, 3, 7, 1000, 999_983, 1_000_000):
        replay = Replay(Layout(1, 1), 1, size)
        replay.extend(torch.arange(size).float().view(1, size, 1).expand(1, size, 6))
        assert replay.sample(largest).observation.item() == size - 1


def test_uniforms_in_float32_are_refused():
    with pytest.raises(ValueError, match="float64"):
        filled([0.0]).sample(torch.zeros(1, 1))


def test_windows_without_a_step_are_refused():
    with pytest.raises(ValueError, match="n_step must be at least 1"):
        filled([1.0]).sample(torch.zeros(1, 1, dtype=torch.float64), n_step=0)


@pytest.mark.parametrize("n_step", [1, 3])
def test_k_batches_at_once_are_k_single_batches(n_step):
    replay = Replay(LAYOUT, 2, 5)
    for number in range(8):
        replay.add(pack([step_of(lane, number, float(number)) for lane in range(2)]))
    uniforms = torch.rand(2, 4, 6, dtype=torch.float64)
    together = replay.sample(uniforms, n_step)
    for k in range(4):
        for ours, alone in zip(together, replay.sample(uniforms[:, k], n_step), strict=True):
            assert torch.equal(ours[:, k], alone)


@pytest.mark.parametrize("n_step", [1, 4])
def test_a_lane_in_a_stack_is_bit_equal_to_the_lane_alone(n_step):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((3, 50, LAYOUT.width)).astype(np.float32)
    rows[..., LAYOUT.outcome][..., 1:] = rng.random((3, 50, 2)) < 0.1
    uniforms = torch.rand(3, 64, dtype=torch.float64)
    stack = Replay(LAYOUT, 3, 30)
    stack.extend(rows)
    for lane in range(3):
        alone = Replay(LAYOUT, 1, 30)
        alone.extend(rows[lane : lane + 1])
        pairs = zip(
            stack.sample(uniforms, n_step),
            alone.sample(uniforms[lane : lane + 1], n_step),
            strict=True,
        )
        assert all(torch.equal(ours[lane], single[0]) for ours, single in pairs)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("n_step", [1, 5])
def test_a_gpu_samples_what_the_cpu_samples(n_step):
    rows = np.random.default_rng(0).standard_normal((2, 90, LAYOUT.width)).astype(np.float32)
    rows[..., LAYOUT.outcome][..., 1:] = rows[..., LAYOUT.outcome][..., 1:] > 1
    batches = []
    uniforms = torch.rand(2, 500, dtype=torch.float64)
    for device in ("cpu", "cuda"):
        replay = Replay(LAYOUT, 2, 40, device)
        replay.extend(rows)
        batches.append(replay.sample(uniforms, n_step))
    for cpu, gpu in zip(*batches, strict=True):
        assert torch.equal(cpu, gpu.cpu())


def test_a_sample_is_one_gathered_block_and_views_of_it():
    replay = filled([0.0] * 4)
    batch = replay.sample(middles(1, 4))
    blocks = {
        part.untyped_storage().data_ptr()
        for part in (batch.observation, batch.action, batch.reward, batch.next_observation)
    }
    assert len(blocks) == 1
    assert batch.observation.untyped_storage().nbytes() == nbytes(LAYOUT, 1, 4)


def test_adding_writes_into_the_same_memory():
    replay = Replay(LAYOUT, 1, 3)
    before = replay.rows.data_ptr()
    for number in range(7):
        replay.add(pack([step_of(0, number, 0.0)]))
    assert replay.rows.data_ptr() == before
    assert replay.rows[0, :, 0].tolist() == [6, 4, 5]


def test_rows_of_another_shape_are_refused():
    replay = Replay(LAYOUT, 2, 3)
    for shape in ((1, LAYOUT.width), (2, LAYOUT.width + 1), (2, 1, LAYOUT.width)):
        with pytest.raises(ValueError, match="rows must be"):
            replay.add(np.zeros(shape, dtype=np.float32))
    assert replay.total == 0


def test_what_is_not_held_cannot_be_sampled():
    uniforms = torch.zeros(1, 1, dtype=torch.float64)
    with pytest.raises(ReplayError, match="a transition: it holds 0 of 0 added") as empty:
        Replay(LAYOUT, 1, 4).sample(uniforms)
    assert empty.value.hint
    with pytest.raises(ReplayError, match="the first 4: it holds 3 of 3 added"):
        filled([0.0] * 3, capacity=4).sample(uniforms, first=4)
    with pytest.raises(ReplayError, match="the first 2: it holds 4 of 5 added"):
        filled([0.0] * 5, capacity=4).sample(uniforms, first=2)


def test_a_million_quadruped_transitions_fit_and_say_so_before():
    quadruped = Layout(observation_size=78, action_size=12)
    assert nbytes(quadruped, 1, 1_000_000) < 0.75e9
    line = describe(quadruped, 10, 1_000_000)
    assert line == "replay: 10 x 1,000,000 transitions, 6.84 GB when full"


def test_memory_is_claimed_as_the_buffer_fills():
    resident = buffer.Path("/proc/self/statm")
    if not resident.exists():
        pytest.skip("resident memory is read from /proc")
    before = int(resident.read_text().split()[1])
    replay = Replay(LAYOUT, 4, 5_000_000)
    replay.add(np.zeros((4, LAYOUT.width), dtype=np.float32))
    pages = int(resident.read_text().split()[1]) - before
    assert replay.rows.nbytes == nbytes(LAYOUT, 4, 5_000_000) == 800_000_000
    assert pages * 4096 < 0.05 * replay.rows.nbytes


def test_more_than_the_memory_is_refused_with_both_sizes(monkeypatch):
    monkeypatch.setattr(buffer, "free_bytes", lambda device: 1_500_000_000)
    with pytest.raises(ReplayError, match=r"4\.00 GB when full, but only 1\.50 GB") as refused:
        Replay(LAYOUT, 10, 10_000_000)
    assert "--replay-capacity" in refused.value.hint


def test_free_memory_counts_caches_that_linux_would_give_up(tmp_path, monkeypatch):
    meminfo = tmp_path / "meminfo"
    monkeypatch.setattr(buffer, "Path", lambda name: meminfo)
    assert buffer.free_bytes(torch.device("cpu")) is None
    meminfo.write_text("MemTotal: 9 kB\nMemFree:  2 kB\nMemAvailable:    7 kB\n")
    assert buffer.free_bytes(torch.device("cpu")) == 7 * 1024


def test_free_memory_of_a_gpu_counts_what_pytorch_keeps_for_itself(monkeypatch):
    kept = [3_000]
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: kept.clear())
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10_000 - sum(kept), 20_000))
    assert buffer.free_bytes(torch.device("cuda")) == 10_000
