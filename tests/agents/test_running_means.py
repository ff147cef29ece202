"""Means of figures over as many updates as an offline phase has."""

import pytest
import torch

from primacy.tests.support.offline_pairs import bc, given

UPDATES = 1_000_000


def test_a_million_updates_leave_a_mean_as_exact_as_a_figure():
    one = bc((0, 1))
    figures = {name: torch.tensor([0.0123, 1.7]) for name in one.metrics}
    means = torch.stack(list(figures.values()), -1).double()
    one.state()["sums"].copy_(means * UPDATES)
    one.state()["updates"].fill_(UPDATES)
    for _ in range(1000):
        one._record(figures)
    for values in one.pop_metrics().values():
        assert values.dtype == torch.float32
        assert values.tolist() == pytest.approx([0.0123, 1.7], rel=1e-6)


def test_more_updates_are_counted_than_float32_has_whole_numbers():
    one = bc((0,))
    one.state()["updates"].fill_(2**24)
    one._record({name: torch.ones(1) for name in one.metrics})
    assert one.state()["updates"].tolist() == [[2**24 + 1]]


def test_a_checkpoint_of_an_older_version_has_sums_in_float32():
    one = bc((0, 1))
    one.update(*given(one, (0, 1), 0))
    old = {name: value.clone() for name, value in one.state().items()}
    old |= {name: old[name].float() for name in ("sums", "updates")}
    before = one.pop_metrics()
    for name, value in one.state().items():
        value.copy_(old[name])
    after = one.pop_metrics()
    for name, values in before.items():
        assert torch.allclose(values, after[name]), name
