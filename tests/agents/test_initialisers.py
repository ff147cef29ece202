"""Fresh weights: bounds and scales of each initialiser, per seed."""

from math import sqrt

import numpy as np
import pytest
import torch

from primacy.agents.initialisers import INITIALISERS

ROWS, COLUMNS, WINDOW = 90, 400, 9


def drawn(name: str, gain: float, seeds: int = 2) -> torch.Tensor:
    draws = [np.random.default_rng(seed) for seed in range(seeds)]
    return INITIALISERS[name](draws, (ROWS, COLUMNS), gain, WINDOW)


@pytest.mark.parametrize(
    ("name", "gain", "bound"),
    [
        # Convolutions count the window on both sides: 90 rows are 10 channels of 3 x 3.
        ("xavier_uniform", 1.0, sqrt(6.0 / (ROWS + COLUMNS * WINDOW))),
        ("kaiming_uniform", sqrt(2.0), sqrt(6.0 / ROWS)),
        ("fan_in_uniform", 1.0, sqrt(1.0 / ROWS)),
        ("fan_in_uniform", 7.0, sqrt(1.0 / ROWS)),
    ],
)
def test_uniform_on_its_bounds(name: str, gain: float, bound: float):
    found = drawn(name, gain)
    assert found.shape == (2, ROWS, COLUMNS)
    assert 0.999 * bound < found.abs().max() <= bound
    assert found.std().item() == pytest.approx(bound / sqrt(3.0), rel=0.01)
    assert abs(found.mean().item()) < 0.01 * bound


@pytest.mark.parametrize("name", INITIALISERS)
def test_a_seed_draws_as_it_does_alone(name: str):
    assert torch.equal(drawn(name, 1.0)[:1], drawn(name, 1.0, seeds=1))
    assert not torch.equal(*drawn(name, 1.0).unbind(0))
