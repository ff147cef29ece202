"""Batches into memory that is used again, against the buffer's own."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from primacy.replay.buffer import Replay, ReplayError
from primacy.replay.layout import Layout
from primacy.replay.reading import Reader

LAYOUT = Layout(observation_size=3, action_size=2)


def filled(lanes: int, capacity: int, total: int, seed: int) -> Replay:
    """A ring that `total` steps went into, one by one, a third of them terminal."""
    replay, generator = Replay(LAYOUT, lanes, capacity), np.random.default_rng(seed)
    for _ in range(total):
        rows = generator.normal(size=(lanes, LAYOUT.width)).astype(np.float32)
        rows[:, LAYOUT.outcome.start + 1] = generator.random(lanes) < 1 / 3
        replay.add(rows)
    return replay


@given(
    st.integers(1, 3), st.integers(1, 9), st.integers(1, 30), st.integers(1, 12), st.integers(0, 99)
)
def test_samples_are_those_of_the_buffer(
    lanes: int, capacity: int, total: int, batch: int, seed: int
):
    replay = filled(lanes, capacity, total, seed)
    reader = Reader(replay, batch, 0.97)
    for _ in range(2):
        uniforms = torch.rand(lanes, batch, dtype=torch.float64)
        expected, found = replay.sample(uniforms, discount=0.97), reader.sample(uniforms)
        for name, value in expected._asdict().items():
            assert torch.equal(getattr(found, name), value), name


def test_the_first_transitions_alone_and_what_is_not_held():
    replay = filled(2, 8, 6, 0)
    reader = Reader(replay, 5, 0.9)
    uniforms = torch.rand(2, 5, dtype=torch.float64)
    expected = replay.sample(uniforms, discount=0.9, first=3)
    assert torch.equal(reader.sample(uniforms, 3).observation, expected.observation)
    with pytest.raises(ReplayError, match="the first 7"):
        reader.sample(uniforms, 7)
    with pytest.raises(ReplayError, match="cannot sample a transition"):
        Reader(Replay(LAYOUT, 2, 8), 5, 0.9).sample(uniforms)
    with pytest.raises(ValueError, match="float64"):
        reader.sample(uniforms.float())
