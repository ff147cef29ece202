"""DrQ from pixels against the check values of its specification, its plain twin, itself alone, and
NaN."""

from dataclasses import replace
from functools import partial
from math import sqrt

import numpy as np
import pytest
import torch
from torch import Tensor

from primacy.agents.drq import (
    SETTINGS,
    DrQ,
    DrQConfig,
    augmented_critic_loss,
    averaged_target,
)
from primacy.agents.initialisers import lecun_normal
from primacy.plasticity.chain import Chain
from primacy.plasticity.diagnostics import measure
from primacy.plasticity.remedies import parse
from primacy.tests.support.agent_checks import (
    assert_alone,
    assert_in_place,
    assert_nan_stays,
    assert_probe_reads,
)
from primacy.tests.support.pixel_pairs import (
    ACTION,
    BATCH,
    SHAPE,
    agent,
    assert_equal,
    data,
    given,
    plain_twin,
    plain_update,
)
from primacy.tests.support.plain_pixels import shifted
from primacy.tests.support.plasticity_subjects import TEXTS, attached, draws, run

torch.set_num_threads(1)

SEEDS = (3, 7)
every = pytest.mark.parametrize("setting", SETTINGS)


def one_of(setting: str, shape: tuple[int, int, int], actions: int) -> DrQ:
    config = SETTINGS[setting](DrQConfig())
    return DrQ(config, shape, actions, [np.random.default_rng(0)])


@pytest.mark.parametrize(
    ("actions", "critic", "actor"),
    [(1, 363_672, 284_312), (6, 366_232, 286_882), (12, 369_304, 289_966)],
)
def test_parameter_counts_of_the_study(actions: int, critic: int, actor: int):
    one = one_of("study", (3, 64, 64), actions)
    counts = {name: value[0].numel() for name, value in one.critic.items()}
    encoder = sum(count for name, count in counts.items() if "conv" in name)
    assert encoder == 388_416
    assert sum(counts.values()) - encoder == critic
    assert sum(value[0].numel() for value in one.actor.values()) == actor
    assert one.encoder.output == (256, 4, 4)


def test_the_published_settings():
    assert SETTINGS["study"](DrQConfig()) == DrQConfig()
    for setting in ("jaxrl", "original"):
        one = one_of(setting, (9, 84, 84), 6)
        assert one.critic["critic.latent.weight"].shape == (1, 39_200, 50)
    original = SETTINGS["original"](DrQConfig())
    assert (original.learning_rate, original.target_rate) == (1e-3, 0.01)
    assert original.hidden_sizes == (1024, 1024)
    assert original.steps_per_update == 2


def test_weights_at_birth():
    one = one_of("study", (3, 64, 64), 6)
    for name in ("critic.conv1", "critic.conv3", "critic.0", "critic.q", "actor.mean"):
        weight = one.state()[f"{name}.weight"][0].double()
        weight = weight if weight.ndim == 2 else weight[1]
        short = weight.T @ weight if weight.shape[0] > weight.shape[1] else weight @ weight.T
        torch.testing.assert_close(
            short, 2.0 * torch.eye(len(short), dtype=torch.float64), atol=1e-5, rtol=1e-5
        )
    latent = one.critic["critic.latent.weight"]
    assert latent.std().item() == pytest.approx(1 / sqrt(4096), rel=0.01)
    assert latent.abs().max().item() <= 2 / sqrt(4096) / 0.8796
    assert not torch.equal(latent, one.actor["actor.latent.weight"])
    assert one.temperature["temperature.value"].exp().item() == pytest.approx(0.1)
    assert all(torch.equal(value, one.target[name]) for name, value in one.critic.items())
    log_std = one.actor["actor.log_std.weight"][0]
    torch.testing.assert_close(log_std.T @ log_std, torch.eye(6), atol=1e-5, rtol=1e-5)


def test_lecun_normal_is_flaxs_truncated_normal():
    weight = lecun_normal([np.random.default_rng(0)], (400, 500), 1.0)[0] * 20.0
    assert weight.mean().item() == pytest.approx(0.0, abs=0.01)
    assert weight.std().item() == pytest.approx(1.0, rel=0.01)
    assert 2.2 < weight.abs().max().item() <= 2.0 / 0.87962
    # A normal within two standard deviations has 71.5% of its mass within one.
    share = (weight.abs() < 1.0 / 0.87962566).float().mean().item()
    assert share == pytest.approx(0.6826895 / 0.9544997, abs=0.005)


