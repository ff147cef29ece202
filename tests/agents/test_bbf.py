"""The agents that see against their plain twin, and what every agent owes."""

from functools import partial

import numpy as np
import pytest
import torch

from primacy.agents.bbf import BBF, Categorical
from primacy.agents.exploration import epsilon_greedy
from primacy.agents.value_settings import SETTINGS, BBFConfig, drq
from primacy.tests.support.agent_checks import (
    assert_alone,
    assert_in_place,
    assert_nan_stays,
    assert_probe_reads,
)
from primacy.tests.support.value_pairs import (
    ACTIONS,
    Sequence,
    agent,
    assert_equal,
    given,
    plain_noise,
    plain_sample,
    plain_twin,
    unshifted,
)

torch.set_num_threads(1)

SEEDS = (3, 7)
every = pytest.mark.parametrize("setting", SETTINGS)


@pytest.mark.parametrize(
    ("setting", "actions", "count"),
    [("bbf", 18, 39_771_401), ("bbf", 6, 38_503_589), ("sr-spr", 18, 4_887_401)],
)
def test_parameter_counts(setting, actions, count):
    config = SETTINGS[setting](BBFConfig())
    one = BBF(config, (4, 84, 84), actions, [np.random.default_rng(0)])
    assert sum(value[0].numel() for value in one.critic.values()) == count
    if setting == "bbf":
        convs = [node.conv.output[1:] for node in one.net.encoder.nodes()]
        assert convs[0] == (84, 84)
        assert convs[4:6] == [(42, 42), (42, 42)]
        assert one.net.encoder.output == (128, 11, 11)


def test_counts_by_part():
    one = BBF(BBFConfig(), (4, 84, 84), 18, [np.random.default_rng(0)])
    groups = {"stage": 0, "projection": 0, "predictor": 0, "transition": 0, "": 0}
    for name, value in one.critic.items():
        part = next(key for key in groups if name.split(".")[1].startswith(key))
        groups[part] += value[0].numel()
    assert list(groups.values()) == [1_552_192, 31_721_472, 4_196_352, 315_904, 1_985_481]


def test_the_network_of_drq():
    one = BBF(drq(BBFConfig()), (4, 84, 84), 4, [np.random.default_rng(0)])
    assert one.net.encoder.output == (64, 7, 7)
    assert [stream.outputs for stream in one.net.streams] == [512, 512]
    assert one.horizon()[0].tolist() == [10]
    assert one.horizon()[1].tolist() == pytest.approx([0.99], abs=1e-15)


@pytest.mark.parametrize(
    ("setting", "fields"),
    [
        ("drq-eps", {}),
        ("sr-spr", {}),
        ("bbf", {}),
        ("spr", {}),
        ("drq", {}),
        ("drq", {"gradient_clip": 0.5}),
    ],
)
def test_updates_equal_the_plain_twin(setting, fields):
    """At the published step size: at ten times it, one rectifier of 1e-7 takes the other side."""
    stacked = agent(setting, SEEDS, **fields)
    twins = [plain_twin(stacked, lane) for lane in range(2)]
    for step in range(8):
        batch, noise = given(stacked, SEEDS, step)
        stacked.update(batch, unshifted(noise, stacked))
        samples = [plain_sample(stacked, batch, lane) for lane in range(2)]
        figures = [
            twin.update(samples[lane], plain_noise(stacked, noise, lane))
            for lane, twin in enumerate(twins)
        ]
        metrics = stacked.pop_metrics()
        for name in figures[0]:
            expected = [theirs[name] for theirs in figures]
            assert metrics[name].tolist() == pytest.approx(expected, rel=3e-4, abs=3e-5), name
    for lane, twin in enumerate(twins):
        assert_equal(stacked, lane, twin)


def test_losses_are_per_sample_and_without_weights():
    stacked = agent("bbf", SEEDS)
    batch, noise = given(stacked, SEEDS, 0)
    twin = plain_twin(stacked, 1)
    td, _ = twin.losses(plain_sample(stacked, batch, 1))
    stacked.update(batch, unshifted(noise, stacked))
    torch.testing.assert_close(stacked.losses[1], td.detach(), rtol=1e-4, atol=1e-5)


def test_spr_s_priorities_are_divergences():
    """KL(m || p) = cross-entropy less the entropy of the projected target m; 0 for huber's."""
    by_loss, by_divergence = agent("sr-spr", SEEDS), agent("sr-spr", SEEDS, priority="divergence")
    batch, noise = given(by_loss, SEEDS, 0)
    by_loss.update(batch, noise)
    by_divergence.update(batch, noise)
    entropy = by_loss.losses - by_divergence.losses
    assert (entropy > 0.1).all()
    assert (by_divergence.losses >= 0).all()
    certain = batch._replace(
        discount=torch.zeros_like(batch.discount), reward=torch.full_like(batch.reward, 0.4)
    )
    for one in (by_loss, by_divergence):
        one.update(certain, noise)
    torch.testing.assert_close(by_loss.losses, by_divergence.losses, atol=1e-5, rtol=1e-5)
    p, m = torch.tensor([0.5, 0.25, 0.25]), torch.tensor([0.5, 0.5, 0.0])
    value = Categorical(1.0)
    divergence = value.loss(m, p.log()) - value.least(m)
    torch.testing.assert_close(divergence, torch.tensor(0.5 * np.log(2.0)).float())


@every
def test_a_seed_in_a_stack_is_the_seed_alone(setting):
    together = agent(setting, SEEDS)
    alone = [agent(setting, (seed,)) for seed in SEEDS]
    assert_alone(together, alone, partial(given, together), SEEDS, steps=10, near=1e-4)


