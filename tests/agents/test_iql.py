"""IQL against the check values of its specification and its plain twin."""

import math

import pytest
import torch
from torch import Tensor

from primacy.agents.iql import (
    LOG_STD,
    IQLConfig,
    ScheduleError,
    advantage_weights,
    antmaze,
    check_schedule,
    expectile_loss,
    gaussian_log_density,
    offline_only,
    value_target,
    weighted_cloning_loss,
)
from primacy.agents.optimiser import cosine, polyak
from primacy.agents.sac import critic_loss
from primacy.plasticity.chain import Chain
from primacy.plasticity.contract import Moments
from primacy.plasticity.remedies import parse
from primacy.tests.support.offline_pairs import assert_equal, given, iql, plain_twin
from primacy.tests.support.plain_iql import PlainIQL
from primacy.tests.support.plasticity_subjects import draws
from primacy.tests.support.sac_pairs import sample_of

torch.set_num_threads(1)


def tensor(*values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_published_settings():
    config = IQLConfig()
    assert (config.hidden_sizes, config.critics) == ((256, 256), 2)
    assert (config.expectile, config.temperature, config.weight_cap) == (0.7, 3.0, 100.0)
    assert (config.discount, config.target_rate) == (0.99, 0.005)
    rates = (config.actor_learning_rate, config.value_learning_rate, config.critic_learning_rate)
    assert rates == (3e-4, 3e-4, 3e-4)
    assert (config.adam_beta1, config.adam_beta2, config.adam_epsilon) == (0.9, 0.999, 1e-8)
    assert (antmaze(config).expectile, antmaze(config).temperature) == (0.9, 10.0)
    assert offline_only(config).actor_schedule == "cosine"


def test_expectile_check_values():
    q = tensor(1, -2, 0.5, 3)[None]
    v = tensor(0.5, -1, 0.5, 5)[None].requires_grad_()
    loss = expectile_loss(q - v, 0.9)
    assert loss.tolist() == pytest.approx([0.18125], abs=1e-14)
    loss.sum().backward()
    assert v.grad is not None
    assert v.grad[0].tolist() == pytest.approx([-0.225, 0.05, 0, 0.1], abs=1e-14)


def test_advantage_weights_check_values():
    weights = advantage_weights(tensor(-0.5, 0, 0.1, 0.4605, 0.4606, 2, 1e6), 10.0, 100.0)
    expected = [0.00673794699908547, 1, 2.71828182845905, 99.9829828492723, 100, 100, 100]
    assert weights.tolist() == pytest.approx(expected, rel=1e-13)


def test_actor_loss_check_values():
    m = tensor([0.2, -0.4], [1, 0])[None].requires_grad_()
    log_std = tensor(0, -1)[None, None].requires_grad_()
    mean = torch.tanh(m)
    density = gaussian_log_density(mean, log_std, tensor([0.1, -0.2], [0.9, 0.3])[None])
    weights = advantage_weights(tensor(0.05, -0.1)[None], 10.0, 100.0)
    loss = weighted_cloning_loss(density, weights)
    loss.sum().backward()
    assert m.grad is not None
    assert log_std.grad is not None
    near = lambda *values: pytest.approx(values, abs=1e-13)  # noqa: E731
    assert mean.flatten().tolist() == near(
        0.197375320224904, -0.379948962255225, 0.761594155955765, 0
    )
    assert density[0].tolist() == near(-0.962252879593495, -1.17996267969402)
    assert weights[0].tolist() == near(1.64872127070013, 0.367879441171442)
    assert loss.tolist() == near(1.01028540079362)
    assert m.grad.flatten().tolist() == near(
        0.0771452083399712, -0.937877286969948, -0.0106918463382736, -0.407742274268857
    )
    assert log_std.grad.flatten().tolist() == near(0.996960225178194, 0.688733173688087)


def test_critic_check_values():
    y = value_target(tensor(-1, 0, -1), 0.99 * tensor(1, 0, 1), tensor(-10, -3, -50.5))
    assert y.tolist() == pytest.approx([-10.9, 0, -50.995], abs=1e-13)
    q = torch.stack((tensor(-11, -0.5, -50), tensor(-10.5, 0.25, -52)))[None]
    assert critic_loss(q, y[None]).item() == pytest.approx(0.827516666666667, abs=1e-14)


def test_polyak_check_values():
    target, alive = tensor(-1), torch.ones(1, dtype=torch.bool)
    polyak(target, tensor(2), 0.005, alive)
    assert target.item() == pytest.approx(-0.985, abs=1e-14)
    for _ in range(2):
        polyak(target, tensor(2), 0.005, alive)
    assert target.item() == pytest.approx(-0.955224625, abs=1e-14)


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.0003),
        (1, 0.00029999999999926),
        (250_000, 0.000256066017177982),
        (500_000, 0.00015),
        (750_000, 4.39339828220179e-05),
        (999_999, 7.40224548323454e-16),
        (1_000_000, 0),
        (1_500_000, 0),
    ],
)
def test_cosine_check_values(step, rate):
    moments = Moments(torch.zeros(1, 2), torch.zeros(1, 2), torch.full((1, 1), float(step)))
    (found,) = cosine(3e-4, [moments], 1_000_000)
    assert found.shape == (1, 1)
    assert found.item() == pytest.approx(rate, rel=1e-6, abs=1e-18)


