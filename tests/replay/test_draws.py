"""Prioritised draws against a naive running sum, and the statistics of draws."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.replay.buffer import ReplayError
from primacy.replay.draws import Draws, Priorities, Span, Uniform, priority
from primacy.replay.frames import FrameReplay
from primacy.tests.support.replay_frames import GREY, Naive, lane, pack

torch.set_num_threads(1)

EIGHTHS = st.integers(0, 64).map(lambda i: i / 8)
"""Sums of these are exact in any order, so draws have to be equal and not just close."""


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_draws_are_those_of_a_naive_running_sum(data):
    capacity, lanes = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 3))
    ours = Priorities(lanes, capacity)
    naive = [Naive(capacity) for _ in range(lanes)]
    total = 0
    for _ in range(data.draw(st.integers(1, 5), "rounds")):
        count = data.draw(st.integers(1, 2 * capacity), "added")
        ours.added(total, count)
        for number in range(total, total + count):
            for one in naive:
                one.add(number)
        total += count
        size, batch = min(total, capacity), data.draw(st.integers(1, 6), "batch")

        def per_lane(strategy, name, batch=batch):
            row = st.lists(strategy, min_size=batch, max_size=batch)
            return data.draw(st.lists(row, min_size=lanes, max_size=lanes), name)

        positions = per_lane(st.integers(0, size - 1), "positions")
        values = per_lane(EIGHTHS, "values")
        ours.prioritise(torch.tensor(positions), torch.tensor(values), None)
        for one, places, new in zip(naive, positions, values, strict=True):
            one.prioritise(places, new)
        assert ours.values.tolist() == [one.leaves for one in naive]
        span = Span((total - size) % capacity, data.draw(st.integers(1, size), "drawable"))
        # Over a power of two, so that the products are exact, too.
        uniforms = per_lane(st.integers(0, 1023).map(lambda i: i / 1024), "uniforms")
        beta = data.draw(st.sampled_from([0.0, 0.4, 0.5, 1.0]), "beta")
        in_span = [(span.oldest + age) % capacity for age in range(span.size)]
        if any(sum(one.leaves[place] for place in in_span) == 0 for one in naive):
            with pytest.raises(ReplayError, match="are 0"):
                ours.draw(torch.tensor(uniforms, dtype=torch.float64), span, beta)
            continue
        ages, weights = ours.draw(torch.tensor(uniforms, dtype=torch.float64), span, beta)
        for s, one in enumerate(naive):
            expected = one.draw(uniforms[s], span, beta)
            assert ages[s].tolist() == expected[0]
            np.testing.assert_allclose(weights[s], expected[1], rtol=1e-6)


def four() -> Priorities:
    found = Priorities(1, 4)
    found.added(0, 4)
    found.prioritise(torch.arange(4)[None], torch.tensor([[1.0, 2.0, 3.0, 4.0]]), None)
    return found


def test_sum_tree_check_values_of_bbf():
    tree = four()
    uniforms = torch.tensor([[0.5, 0.2, 0.9, 0.05]], dtype=torch.float64)
    ages, weights = tree.draw(uniforms, Span(0, 4), 0.5)
    assert ages.tolist() == [[1, 2, 3, 3]]
    assert tree.draw(torch.zeros_like(uniforms), Span(0, 4), 0.5)[0].tolist() == [[0, 1, 2, 3]]
    expected = [1 / 2**0.5, 1 / 3**0.5, 0.5, 0.5]
    np.testing.assert_allclose(weights[0], np.array(expected) * 2**0.5, rtol=1e-6)
    tree.prioritise(torch.zeros(1, 1).long(), priority(torch.tensor([[4.0]])), None)
    np.testing.assert_allclose(tree.values, [[2, 2, 3, 4]], rtol=1e-9)


def test_weights_of_all_four_leaves_are_the_check_values():
    # Eight strata of 10/8: each leaf is met.
    ages, weights = four().draw(torch.zeros(1, 8, dtype=torch.float64), Span(0, 4), 0.5)
    by_leaf = dict(zip(ages[0].tolist(), weights[0].tolist(), strict=True))
    expected = {0: 1.0, 1: 0.7071067812, 2: 0.5773502692, 3: 0.5}
    assert by_leaf == pytest.approx(expected, rel=1e-6)


def test_rounding_never_draws_what_has_no_priority_or_must_not_be_drawn():
    rng = np.random.default_rng(0)
    largest = torch.full((1, 32), 1 - 2.0**-53, dtype=torch.float64)
    for capacity in (5, 130, 1000):
        draws = Priorities(1, capacity)
        draws.added(0, 2 * capacity + 3)
        for _ in range(20):
            values = torch.from_numpy(rng.random((1, capacity)) * (rng.random(capacity) < 0.3))
            values[0, rng.integers(capacity)] = 1e-300
            draws.prioritise(torch.arange(capacity)[None], values, None)
            span = Span(3, int(rng.integers(1, capacity + 1)))
            inside = values.roll(-3, 1)[0, : span.size]
            if inside.sum() == 0:
                continue
            for uniforms in (largest, torch.zeros_like(largest), torch.rand_like(largest)):
                ages = draws.draw(uniforms, span, 0.5)[0][0]
                assert (ages < span.size).all()
                assert (inside[ages] > 0).all()


@pytest.mark.parametrize("margin", [0, 16])
def test_draws_have_the_frequencies_of_their_priorities(margin):
    rng = np.random.default_rng(1)
    values = torch.from_numpy(rng.random((2, 300)) ** 3)
    draws = Priorities(2, 300)
    draws.added(0, 410)
    draws.prioritise(torch.arange(300).expand(2, -1), values, None)
    span = Span(110, 300 - margin)
    uniforms = torch.from_numpy(rng.random((2, 4000, 32)))
    ages, _ = draws.draw(uniforms, span, 0.5)
    for row, leaves in zip(ages, values.roll(-110, 1)[:, : span.size], strict=True):
        expected = leaves / leaves.sum() * row.numel()
        found = row.flatten().bincount(minlength=span.size)
        # Chi-square with some 300 degrees of freedom: strata make it smaller, a bias larger.
        worth = expected > 1
        statistic = ((found - expected) ** 2 / expected)[worth].sum() / worth.sum()
        assert statistic < 1.25
        # Each stratum of a batch is met once: no count strays from B times its share by a batch.
        assert ((found - expected).abs() < 6 * expected.sqrt() + 3).all()


def test_uniform_draws_have_equal_frequencies_and_weights():
    uniforms = torch.from_numpy(np.random.default_rng(0).random((1, 100_000)))
    ages, weights = Uniform().draw(uniforms, Span(3, 50), 0.5)
    assert ages[0].bincount().sub(2000).abs().max() < 5 * 2000**0.5
    assert (weights == 1).all()


def test_of_equal_positions_the_last_one_counts():
    draws = four()
    draws.prioritise(torch.tensor([[2, 0, 2, 2]]), torch.tensor([[9.0, 5.0, 8.0, 0.5]]), None)
    assert draws.values.tolist() == [[5, 2, 0.5, 4]]
    draws.added(4, 1)
    assert draws.values[0, 0] == 9


def test_a_priority_that_is_none_is_refused_and_nothing_is_stored():
    for bad in (float("nan"), -0.5, float("inf")):
        draws = Priorities(3, 4)
        draws.added(0, 4)
        new = torch.tensor([[2.0, 2.0], [2.0, bad], [2.0, 2.0]])
        places = torch.tensor([[0, 1]] * 3)
        with pytest.raises(ReplayError, match="of lane 1 are negative or not finite") as refused:
            draws.prioritise(places, new, None)
        assert "freeze" in refused.value.hint
        assert (draws.values == 1).all()
        draws.prioritise(places, new, torch.tensor([True, False, True]))
        assert draws.values.tolist() == [[2, 2, 1, 1], [1, 1, 1, 1], [2, 2, 1, 1]]


def test_a_lane_in_a_stack_draws_what_the_lane_alone_draws():
    rng = np.random.default_rng(0)
    values, uniforms = torch.from_numpy(rng.random((3, 500))), torch.from_numpy(rng.random((3, 32)))
    stack = Priorities(3, 500)
    stack.added(0, 600)
    stack.prioritise(torch.arange(500).expand(3, -1), values, None)
    together = stack.draw(uniforms, Span(100, 490), 0.5)
    for s in range(3):
        alone = Priorities(1, 500)
        alone.added(0, 600)
        alone.prioritise(torch.arange(500)[None], values[s : s + 1], None)
        single = alone.draw(uniforms[s : s + 1], Span(100, 490), 0.5)
        assert all(torch.equal(a[s], b[0]) for a, b in zip(together, single, strict=True))


def frames(draws: Draws | None) -> FrameReplay:
    return FrameReplay(GREY, 2, 200, draws=draws)


def test_a_checkpoint_draws_on_bit_for_bit():
    rng = np.random.default_rng(0)
    rows = np.stack([pack(GREY, lane(GREY, 1000 * s, [(0.0, "", False)] * 330)) for s in (1, 2)])
    again = rng
    live, resumed = frames(Priorities(2, 200)), frames(Priorities(2, 200))
    for number in range(330):
        live.add(rows[:, number])
        ages = live.draw(torch.from_numpy(rng.random((2, 32)))).ages
        live.prioritise(ages, torch.from_numpy(rng.random((2, 32)) * 3))
        if number == 299:
            kept = {name: part.clone() for name, part in live.state().items()}
            resumed.restart(300 - 200 - resumed.history)
            resumed.extend(rows[:, resumed.total : 300])
            resumed.load(kept)
            again = deepcopy(rng)
    for number in range(300, 330):
        resumed.add(rows[:, number])
        ages = resumed.draw(torch.from_numpy(again.random((2, 32)))).ages
        resumed.prioritise(ages, torch.from_numpy(again.random((2, 32)) * 3))
    uniforms = torch.from_numpy(rng.random((2, 32)))
    a, b = live.draw(uniforms, margin=16), resumed.draw(uniforms, margin=16)
    assert torch.equal(a.ages, b.ages)
    assert torch.equal(a.weight, b.weight)
    pairs = zip(live.state().values(), resumed.state().values(), strict=True)
    assert all(torch.equal(x, y) for x, y in pairs)
    for x, y in zip(live.sample(uniforms, 3), resumed.sample(uniforms, 3), strict=True):
        assert torch.equal(x, y)


def test_uniform_replay_has_nothing_to_keep_and_takes_priorities_for_nothing():
    replay = frames(None)
    replay.extend(np.stack([pack(GREY, lane(GREY, 1, [(0.0, "", False)] * 9))] * 2))
    before = replay.draw(torch.full((2, 4), 0.3, dtype=torch.float64))
    replay.prioritise(before.ages, torch.rand(2, 4))
    assert replay.state() == {}
    replay.load({})
    assert torch.equal(replay.draw(torch.full((2, 4), 0.3, dtype=torch.float64)).ages, before.ages)


def test_the_newest_are_drawn_once_they_are_old_enough_and_get_the_largest_priority():
    replay = FrameReplay(GREY, 1, 50, draws=Priorities(1, 50))
    replay.extend(pack(GREY, lane(GREY, 1, [(0.0, "", False)] * 70))[None])
    ages = replay.draw(torch.rand(1, 2000, dtype=torch.float64), margin=16).ages
    assert ages.unique().tolist() == list(range(34))
    replay.prioritise(torch.tensor([[33]]), torch.tensor([[1e6]]))
    replay.add(pack(GREY, lane(GREY, 500, [(0.0, "", False)])))
    ages = replay.draw(torch.rand(1, 2000, dtype=torch.float64)).ages
    assert set(ages.unique().tolist()) >= {32, 49}
    assert (ages == 49).float().mean().item() == pytest.approx(0.5, abs=0.01)
