"""Penalties and decay against their formulas and torch's own AdamW."""

import pytest
import torch

from primacy.agents.optimiser import Adam
from primacy.plasticity.contract import write
from primacy.tests.support.plasticity_subjects import SUBJECTS, attached, run

torch.set_num_threads(1)

SEEDS = (0, 1)
on_all = pytest.mark.parametrize("kind", SUBJECTS)


def own_values(network):
    return {name: value.clone() for name, _, _, value in network.parameters()}


@on_all
@pytest.mark.parametrize(("text", "born"), [("l2:strength=0.3", 0.0), ("l2-init:strength=0.3", 1)])
def test_penalties_are_sums_over_weights_and_biases_per_seed(kind, text, born):
    subject, chain = attached(kind, SEEDS, text, "layer-norm")
    network = subject.networks()["critic"]
    first = own_values(network)
    run(subject, chain, 1, 3)
    expected = []
    for lane in range(2):
        total = 0.0
        for name, role, _, value in network.parameters():
            if role in ("weight", "bias"):
                total += float(((value[lane] - born * first[name][lane]).double() ** 2).sum())
        expected.append(0.15 * total)
    penalty = chain.penalty(network, own_values(network))
    assert isinstance(penalty, torch.Tensor)
    assert penalty.tolist() == pytest.approx(expected, rel=1e-5)
    assert chain.penalty(subject.networks()["temperature"], {}) == 0.0


@on_all
def test_a_regenerated_network_feels_nothing_on_the_first_day(kind):
    subject, chain = attached(
        kind, SEEDS, "l2-init:strength=5", "l2-init:strength=5,decoupled=true"
    )
    network = subject.networks()["critic"]
    assert not torch.as_tensor(chain.penalty(network, own_values(network))).any()
    for name, _, _, value in network.parameters():
        assert torch.equal(chain.before_step(network, name, value, 0.1), value)


def test_the_decoupled_pull_is_its_formula():
    subject, chain = attached("toy", SEEDS, "l2-init:strength=0.5,decoupled=true")
    network = subject.networks()["critic"]
    first = own_values(network)
    run(subject, chain, 1, 3)
    assert chain.penalty(network, own_values(network)) == 0.0
    for name, _, _, value in network.parameters():
        expected = value - 0.05 * (value - first[name])
        torch.testing.assert_close(chain.before_step(network, name, value, 0.1), expected)


@on_all
def test_the_gradient_of_the_penalty_reaches_the_update(kind):
    """A pull that dwarfs the loss moves every weight towards zero on Adam's first step."""
    subject, _ = attached(kind, SEEDS, "l2:strength=1e6")
    before = own_values(subject.networks()["critic"])
    subject.update(1)
    for name, role, _, value in subject.networks()["critic"].parameters():
        if role == "weight":
            large = before[name].abs() > 0.05
            assert bool((value.abs() < before[name].abs())[large].all())


def test_weight_decay_is_adamw_on_weights_and_adam_on_the_rest():
    subject, chain = attached("sac", (4,), "weight-decay:strength=0.5", "layer-norm")
    network = subject.networks()["critic"]
    values = own_values(network)
    roles = {name: role for name, role, _, _ in network.parameters()}
    twins = {name: torch.nn.Parameter(value.clone()) for name, value in values.items()}
    theirs = torch.optim.AdamW(
        [
            {"params": [twins[n]], "weight_decay": 0.5 if role == "weight" else 0.0}
            for n, role in roles.items()
        ],
        lr=1e-2,
    )
    ours = Adam(1e-2)
    moments = ours.initialise(values)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        for name, value in values.items():
            gradient = torch.randn(value.shape, generator=generator)
            twins[name].grad = gradient
            start = chain.before_step(network, name, value, 1e-2)
            [factors] = ours.corrections([moments[name]])
            ours.step(value, gradient, moments[name], factors, start, torch.tensor([True]))
        theirs.step()
    for name, value in values.items():
        torch.testing.assert_close(value, twins[name].detach(), rtol=1e-4, atol=1e-6)


def test_write_leaves_the_others_every_bit():
    value = torch.tensor([[1.0, -0.0], [float("nan"), 2.0]])
    bits = value.view(torch.int32)[1].clone()
    write(value, torch.zeros(2, 2), torch.tensor([True, False]))
    assert value[0].tolist() == [0.0, 0.0]
    assert torch.equal(value.view(torch.int32)[1], bits)
