"""What every agent owes beside its losses: stacks, NaN, storages, probes, compiled graphs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from primacy.agents import graph
from primacy.plasticity.chain import Chain
from primacy.tests.support.agent_checks import (
    assert_alone,
    assert_in_place,
    assert_nan_stays,
    assert_probe_reads,
)
from primacy.tests.support.offline_pairs import bc, given, iql, rlpd

torch.set_num_threads(1)

MAKERS: dict[str, Callable[..., Any]] = {"iql": iql, "rlpd": rlpd, "bc": bc}
every = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


@every
def test_a_seed_in_a_stack_is_the_seed_alone(make):
    together, alone = make((3, 7)), [make((3,)), make((7,))]
    assert_alone(together, alone, partial(given, together), (3, 7), steps=60, near=2e-3)


@every
def test_nan_freezes_its_seed_and_no_other(make):
    clean, dirty = make((0, 1, 2)), make((0, 1, 2))
    column = "action" if make is bc else "observation"
    assert_nan_stays(clean, dirty, partial(given, clean), (0, 1, 2), "actor", column, at=2)


@every
def test_updates_edit_in_place_and_probes_change_nothing(make):
    one = make((0, 1))
    assert_in_place(one, *given(one, (0, 1), 0))
    batch, noise = given(one, (0, 1), 1)
    assert_probe_reads(one, type(batch)(*(column[:, :16] for column in batch)), noise)


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


@pytest.mark.slow
def test_a_process_compiles_as_many_agents_as_it_likes():
    if not graph._apart():
        pytest.skip("this PyTorch counts the recompilations of all agents together")
    for width in range(4, 14):
        one = bc((0, 1), width=width)
        one.compile()
        one.update(*given(one, (0, 1), 0))


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
