"""Random numbers are functions of (seed, purpose, counter) and of nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.runs.philox import PURPOSES
from primacy.runs.randomness import Randomness, Window


@settings(max_examples=40, deadline=None)
@given(
    start=st.integers(0, 10**9),
    count=st.integers(1, 9),
    size=st.integers(1, 13),
    cut=st.integers(0, 8),
)
def test_a_counters_numbers_do_not_depend_on_the_call_that_drew_them(start, count, size, cut):
    whole = Randomness((3, 7)).source("replay", start, count)
    k = cut % count
    one = Randomness((7,)).source("replay", start + k, 1)
    for draw in ("normal", "uniform"):
        together = getattr(whole, draw)("x", (size,))
        alone = getattr(one, draw)("x", (size,))
        assert torch.equal(together[1, k], alone[0, 0])


def test_labels_purposes_seeds_and_counters_differ():
    def draw(seed: int, purpose: str, counter: int, label: str) -> tuple[float, ...]:
        source = Randomness((seed,)).source(purpose, counter, 1)
        return tuple(source.uniform(label, (4,)).flatten().tolist())

    draws = {
        draw(seed, purpose, counter, label)
        for seed in (0, 1)
        for purpose in PURPOSES
        for counter in (0, 1, 2)
        for label in ("a", "b")
    }
    assert len(draws) == 2 * len(PURPOSES) * 3 * 2


def test_moments_of_the_normal_numbers():
    x = Randomness((0,)).source("policy-noise", 0, 1).normal("x", (400_000,)).double()
    assert abs(x.mean().item()) < 0.01
    assert abs(x.var().item() - 1.0) < 0.02
    assert abs((x**4).mean().item() - 3.0) < 0.1
    assert x.isfinite().all()


def test_uniform_numbers_fill_the_unit_interval():
    u = Randomness((0,)).source("replay", 5, 1).uniform("x", (400_000,)).flatten().numpy()
    assert u.min() >= 0.0
    assert u.max() < 1.0
    counts = np.histogram(u, bins=20, range=(0, 1))[0]
    assert np.abs(counts / 20_000 - 1).max() < 0.05


def test_generators_and_integers_repeat():
    first = Randomness((1, 2)).generators("intervention", 4, "critic.0")
    again = Randomness((2,)).generators("intervention", 4, "critic.0")
    assert first[1].standard_normal() == again[0].standard_normal()
    assert Randomness((1, 2)).integers("environment", 3) == Randomness((1, 2)).integers(
        "environment", 3
    )


def test_an_unknown_purpose_is_our_bug():
    with pytest.raises(ValueError, match="purpose"):
        Randomness((0,)).integers("luck", 0)


@pytest.mark.parametrize("order", [range(130), [200, 3, 64, 63, 199, 0]])
def test_a_window_hands_out_what_single_draws_would_give(order):
    randomness = Randomness((3, 7))

    def draw(start: int, count: int) -> torch.Tensor:
        return randomness.source("exploration", start, count).normal("x", (5,)).transpose(0, 1)

    window = Window(draw)
    for counter in order:
        assert torch.equal(window.at(counter), draw(counter, 1)[0])