@every
def test_nan_freezes_its_seed_and_no_other(setting):
    clean, dirty = agent(setting, SEEDS), agent(setting, SEEDS)
    assert_nan_stays(clean, dirty, partial(given, clean), SEEDS, "critic", "reward", at=1)


@every
def test_updates_edit_in_place_and_probes_change_nothing(setting):
    one = agent(setting, SEEDS)
    assert_in_place(one, *given(one, SEEDS, 0))
    assert set(assert_probe_reads(one, *given(one, SEEDS, 1))) == {"critic"}


@every
def test_acting(setting):
    one = agent(setting, SEEDS)
    images, _ = given(one, SEEDS, 0)
    observation = images.next_observation[:, 0]
    greedy = one.act_greedily(observation[:, None])[:, 0]
    assert greedy.dtype == torch.int64
    noise = torch.zeros(2, one.acting_noises)
    noise[:, 1] = 0.5
    assert torch.equal(one.act(observation, noise), greedy)
    noise[:, 0], noise[:, 2] = 1.0, torch.tensor([0.0, 0.99])
    assert one.act(observation, noise).tolist() == [0, ACTIONS - 1]


def test_acting_uses_the_network_that_the_setting_names():
    one = agent("bbf", SEEDS)
    images = given(one, SEEDS, 0)[0].next_observation
    with torch.no_grad():
        one.target["critic.advantage.bias"].view(2, ACTIONS, -1)[:, 2, -5:] = 50.0
    assert (one.act_greedily(images) == 2).all()


def test_noise_of_parameters_explores():
    one = agent("drq", SEEDS)
    images = given(one, SEEDS, 0)[0].next_observation[:, 0]
    g = torch.Generator().manual_seed(0)
    actions = set()
    for _ in range(30):
        noise = torch.randn(2, one.acting_noises, generator=g)
        noise[:, 0], noise[:, 1] = 0.0, 0.5
        actions |= set(one.act(images, noise).tolist())
    assert len(actions) > 1


def test_epsilon_greedy():
    greedy = torch.tensor([1, 1, 1])
    noise = torch.tensor([[0.3, 0.3, 0.0], [0.3, 0.31, 0.0], [1.0, 0.9, 1.0]])
    assert epsilon_greedy(greedy, noise, 4).tolist() == [0, 1, 3]


def test_target_takes_part_of_the_network():
    one = agent("bbf", SEEDS)
    first = {name: value.clone() for name, value in one.critic.items()}
    one.update(*given(one, SEEDS, 0))
    for name, value in one.critic.items():
        expected = 0.995 * first[name] + 0.005 * value
        torch.testing.assert_close(one.target[name], expected, atol=1e-6, rtol=1e-5)
    without = agent("drq-eps", SEEDS)
    without.update(*given(without, SEEDS, 0))
    assert all(torch.equal(without.target[name], x) for name, x in without.critic.items())


def test_masked_jumps_do_not_count():
    one = agent("sr-spr", SEEDS)
    batch, noise = given(one, SEEDS, 0)
    assert isinstance(batch, Sequence)
    mask = torch.ones_like(batch.mask)
    mask[:, :, 1:] = 0.0
    one.update(batch._replace(mask=mask), noise)
    assert one.pop_metrics()["self_prediction_loss"].tolist() == [0.0, 0.0]


def test_the_strict_mask_of_the_reference():
    """The product up to i = k: the last valid target of an episode is dropped."""
    strict, plain = agent("sr-spr", SEEDS, strict_mask=True), agent("sr-spr", SEEDS)
    assert (strict.sequence_length, plain.sequence_length) == (4, 3)
    batch, noise = given(strict, SEEDS, 0)
    assert isinstance(batch, Sequence)
    mask = torch.zeros_like(batch.mask)
    mask[..., :2] = 1.0  # s_{t+1} is the last state of its episode
    strict.update(batch._replace(mask=mask), noise)
    assert strict.pop_metrics()["self_prediction_loss"].tolist() == [0.0, 0.0]
    cut = batch._replace(
        observation=batch.observation[:, :, :3], action=batch.action[:, :, :3], mask=mask[..., :3]
    )
    plain.update(cut, noise)
    assert bool((plain.pop_metrics()["self_prediction_loss"] > 0.1).all())


def test_samples_of_another_length_are_refused():
    one = agent("sr-spr", SEEDS)
    batch, noise = given(agent("drq-eps", SEEDS), SEEDS, 0)
    with pytest.raises(ValueError, match="samples of 1 steps where the agent takes 3"):
        one.update(batch, noise)


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["sr-spr", "drq-eps"])
def test_compiled_equals_eager(setting):
    eager, compiled = agent(setting, SEEDS), agent(setting, SEEDS)
    compiled.compile()
    for step in range(3):
        eager.update(*given(eager, SEEDS, step))
        compiled.update(*given(eager, SEEDS, step))
    for name, value in eager.state().items():
        torch.testing.assert_close(value, compiled.state()[name], atol=1e-5, rtol=1e-4, msg=name)
    torch.testing.assert_close(eager.losses, compiled.losses, atol=1e-5, rtol=1e-4)


@every
def test_every_setting_learns_a_fixed_batch(setting):
    one = agent(setting, (0,), learning_rate=1e-3, pad=0, intensity=0.0)
    batch, noise = given(one, (0,), 0)
    batch = batch._replace(discount=torch.zeros_like(batch.discount))
    one.update(batch, noise)
    first = one.pop_metrics()["critic_loss"]
    for _ in range(60):
        one.update(batch, noise)
    one.pop_metrics()
    one.update(batch, noise)
    assert bool((one.pop_metrics()["critic_loss"] < 0.8 * first).all())
