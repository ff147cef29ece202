"""Packing and unpacking of rows."""

import numpy as np
import torch

from primacy.replay.layout import Layout

LAYOUT = Layout(observation_size=4, action_size=2)


def test_parts_come_back_as_they_went_in():
    rng = np.random.default_rng(0)
    parts = (
        rng.standard_normal((5, 3, 4), dtype=np.float32),
        rng.standard_normal((5, 3, 2), dtype=np.float32),
        rng.standard_normal((5, 3), dtype=np.float32),
        rng.random((5, 3)) < 0.5,
        rng.random((5, 3)) < 0.5,
        rng.standard_normal((5, 3, 4), dtype=np.float32),
    )
    rows = LAYOUT.pack(*parts)
    assert rows.shape == (5, 3, LAYOUT.width)
    assert rows.dtype == np.float32
    for found, given in zip(LAYOUT.views(torch.from_numpy(rows)), parts, strict=True):
        assert np.array_equal(found.numpy(), given)


def test_views_write_through_and_cover_a_row_once():
    rows = torch.zeros(3, LAYOUT.width)
    for part in LAYOUT.views(rows):
        part += 1
    assert torch.equal(rows, torch.ones(3, LAYOUT.width))


def test_the_outcome_is_reward_and_flags():
    rows = torch.zeros(3, LAYOUT.width)
    views = LAYOUT.views(rows)
    views.reward[:], views.terminated[:], views.truncated[:] = 5, 1, 2
    assert rows[:, LAYOUT.outcome].tolist() == [[5, 1, 2]] * 3
