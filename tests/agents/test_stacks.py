"""What every agent owes beside its losses: stacks, NaN, storages, probes, compiled graphs."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from primacy.plasticity.chain import Chain
from primacy.tests.support.offline_pairs import bc, given, iql, rlpd

torch.set_num_threads(1)

MAKERS: dict[str, Callable[..., Any]] = {"iql": iql, "rlpd": rlpd, "bc": bc}
every = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


@every
def test_a_seed_in_a_stack_is_the_seed_alone(make):
    together = make((3, 7))
    alone = [make((3,)), make((7,))]
    for step in range(60):
        together.update(*given(together, (3, 7), step))
        for lane, seed in enumerate((3, 7)):
            alone[lane].update(*given(together, (seed,), step))
    for lane in range(2):
        for name, value in alone[lane].state().items():
            if not name.startswith(("sums", "updates")):
                mine = together.state()[name][lane]
                torch.testing.assert_close(mine, value[0], atol=2e-3, rtol=2e-3, msg=name)


@every
def test_nan_freezes_its_seed_and_no_other(make):
    clean, dirty = make((0, 1, 2)), make((0, 1, 2))
    kept: dict[str, Tensor] = {}
    for step in range(5):
        batch, noise = given(clean, (0, 1, 2), step)
        clean.update(batch, noise)
        if step == 2:
            kept = {name: value[0].clone() for name, value in dirty.actor.items()}
            column = "action" if make is bc else "observation"
            poisoned = getattr(batch, column).clone()
            poisoned[0, 3] = float("nan")
            batch = batch._replace(**{column: poisoned})
        dirty.update(batch, noise)
    assert dirty.alive.tolist() == [False, True, True]
    for name, value in dirty.actor.items():
        assert torch.equal(value[0], kept[name]), name
    for name, value in clean.state().items():
        if name not in ("alive", "sums", "updates"):
            assert torch.equal(value[1:], dirty.state()[name][1:]), name
            assert dirty.state()[name].isfinite().all(), name


@every
def test_updates_edit_in_place_and_probes_change_nothing(make):
    one = make((0, 1))
    pointers = {name: value.data_ptr() for name, value in one.state().items()}
    one.update(*given(one, (0, 1), 0))
    assert pointers == {name: value.data_ptr() for name, value in one.state().items()}
    assert all(value.is_contiguous() for value in one.state().values())
    before = {name: value.clone() for name, value in one.state().items()}
    batch, noise = given(one, (0, 1), 1)
    part = type(batch)(*(column[:, :16] for column in batch))
    for network, figures in one.probe(part, noise).items():
        assert network in one.networks()
        assert all(value.shape == (2,) for value in figures.values())
    assert all(torch.equal(value, before[name]) for name, value in one.state().items())


@every
def test_metrics_are_means_since_the_last_call(make):
    one = make((0, 1))
    assert one.pop_metrics() == {}
    for step in range(3):
        one.update(*given(one, (0, 1), step))
    metrics = one.pop_metrics()
    assert tuple(metrics) == one.metrics
    assert all(value.shape == (2,) and value.isfinite().all() for value in metrics.values())
    assert one.pop_metrics() == {}


@every
def test_remedies_cannot_be_attached_to_a_compiled_update(make):
    one = make((0, 1))
    one.compile()
    with pytest.raises(RuntimeError, match="attached before"):
        one.attach(Chain((), one.networks()))


@pytest.mark.slow
@every
def test_compiled_equals_eager(make):
    eager, compiled = make((0, 1)), make((0, 1))
    compiled.compile()
    for step in range(4):
        eager.update(*given(eager, (0, 1), step))
        compiled.update(*given(eager, (0, 1), step))
    for name, value in eager.state().items():
        torch.testing.assert_close(value, compiled.state()[name], atol=1e-5, rtol=1e-4, msg=name)


def test_cloning_learns_the_actions():
    one = bc((0, 1), learning_rate=3e-3)
    batch, noise = given(one, (0, 1), 0, 64)
    batch = batch._replace(action=0.5 * torch.tanh(batch.observation[..., :3]))
    one.update(batch, noise)
    first = one.pop_metrics()["actor_loss"]
    for _ in range(200):
        one.update(batch, noise)
    one.pop_metrics()
    one.update(batch, noise)
    assert bool((one.pop_metrics()["actor_loss"] < 0.02 * first).all())
    mean = one.act_greedily(batch.observation)
    expected = (mean - batch.action).square().mean((1, 2))
    assert one.probe(batch, noise)["actor"]["loss"].tolist() == pytest.approx(expected.tolist())
    alone = one.act(batch.observation[:, 0], torch.full((2, 3), 9.0))
    torch.testing.assert_close(alone, mean[:, 0])
