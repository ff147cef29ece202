"""RLPD against the check values of its specification and its plain twin."""

import math
from dataclasses import replace
from typing import cast

import pytest
import torch
from torch import Tensor

from primacy.agents.distributions import tanh_gaussian
from primacy.agents.networks import MLP, Head
from primacy.agents.rlpd import (
    NORM_EPSILON,
    RLPDConfig,
    adroit,
    antmaze,
    distinct,
    ensemble_actor_loss,
    ensemble_loss,
)
from primacy.agents.sac import soft_target, temperature_loss
from primacy.agents.transitions import Transitions, interleave, minibatches
from primacy.plasticity.contract import Architecture
from primacy.runs.randomness import Randomness
from primacy.tests.support.offline_pairs import assert_equal, given, plain_twin, rlpd
from primacy.tests.support.plain_rlpd import PlainRLPD
from primacy.tests.support.sac_pairs import sample_of

torch.set_num_threads(1)

Q = [[-5.5, -0.1], [-5, 0.2], [-4, 0]]


def tensor(*values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_published_settings():
    config = RLPDConfig()
    assert (config.hidden_sizes, config.critics, config.subset) == ((256, 256), 10, 2)
    assert (config.critic_steps, config.entropy_backup) == (20, True)
    assert (config.discount, config.target_rate, config.target_entropy) == (0.99, 0.005, -0.5)
    assert (config.initial_temperature, config.log_std_low, config.log_std_high) == (1.0, -20, 2)
    three = (256, 256, 256)
    assert antmaze(config) == replace(config, hidden_sizes=three, subset=1, entropy_backup=False)
    assert adroit(config) == replace(config, hidden_sizes=three, entropy_backup=False)


@pytest.mark.parametrize(
    ("subset", "alpha", "expected"),
    [
        ([0], 0, [-5.95, 0]),
        ([1], 0, [-4.96, 0]),
        ([0, 2], 0, [-6.94, 0]),
        ([1, 2], 0, [-6.94, 0]),
        ([0, 2], 0.5, [-7.6825, 0]),
    ],
)
def test_target_check_values(subset, alpha, expected):
    q = tensor([-5, -1], [-4, -2], [-6, -0.5])[None, subset]
    cost = alpha * tensor(1.5, -0.2)[None]
    y = soft_target(tensor(-1, 0)[None], 0.99 * tensor(1, 0)[None], q, cost)
    assert y[0].tolist() == pytest.approx(expected, abs=1e-13)


def test_loss_check_values():
    q, density = tensor(*Q)[None], tensor(1.5, -0.2)[None]
    assert ensemble_loss(q, tensor(-6.94, 0)[None]).item() == pytest.approx(2.4218, abs=1e-13)
    loss = ensemble_actor_loss(density, q, tensor(0.5)[None])
    assert loss.item() == pytest.approx(2.725, abs=1e-13)
    log_alpha = tensor(math.log(0.5))[None].requires_grad_()
    loss = temperature_loss(log_alpha, -density.mean(-1), -4)
    loss.sum().backward()
    assert log_alpha.grad is not None
    assert loss.item() == pytest.approx(1.675, abs=1e-13)
    assert log_alpha.grad.item() == pytest.approx(1.675, abs=1e-13)


def test_interleave_check_values():
    batch = lambda rows: Transitions(*[rows.view(1, -1)] * 5)  # noqa: E731
    both = interleave(batch(torch.arange(8)), batch(torch.arange(100, 108)))
    first, second = (part.reward[0].tolist() for part in minibatches(both, 2))
    assert first == [0, 100, 1, 101, 2, 102, 3, 103]
    assert second == [4, 104, 5, 105, 6, 106, 7, 107]
    with pytest.raises(ValueError, match="16 transitions cannot be cut into 3"):
        minibatches(both, 3)


@pytest.mark.parametrize(
    ("epsilon", "expected"), [(NORM_EPSILON, 1.15480717341881), (1e-5, 1.15480456222693)]
)
def test_layer_norm_check_values(epsilon, expected):
    architecture = Architecture(hidden_sizes=(4,), normaliser="layer_norm")
    net = MLP("critic", 3, (Head("q", 1),), architecture, members=1, norm_epsilon=epsilon)
    w1 = tensor([0.1, -0.2, 0.3, 0.4], [0.5, 0.6, -0.7, 0.8], [-0.9, 1, 0.2, -0.1])
    parameters = {
        "critic.0.weight": w1,
        "critic.0.bias": tensor([0, 0.1, -0.1, 0.2]),
        "critic.0.norm.scale": tensor([1, 1, 0.5, 2]),
        "critic.0.norm.offset": tensor([0, 0.1, 0, -0.2]),
        "critic.q.weight": tensor([0.5], [-0.25], [1], [2]),
        "critic.q.bias": tensor([0.3]),
    }
    stacked = {name: value[None, None] for name, value in parameters.items()}
    (q,) = net.forward(stacked, tensor([1, -2, 0.5])[None, None])
    assert q.item() == pytest.approx(expected, abs=1e-13)


def test_the_agents_critics_use_flax_epsilon():
    one = rlpd((0,))
    critic, actor = cast(MLP, one.critic_net), cast(MLP, one.actor_net)
    assert {norm.epsilon for norm in critic.norms()} == {1e-6}
    assert not actor.norms()


def test_tanh_normal_check_values():
    mean, log_std = tensor(0, -1), tensor(-0.5, 0.2)
    noise = (tensor(0.3, -1.2) - mean) / log_std.exp()
    action, density = tanh_gaussian(mean, log_std, noise)
    assert action.tolist() == pytest.approx([0.291312612451591, -0.833654607012155], abs=1e-13)
    assert density.item() == pytest.approx(-0.397546666570825, abs=1e-13)


def test_fresh_networks():
    """Xavier uniform, the outputs too; biases 0."""
    fresh = rlpd((0, 1), width=64)
    for name, value in (fresh.actor | fresh.critic).items():
        if name.endswith(".weight"):
            bound = math.sqrt(6 / sum(value.shape[-2:]))
            assert 0.9 * bound < value.abs().max().item() <= bound, name
        elif name.endswith(".bias"):
            assert not value.any(), name


def test_subsets_are_distinct_and_equally_likely():
    one = rlpd((0, 1), critics=5, subset=2, critic_steps=4)
    noise = one.draw(Randomness((0, 1)).source("policy-noise", 0, 500), 1)
    subsets = torch.stack([one.numbers(entry).subset for entry in noise])
    assert subsets.shape == (500, 4, 2, 2)
    assert bool((subsets[..., 0] != subsets[..., 1]).all())
    codes = (5 * subsets[..., 0] + subsets[..., 1]).flatten(0, 1)
    for lane in range(2):
        counts = torch.bincount(codes[:, lane], minlength=25)
        seen = counts[counts > 0].double()
        assert len(seen) == 20
        # 2,000 draws over 20 ordered pairs: chi-squared with 19 degrees of freedom, p = 1e-4.
        assert ((seen - 100) ** 2 / 100).sum() < 52
    assert not torch.equal(codes[:, 0], codes[:, 1])
    assert distinct(tensor(0.3, 0.1, 0.2), 2).tolist() == [1, 2]


def test_numbers_do_not_depend_on_how_many_are_drawn():
    one = rlpd((0, 1))
    many = one.draw(Randomness((0, 1)).source("policy-noise", 0, 8), 4)
    alone = one.draw(Randomness((0, 1)).source("policy-noise", 5, 1), 4)
    assert torch.equal(many[5], alone[0])
    numbers = one.numbers(alone[0])
    assert numbers.following.shape == (3, 2, 4, 3)
    assert numbers.policy.shape == (2, 4, 3)
    flat = torch.cat((numbers.following, numbers.policy[None])).transpose(0, 1).flatten()
    assert len(flat.unique()) == len(flat), "no number is used twice"


@pytest.mark.parametrize("fields", [{}, {"subset": 1, "entropy_backup": False}])
def test_twenty_updates_equal_the_plain_twin(fields):
    seeds = (3, 7)
    stacked = rlpd(seeds, **fields)
    twins = [plain_twin(stacked, lane) for lane in range(2)]
    for step in range(20):
        batch, noise = given(stacked, seeds, step)
        stacked.update(batch, noise)
        following, policy, subset = stacked.numbers(noise)
        figures = []
        for lane, twin in enumerate(twins):
            assert isinstance(twin, PlainRLPD)
            own = (following[:, lane], policy[lane], subset[:, lane])
            figures.append(twin.update(sample_of(batch, lane), *own))
        for name, values in stacked.pop_metrics().items():
            if name in figures[0]:
                expected = [theirs[name] for theirs in figures]
                assert values.tolist() == pytest.approx(expected, rel=3e-4, abs=3e-5), (step, name)
        for lane, twin in enumerate(twins):
            assert_equal(stacked, lane, twin)


def test_a_subset_larger_than_the_ensemble_is_refused():
    with pytest.raises(ValueError, match="a subset of 5 among 4"):
        rlpd((0,), subset=5)