def test_values_of_a_sparse_goal():
    """r - 1 in {-1, 0}: no value below -100, and -86.6 at 200 steps from the goal."""
    v = tensor(0.0)
    for _ in range(200):
        v = value_target(tensor(-1), tensor(0.99), v)
    assert v.item() == pytest.approx(-86.6020325142038, abs=1e-11)
    for _ in range(5_000):
        v = value_target(tensor(-1), tensor(0.99), v)
    assert v.item() == pytest.approx(-100, abs=1e-9)


@pytest.mark.parametrize(
    ("offline", "online", "steps"), [(100, 50, 100), (100, 50, 149), (0, 1, 0)]
)
def test_a_cosine_that_ends_before_the_online_phase_is_refused(offline, online, steps):
    config = IQLConfig(actor_schedule="cosine", schedule_steps=steps)
    with pytest.raises(ScheduleError, match="cosine ends at gradient step") as error:
        check_schedule(config, offline, online)
    assert f"--schedule-steps {offline + online}" in error.value.hint
    check_schedule(IQLConfig(schedule_steps=steps), offline, online)


def test_a_cosine_over_the_whole_run_is_taken():
    check_schedule(IQLConfig(actor_schedule="cosine", schedule_steps=150), 100, 50)
    check_schedule(IQLConfig(actor_schedule="cosine", schedule_steps=10), 100, 0)


def test_fresh_networks():
    """Orthogonal with gain sqrt 2, the outputs too; biases and log-stds 0."""
    fresh = iql((0, 1))
    for name, value in fresh.state().items():
        if name.endswith(".weight") and "/" not in name:
            square = value @ value.mT if value.shape[-2] <= value.shape[-1] else value.mT @ value
            torch.testing.assert_close(
                square, 2.0 * torch.eye(square.shape[-1]).expand_as(square), atol=1e-5, rtol=0
            )
        elif name.endswith((".bias", LOG_STD)):
            assert not value.any(), name
    assert all(torch.equal(fresh.target[name], fresh.critic[name]) for name in fresh.target)


def test_acting():
    one = iql((0, 1))
    observation = torch.randn(2, 7, generator=torch.Generator().manual_seed(0))
    greedy = one.act_greedily(observation[:, None])[:, 0]
    assert greedy.abs().max() < 1
    assert torch.equal(one.act(observation, torch.zeros(2, 3)), greedy)
    noise = torch.tensor([[0.1, -0.1, 50.0], [0.0, 0.2, -50.0]])
    explored = one.act(observation, noise)
    # The sample is not squashed, only clipped: std is exp(0) = 1 at birth.
    torch.testing.assert_close(explored, (greedy + noise).clamp(-1, 1))


@pytest.mark.parametrize("period", [None, 15])
def test_twenty_updates_equal_the_plain_twin(period):
    seeds = (3, 7)
    fields = {"actor_schedule": "cosine", "schedule_steps": period} if period else {}
    factor = (
        (lambda step: 0.5 * (1 + math.cos(math.pi * min(step, period) / period)))
        if period
        else (lambda step: 1.0)
    )
    stacked = iql(seeds, expectile=0.9, temperature=10.0, **fields)
    twins = [plain_twin(stacked, lane, schedule=factor) for lane in range(2)]
    for step in range(20):
        batch, noise = given(stacked, seeds, step)
        stacked.update(batch, noise)
        figures = []
        for lane, twin in enumerate(twins):
            assert isinstance(twin, PlainIQL)
            figures.append(twin.update(sample_of(batch, lane)))
        for name, values in stacked.pop_metrics().items():
            if name in figures[0]:
                expected = [theirs[name] for theirs in figures]
                assert values.tolist() == pytest.approx(expected, rel=3e-4, abs=3e-5), (step, name)
        for lane, twin in enumerate(twins):
            assert_equal(stacked, lane, twin)


def test_a_reset_restarts_the_schedule_of_its_seed():
    one = iql((0, 1), actor_schedule="cosine", schedule_steps=4)
    chain = Chain([parse("reset:every=6")], one.networks())
    for step in range(6):
        one.update(*given(one, (0, 1), step))
    before = {name: value.clone() for name, value in one.actor.items()}
    (due,) = chain.due(None, 6, None, {"gradient_steps": 100})
    chain.apply(due, torch.tensor([True, False]), draws((0, 1)))
    reset = {name: value.clone() for name, value in one.actor.items()}
    one.update(*given(one, (0, 1), 6))
    for name, value in one.actor.items():
        assert torch.equal(value[1], before[name][1]), "the seed at the cosine's end stands still"
    moved = (one.actor["actor.mean.weight"][0] - reset["actor.mean.weight"][0]).abs()
    assert moved.max().item() == pytest.approx(3e-4, rel=1e-2)


def test_log_stds_belong_to_no_layer():
    """A full reset takes them; a head reset and shrink & perturb leave them alone."""
    one = iql((0,))
    for text, edited in (
        ("reset:every=1,layers=head:3", False),
        ("reset:every=1,layers=head", False),
        ("shrink-perturb:every=1", False),
        ("reset:every=1", True),
    ):
        one.actor[LOG_STD].fill_(0.5)
        one.moments[LOG_STD].step.fill_(9.0)
        chain = Chain([parse(text)], one.networks())
        (due,) = chain.due(None, 1, None, {"gradient_steps": 100})
        chain.apply(due, torch.tensor([True]), draws((0,)))
        assert bool((one.actor[LOG_STD] == 0).all()) == edited, text
        assert bool((one.moments[LOG_STD].step == 0).all()) == edited, text
