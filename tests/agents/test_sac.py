"""SAC against the check values of its specification, its plain twin, itself alone, and NaN."""

import math

import pytest
import torch
from torch import Tensor

from primacy.agents.distributions import clip_log_std, tanh_gaussian, tanh_log_std
from primacy.agents.sac import actor_loss, critic_loss, soft_target, temperature_loss
from primacy.plasticity.chain import Chain
from primacy.tests.support.agent_checks import (
    assert_alone,
    assert_in_place,
    assert_nan_stays,
    assert_probe_reads,
)
from primacy.tests.support.sac_pairs import agent, data, plain_twin, sample_of

torch.set_num_threads(1)


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("mean", "log_std", "noise", "action", "density"),
    [
        (0, 0, 0, 0.0, -0.9189385332),
        (0, 0, 1, 0.761594155956, -0.5513768722),
        (0.5, -1, 0.3, 0.544383159093, 0.3875399698),
        (2, 0.5, 1.5, 0.999739562294, 5.0161913724),
        (-3, -2, -2, -0.997119050828, 4.2389912648),
        (8, 0, 2, 0.999999995878, 15.6947671098),
        (0, -10, 1, 4.539992973e-05, 8.5810614689),
    ],
)
def test_tanh_gaussian_check_values(mean, log_std, noise, action, density):
    a, log_density = tanh_gaussian(tensor(mean), tensor(log_std), tensor(noise))
    assert a.item() == pytest.approx(action, abs=1e-12)
    assert log_density.item() == pytest.approx(density, abs=1e-9)


def test_tanh_gaussian_sums_over_dimensions():
    a, density = tanh_gaussian(tensor(0.5, -0.25), tensor(-1, 0.2), tensor(0.3, -1.1))
    assert a.tolist() == pytest.approx([0.544383159093, -0.920690800991], abs=1e-12)
    assert density.item() == pytest.approx(0.5453176775, abs=1e-9)


def test_log_std_bounds():
    raw = tensor(-2, -0.5, 0, 0.5, 2)
    expected = [-9.7841654805, -6.7727029436, -4.0, -1.2272970564, 1.7841654805]
    assert tanh_log_std(raw).tolist() == pytest.approx(expected, abs=1e-9)
    assert clip_log_std(tensor(-11, 0, 3)).tolist() == [-10, 0, 2]


def test_critic_target_and_loss_check_values():
    reward, mask = tensor(1, 0.5)[None], tensor(1, 0)[None]
    q = torch.stack((tensor(2, 3), tensor(1.5, 4)))[None]
    y = soft_target(reward, 0.99 * mask, q, 0.1 * tensor(-1.2, 0.7)[None])
    assert y[0].tolist() == pytest.approx([2.6038, 0.5], abs=1e-12)
    online = torch.stack((tensor(2, 1), tensor(2.5, 0)))[None].requires_grad_()
    loss = critic_loss(online, y)
    assert loss.item() == pytest.approx(0.43767444, abs=1e-9)
    loss.sum().backward()
    assert online.grad is not None
    assert online.grad[0, 0].tolist() == pytest.approx([-0.6038, 0.5], abs=1e-9)
    assert online.grad[0, 1].tolist() == pytest.approx([-0.1038, -0.5], abs=1e-9)


def test_actor_and_temperature_check_values():
    density = tensor(-0.4, 0.9)[None]
    q = torch.stack((tensor(1, 2), tensor(0.5, 2.5)))[None]
    assert actor_loss(density, q, tensor(0.1)[None]).item() == pytest.approx(-1.225, abs=1e-12)
    log_alpha = tensor(math.log(0.1))[None].requires_grad_()
    loss = temperature_loss(log_alpha, -density.mean(-1), -0.5)
    assert loss.item() == pytest.approx(0.025, abs=1e-12)
    loss.sum().backward()
    assert log_alpha.grad is not None
    # Equation 8's gradient in log alpha is the loss itself, which the update relies on.
    assert log_alpha.grad.item() == pytest.approx(0.025, abs=1e-12)


def test_parameter_counts_of_quadruped():
    from primacy.agents.sac import SAC, SACConfig
    from primacy.tests.support.sac_pairs import generators

    quadruped = SAC(SACConfig(), 78, 12, generators((0,)))
    assert sum(value.numel() for value in quadruped.actor.values()) == 92_184
    assert sum(value.numel() for value in quadruped.critic.values()) == 178_690


def test_a_fresh_policy_is_nearly_deterministic():
    """The study's squash gives a standard deviation of about 0.018 at birth, not 1."""
    fresh = agent((0, 1))
    observation = torch.randn(2, 64, 7, generator=torch.Generator().manual_seed(0)) * 0.1
    _, log_std = fresh._policy(fresh.actor, observation)
    assert 0.005 < log_std.exp().median().item() < 0.06


def test_twenty_updates_equal_the_plain_twin():
    seeds = (3, 7)
    stacked = agent(seeds)
    twins = [plain_twin(stacked, lane) for lane in range(2)]
    for step in range(20):
        batch, noise = data(seeds, step)
        stacked.update(batch, noise)
        theirs = [
            twin.update(sample_of(batch, lane), noise[lane]) for lane, twin in enumerate(twins)
        ]
        for name, values in stacked.pop_metrics().items():
            if name in theirs[0]:
                expected = [figures[name] for figures in theirs]
                assert values.tolist() == pytest.approx(expected, rel=2e-4, abs=2e-5), (step, name)
    for lane, twin in enumerate(twins):
        again = plain_twin(stacked, lane)
        pairs = [(again.actor, twin.actor), (again.critics, twin.critics)]
        for ours, plain in pairs:
            for x, y in zip(ours.parameters(), plain.parameters(), strict=True):
                torch.testing.assert_close(x, y, atol=2e-5, rtol=1e-4)
        target = stacked.target["critic.1.weight"][lane, 1].T
        torch.testing.assert_close(
            target, list(twin.targets[1].parameters())[2], atol=2e-5, rtol=1e-4
        )
        assert stacked.temperature["temperature.value"][lane].item() == pytest.approx(
            twin.log_alpha.item(), abs=1e-6
        )


def test_a_seed_in_a_stack_is_the_seed_alone():
    alone = [agent((3,)), agent((7,))]
    assert_alone(agent((3, 7)), alone, data, (3, 7), steps=200, near=2e-3)


def test_nan_freezes_its_seed_and_no_other():
    seeds = (0, 1, 2)
    assert_nan_stays(agent(seeds), agent(seeds), data, seeds, "actor", "reward", at=2)


def test_updates_edit_in_place():
    assert_in_place(agent((0,)), *data((0,), 0))


def test_probe_changes_nothing():
    assert "mean_q" in assert_probe_reads(agent((0, 1)), *data((0, 1), 0))["critic"]


@pytest.mark.slow
def test_compiled_equals_eager():
    eager, compiled = agent((0, 1)), agent((0, 1))
    compiled.compile()
    for step in range(5):
        eager.update(*data((0, 1), step))
        compiled.update(*data((0, 1), step))
    for name, value in eager.state().items():
        torch.testing.assert_close(value, compiled.state()[name], atol=1e-5, rtol=1e-4, msg=name)


def test_remedies_cannot_be_attached_to_a_compiled_update():
    one = agent((0, 1))
    one.compile()
    with pytest.raises(RuntimeError, match="attached before"):
        one.attach(Chain((), one.networks()))


def test_parameters_are_row_major():
    # Transposed weights kept every optimiser step from being vectorised.
    assert all(value.is_contiguous() for value in agent((0, 1)).state().values())