def test_averaged_target_and_summed_loss_check_values():
    number = partial(torch.tensor, dtype=torch.float64)
    q = number([[[[2.0], [1.5]], [[2.5], [3.0]]]])  # [S, E, K, B]
    cost = 0.1 * number([[[-1.0], [0.5]]])
    each = [
        averaged_target(number([[1.0]]), number([[0.99]]), q[:, :, k : k + 1], cost[:, k : k + 1])
        for k in (0, 1)
    ]
    assert [y.item() for y in each] == pytest.approx([3.079, 2.4355], abs=1e-12)
    y = averaged_target(number([[1.0]]), number([[0.99]]), q, cost)
    assert y.item() == pytest.approx(2.75725, abs=1e-12)
    q = number([[[[2.9], [2.5]], [[3.1], [2.7]]]])  # (aug, head) 2.9, 3.1, 2.5, 2.7
    assert augmented_critic_loss(q, y).item() == pytest.approx(0.20731025, abs=1e-9)


@every
def test_updates_equal_the_plain_twin(setting: str):
    stacked = agent(setting, SEEDS)
    twins = [plain_twin(stacked, lane) for lane in range(2)]
    for step in range(8):
        batch, noise = given(stacked, SEEDS, step)
        stacked.update(batch, noise)
        figures = [plain_update(twins[lane], stacked, batch, noise, lane) for lane in range(2)]
        metrics = stacked.pop_metrics()
        for name in figures[0]:
            expected = [theirs[name] for theirs in figures]
            assert metrics[name].tolist() == pytest.approx(expected, rel=3e-4, abs=3e-5), name
    for lane, twin in enumerate(twins):
        assert_equal(stacked, lane, twin)


@every
def test_a_seed_in_a_stack_is_the_seed_alone(setting: str):
    together = agent(setting, SEEDS)
    alone = [agent(setting, (seed,)) for seed in SEEDS]
    assert_alone(together, alone, partial(given, together), SEEDS, steps=20, near=1e-4)


@every
def test_nan_freezes_its_seed_and_no_other(setting: str):
    clean, dirty = agent(setting, SEEDS), agent(setting, SEEDS)
    assert_nan_stays(clean, dirty, partial(given, clean), SEEDS, "actor", "reward", at=2)


@every
def test_updates_edit_in_place_and_probes_change_nothing(setting: str):
    one = agent(setting, SEEDS)
    assert_in_place(one, *given(one, SEEDS, 0))
    assert tuple(one.pop_metrics()) == one.metrics
    batch, noise = given(one, SEEDS, 1)
    part = type(batch)(*(column[:, :BATCH] for column in batch))
    assert set(assert_probe_reads(one, part, noise)) == set(one.networks())


def test_s_and_its_successor_are_shifted_each_by_itself_and_anew():
    one = agent("study", SEEDS)
    batch, noise = given(one, SEEDS, 0)
    numbers = one.numbers(noise, BATCH)
    (shift,) = numbers.shift
    assert shift.shape == (2, 2, BATCH, 2)
    assert len(shift.flatten().unique()) == shift.numel()
    assert (one.numbers(given(one, SEEDS, 1)[1], BATCH).shift[0] != shift).all()
    for lane in range(2):
        seen = one._augmented(batch.observation, shift[:, :1])[lane]
        assert torch.equal(seen, shifted(batch.observation[lane], shift[lane, 0], 4))
        ahead = one._augmented(batch.next_observation, shift[:, 1:])[lane]
        assert torch.equal(ahead, shifted(batch.next_observation[lane], shift[lane, 1], 4))


@every
def test_acting(setting: str):
    one = agent(setting, SEEDS)
    images = data(one, SEEDS, 0).observation
    greedy = one.act_greedily(images)
    assert greedy.shape == (2, len(images[0]), ACTION)
    first = one.act(images[:, 0], torch.zeros(2, ACTION))
    torch.testing.assert_close(first, greedy[:, 0])
    twins = [plain_twin(one, lane) for lane in range(2)]
    noise = torch.randn(2, ACTION, generator=torch.Generator().manual_seed(0))
    for lane, twin in enumerate(twins):
        features = twin.critic.encoder(images[lane, :1])
        with torch.no_grad():
            expected = twin.actor(features, noise[lane, None])[0][0]
        torch.testing.assert_close(one.act(images[:, 0], noise)[lane], expected)


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["study", "original"])
def test_compiled_equals_eager(setting: str):
    eager, compiled = agent(setting, SEEDS), agent(setting, SEEDS)
    compiled.compile()
    for step in range(4):
        eager.update(*given(eager, SEEDS, step))
        compiled.update(*given(eager, SEEDS, step))
    for name, value in eager.state().items():
        torch.testing.assert_close(value, compiled.state()[name], atol=1e-5, rtol=1e-4, msg=name)


# What remedies see


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_fifty_updates_with_every_remedy(text: str):
    subject, chain = attached("drq", (0, 1), text.replace("every=3", "every=10"))
    run(subject, chain, 1, 50)
    assert subject.agent.alive.all()
    assert all(value.isfinite().all() for value in subject.tensors().values())


