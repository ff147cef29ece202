"""Remedies and diagnostics on the agents that see."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from primacy.agents.bbf import BBF
from primacy.agents.value_settings import SETTINGS, BBFConfig
from primacy.plasticity.chain import Chain, options
from primacy.plasticity.contract import Layer
from primacy.plasticity.diagnostics import measure
from primacy.plasticity.remedies import REMEDIES as KINDS
from primacy.plasticity.remedies import parse
from primacy.runs.atari100k import PUBLISHED_UPDATES, Every
from primacy.tests.support.plasticity_subjects import ValueSubject, draws, run
from primacy.tests.support.value_pairs import ACTIONS, agent, given, shape_of

torch.set_num_threads(1)

SEEDS = (3, 7)
every = pytest.mark.parametrize("setting", SETTINGS)


def test_annealing_restarts_with_a_reset_of_the_seeds_that_fire():
    one = agent("bbf", SEEDS, annealing=4)
    chain = Chain([parse("reset:every=3,layers=head:2,target=own,optimiser=all")], one.networks())
    one.attach(chain)
    for step in range(3):
        one.update(*given(one, SEEDS, step))
    n, discount = one.horizon()
    assert n.tolist() == [4, 4]
    assert discount.tolist() == pytest.approx([1 - 0.003 * 10**0.25] * 2, abs=1e-12)
    (due,) = chain.due(None, 3, None, {"gradient_steps": 100})
    one.on_edit(chain.apply(due, torch.tensor([False, True]), draws(SEEDS)))
    assert one.horizon()[0].tolist() == [4, 10]
    assert one.horizon()[1].tolist() == pytest.approx([1 - 0.003 * 10**0.25, 0.97], abs=1e-12)


def test_the_reset_of_bbf():
    """Encoder and transition halfway to a fresh draw, heads new, the target by another draw, the
    optimiser cleared (Schwarzer et al. 2023)."""
    one = agent("bbf", (0,))
    texts = (
        "shrink-perturb:every=3,networks=critic,layers=encoder,shrink=0.5,target=own",
        "reset:every=3,networks=critic,layers=head:2,target=own,optimiser=all",
    )
    chain = Chain([parse(text) for text in texts], one.networks())
    one.attach(chain)
    for step in range(3):
        one.update(*given(one, (0,), step))
    before = {name: value.clone() for name, value in one.state().items()}
    everyone = torch.ones(1, dtype=torch.bool)
    for due in chain.due(None, 3, None, {"gradient_steps": 100}):
        chain.apply(due, everyone, draws((0,)))
    for layer in one.networks()["critic"].layers:
        fresh = layer.initialise(draws((0,))(layer.path))
        other = layer.initialise(draws((0,))(f"target/{layer.path}"))
        for role, name in layer.names().items():
            share = 0.5 if layer.group == "encoder" else 0.0
            for key, draw in ((name, fresh[role]), (f"target/{name}", other[role])):
                expected = share * before[key] + (1.0 - share) * draw
                torch.testing.assert_close(one.state()[key], expected, msg=key)
            assert not any(x.any() for x in one.moments[name]), name
    assert {x.path for x in one.networks()["critic"].layers if x.group == "encoder"} >= {
        "critic.transition0",
        "critic.stage0.block0.1",
    }


def test_the_head_reset_of_plastic():
    """Both layers of both streams, means and noise scales, drawn once for the network and its
    target; convolutions keep every bit; the optimiser starts again whole (Lee et al. 2023)."""
    one = agent("drq", SEEDS)
    chain = Chain([parse(Every.of(PUBLISHED_UPDATES).head(3))], one.networks())
    one.attach(chain)
    for step in range(3):
        one.update(*given(one, SEEDS, step))
    before = {name: value.clone() for name, value in one.critic.items()}
    (due,) = chain.due(None, 3, None, {"gradient_steps": 100})
    chain.apply(due, torch.ones(2, dtype=torch.bool), draws(SEEDS))
    new = {name for name, value in one.critic.items() if not torch.equal(value, before[name])}
    layers = ("value_hidden", "advantage_hidden", "value", "advantage")
    roles = ("weight", "bias", "weight_sigma", "bias_sigma")
    assert new == {f"critic.{layer}.{role}" for layer in layers for role in roles}
    assert all(torch.equal(one.critic[name], one.target[name]) for name in new)
    assert not torch.equal(one.critic["critic.conv0.weight"], one.target["critic.conv0.weight"])
    assert not any(part.any() for moments in one.moments.values() for part in moments)


def test_the_tortoise_is_the_target():
    one = agent("bbf", SEEDS)
    chain = Chain([parse("hare-tortoise:every=2,shadow=target")], one.networks())
    one.attach(chain)
    for step in range(2):
        one.update(*given(one, SEEDS, step))
    (due,) = chain.due(None, 2, None, {"gradient_steps": 100})
    chain.apply(due, torch.ones(2, dtype=torch.bool), draws(SEEDS))
    assert all(torch.equal(value, one.target[name]) for name, value in one.critic.items())
    tortoise = {name: value.clone() for name, value in one.target.items()}
    one.update(*given(one, SEEDS, 2))
    for name, value in one.critic.items():
        expected = torch.lerp(tortoise[name], value, 0.005)
        torch.testing.assert_close(one.target[name], expected, atol=1e-7, rtol=1e-6)


@every
def test_edges_are_where_a_unit_acts(setting):
    """With the rows of its edges zeroed a unit moves nothing, and without that it does."""
    # Renormalised, every unit moves all others through the least and the greatest.
    one = agent(setting, (0,), renormalised=False)
    images = torch.rand(1, 2, *shape_of(one.config))

    def seen(parameters: dict[str, Tensor]) -> Tensor:
        latent = one.net.encode(parameters, images)
        found = [one.net.outputs(parameters, latent).flatten()]
        for _ in range(one.config.jumps):
            latent = one.net.step(parameters, latent, torch.zeros(1, 2, dtype=torch.int64))
            found.append(one.net.predict(parameters, latent).flatten())
        return torch.cat(found)

    def moved(parameters: dict[str, Tensor], layer: Layer, unit: int) -> float:
        other = {name: value.clone() for name, value in parameters.items()}
        other[f"{layer.path}.weight"][..., unit] += 1.0
        other[f"{layer.path}.bias"][..., unit] += 1.0
        return float((seen(other) - seen(parameters)).abs().max())

    hidden = [layer for layer in one.networks()["critic"].layers if layer.consumers]
    assert len(hidden) >= 3
    for layer in hidden:
        for unit in (0, layer.units - 1):
            without = {name: value.clone() for name, value in one.critic.items()}
            for edge in layer.consumers:
                without[f"{edge.consumer}.weight"][..., edge.unit_map[unit], :] = 0.0
            assert moved(without, layer, unit) == 0.0, layer.path
            assert moved(one.critic, layer, unit) > 1e-4, layer.path


def test_diagnostics_see_convolutions():
    one = agent("bbf", SEEDS)
    network = one.networks()["critic"]
    initial = {name: value.clone() for name, _, _, value in network.parameters()}
    with torch.no_grad():
        one.critic["critic.stage1.block0.0.weight"][..., :3] = 0.0
    images = given(one, SEEDS, 0, 64)[0].next_observation
    measured = measure(network, {"observation": images}, initial)
    rows = {(path, name): value for path, name, value in measured}
    assert rows["critic.stage1.block0.0", "dead"].tolist() >= [0.5, 0.5]
    assert ("critic.projection", "erank") in rows
    assert ("critic.stage0", "weight_norm") in rows
    assert all(value.isfinite().all() for value in rows.values())


REMEDIES = (
    "reset:every=10,layers=head:2,target=own,optimiser=all",
    "shrink-perturb:every=10,networks=critic,layers=encoder,shrink=0.5,target=own",
    "hare-tortoise:every=10,shadow=target",
    "hare-tortoise:every=10,decay=0.9",
    "l2-init:networks=critic",
    "l2:networks=critic",
    "weight-decay:networks=critic",
    "crelu:networks=critic",
    "layer-norm:networks=critic",
)


@pytest.mark.slow
@every
@pytest.mark.parametrize("text", REMEDIES)
def test_fifty_updates_with_every_remedy(setting, text):
    seeds = (0, 1)
    subject = ValueSubject(setting, {}, seeds, partial(options, [parse(text)]))
    chain = Chain([parse(text)], subject.networks())
    subject.attach(chain)
    run(subject, chain, 1, 50)
    assert subject.agent.alive.all()
    assert all(value.isfinite().all() for value in subject.tensors().values())


def test_every_remedy_is_tried():
    assert {type(parse(text)) for text in REMEDIES} == set(KINDS.values())


def test_options_reach_the_hidden_layer():
    plain = BBF.plans(replace(BBFConfig(), hidden_size=16), (2, 12, 10), ACTIONS)["critic"][0]
    chosen = {"critic": replace(plain, activation="crelu", normaliser="layer_norm")}
    one = agent("bbf", SEEDS, chosen)
    assert one.critic["critic.value.weight"].shape[1] == 32
    assert "critic.projection.norm.scale" in one.critic