@pytest.mark.parametrize("name", ["critic", "actor"])
def test_diagnostics_see_every_layer(name: str):
    one = agent("study", SEEDS)
    network = one.networks()[name]
    initial = {key: value.clone() for key, _, _, value in network.parameters()}
    with torch.no_grad():
        for layer in ("critic.conv1", "actor.0"):
            one.state()[f"{layer}.weight"][..., :3] = 0.0
    rows = {
        (path, figure): value
        for path, figure, value in measure(network, data(one, SEEDS, 0, 64)._asdict(), initial)
    }
    dead = {"critic": "critic.conv1", "actor": "actor.0"}[name]
    assert rows[dead, "dead"].tolist() >= [3 / 16] * 2
    assert all(value.isfinite().all() for value in rows.values())
    measured = {layer.path for layer in network.layers if layer.kind != "norm"}
    assert {path for path, _ in rows} >= measured


def test_the_reset_of_the_study_keeps_the_convolutions_and_their_optimiser():
    """Everything behind the flattened output: projection, norm and hidden layers, in critic, target
    and actor, and the temperature; the target's encoder is not the critic's."""
    one = agent("study", SEEDS)
    chain = Chain([parse("reset:every=3,layers=head:4")], one.networks())
    one.attach(chain)
    for step in range(3):
        one.update(*given(one, SEEDS, step))
    before = {name: value.clone() for name, value in one.state().items()}
    (due,) = chain.due(None, 3, None, {"gradient_steps": 100})
    one.on_edit(chain.apply(due, torch.tensor([True, False]), draws(SEEDS)))
    fresh = {
        name: value
        for network in one.networks().values()
        for layer in network.layers
        for role, name in layer.names().items()
        for value in [layer.initialise(draws(SEEDS)(layer.path))[role]]
    }
    for name, value in one.state().items():
        assert torch.equal(value[1], before[name][1]), name
        if "conv" in name or "/" not in name and name not in fresh:
            assert torch.equal(value, before[name]), name
        elif name.startswith("adam/"):
            assert not value[0].any(), name
        else:
            assert torch.equal(value[0], fresh[name.removeprefix("target/")][0]), name
    assert any(
        not torch.equal(one.target[name], one.critic[name]) for name in one.target if "conv" in name
    )


@pytest.mark.parametrize(
    ("path", "maker", "unit"),
    [
        ("critic.conv0", "critic.conv0", 1),
        ("critic.conv2", "critic.conv2", 4),
        ("critic.conv3", "critic.conv3", 2),
        ("critic.latent", "critic.latent.norm", 5),
    ],
)
def test_edges_are_where_a_unit_acts(path: str, maker: str, unit: int):
    """Without the rows of its edge, nothing depends on how a unit is made."""
    one = agent("study", (0,))
    layers = {layer.path: layer for layer in one.networks()["critic"].layers}
    assert [layers[f"critic.conv{i}"].depth for i in range(4)] == [7, 6, 5, 4]
    assert [layers[name].depth for name in ("critic.latent", "critic.0", "critic.q")] == [3, 2, 0]
    (edge,) = layers[path].consumers
    weight = one.critic[f"{edge.consumer}.weight"]
    beside = ACTION if path == "critic.latent" else 0
    assert sorted(edge.unit_map.flatten().tolist()) == list(range(weight.shape[-2] - beside))
    images, action = data(one, (0,), 0).observation, data(one, (0,), 0).action
    weight[..., edge.unit_map[unit], :] = 0.0
    before = _q(one, images, action)
    for name in layers[maker].names().values():
        one.critic[name][..., unit] += 0.5
    assert torch.equal(before, _q(one, images, action))
    weight[..., edge.unit_map[unit], :] = 1.0
    assert not torch.equal(before, _q(one, images, action))


def _q(one: DrQ, images: Tensor, action: Tensor) -> Tensor:
    features = one._features(one.critic, images)
    return one.critic_net.forward(one.critic, torch.cat((features, action), -1))[0]


def test_options_reach_the_hidden_layers_and_leave_the_latent():
    plain = DrQ.plans(DrQConfig(), SHAPE, ACTION)
    assert [inputs for _, inputs in plain.values()] == [50, 53]
    chosen = {"critic": replace(plain["critic"][0], activation="crelu", normaliser="layer_norm")}
    one = agent("study", SEEDS, chosen)
    assert one.critic["critic.q.weight"].shape[-2] == 512
    assert "critic.0.norm.scale" in one.critic
    assert "actor.0.norm.scale" not in one.actor
    latent = next(x for x in one.networks()["critic"].layers if x.path == "critic.latent")
    assert latent.activation == "tanh"


def test_activations_are_published_where_units_are():
    one = agent("study", SEEDS)
    batch = data(one, SEEDS, 0)._asdict()
    for name in ("critic", "actor"):
        network = one.networks()[name]
        assert network.activations is not None
        found = network.activations(batch)
        taps = {layer.tap: layer for layer in network.layers if layer.tap}
        assert set(found) == set(taps)
        assert all(value.shape[-1] == taps[tap].units for tap, value in found.items())
