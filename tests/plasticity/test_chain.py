"""The chain: order, what remedies tell each other, selection errors, and one full graph."""

import pytest
import torch

from primacy.plasticity.chain import Due, options
from primacy.plasticity.contract import Architecture, SelectionError
from primacy.plasticity.remedies import parse
from primacy.tests.support.plasticity_subjects import attached, copies, draws, run

torch.set_num_threads(1)

SEEDS = (0, 1)
EVERYONE = torch.tensor([True, True])
HEAD, TORSO = "critic.out.weight", "critic.1.weight"


def fire(chain, index: int, who=EVERYONE) -> set[str]:
    return chain.apply(Due(index, 1, ""), who, draws(SEEDS))


@pytest.mark.parametrize(("follow", "moves"), [("true", True), ("false", False)])
def test_theta0_follows_the_layers_that_were_reset(follow, moves):
    subject, chain = attached(
        "toy", SEEDS, "reset:every=900,layers=head:1", f"l2-init:follow_resets={follow}"
    )
    run(subject, chain, 1, 3)
    before = copies(subject, chain)
    fire(chain, 0, torch.tensor([True, False]))
    theta0 = chain.state[1]
    assert torch.equal(theta0[HEAD][0], subject.tensors()[HEAD][0]) == moves
    assert torch.equal(theta0[HEAD][1], before[f"chain/1/{HEAD}"][1])
    assert torch.equal(theta0[TORSO], before[f"chain/1/{TORSO}"])


@pytest.mark.parametrize("text", ["shrink-perturb:every=900", "hare-tortoise:every=900,decay=0.5"])
def test_theta0_stays_where_nothing_was_reborn(text):
    subject, chain = attached("toy", SEEDS, text, "l2-init")
    run(subject, chain, 1, 3)
    theta0 = {name: value.clone() for name, value in chain.state[1].items()}
    assert fire(chain, 0)
    assert all(torch.equal(value, chain.state[1][name]) for name, value in theta0.items())


@pytest.mark.parametrize("text", ["reset:every=900,layers=head:1", "shrink-perturb:every=900"])
def test_the_tortoise_takes_edited_parameters_and_ripens_anew(text):
    subject, chain = attached("toy", SEEDS, text, "hare-tortoise:every=900,decay=0.5")
    run(subject, chain, 1, 3)
    before = copies(subject, chain)
    fire(chain, 0, torch.tensor([True, False]))
    tortoise = chain.state[1]
    assert torch.equal(tortoise[HEAD][0], subject.tensors()[HEAD][0])
    assert torch.equal(tortoise[HEAD][1], before[f"chain/1/{HEAD}"][1])
    kept = torch.equal(tortoise[TORSO], before[f"chain/1/{TORSO}"])
    assert kept == ("head" in text)
    assert tortoise["critic/steps"].tolist() == [0.0, 3.0]
    # Unripe, it cannot undo the edit.
    edited = subject.tensors()[HEAD][0].clone()
    fire(chain, 1)
    assert torch.equal(subject.tensors()[HEAD][0], edited)


def test_the_list_is_the_order():
    """Perturbing what a reset made is not resetting what a perturbation made."""
    texts = ("reset:every=2,networks=critic", "shrink-perturb:every=2,source=initial")
    one, first = attached("toy", SEEDS, *texts)
    two, second = attached("toy", SEEDS, *reversed(texts))
    run(one, first, 1, 2)
    run(two, second, 1, 2)
    assert not torch.equal(one.tensors()[TORSO], two.tensors()[TORSO])
    due = first.due(None, 2, None, {"gradient_steps": 100})
    assert [(x.index, x.event) for x in due] == [(0, 1), (1, 1)]
    assert [x.text for x in due] == list(texts)


def test_each_unit_is_looked_at_where_its_count_is_given():
    _, chain = attached(
        "toy", SEEDS, "reset:every=6,unit=frames", "reset:every=3", "reset:every=2,unit=env_steps"
    )
    totals = {"env_steps": 100, "gradient_steps": 100, "frames": 100}
    assert [x.index for x in chain.due(6, 6, 6, totals)] == [0, 1, 2]
    assert [x.index for x in chain.due(None, 6, None, totals)] == [1]
    assert [x.index for x in chain.due(2, None, 8, totals)] == [2]
    # Action repeat 4: the sixth frame lies between the first and second env step.
    assert [x.index for x in chain.due(1, None, 4, totals, 4)] == []
    assert [x.index for x in chain.due(2, None, 8, totals, 4)] == [0, 2]
    assert chain.next_gradient_step(4) == 6
    assert attached("toy", SEEDS, "l2")[1].next_gradient_step(4) is None


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("reset:every=5,networks=crtic", "networks"),
        ("reset:every=5,layers=encoder", "layers"),
        ("reset:every=5,layers=head:0", "layers"),
        ("shrink-perturb:every=5,networks=temperature", "networks"),
        ("hare-tortoise:every=5,networks=temperature", "networks"),
        ("hare-tortoise:every=5,networks=actor,shadow=target", "shadow"),
        ("hare-tortoise:every=5,networks=critic+actor,shadow=target", "shadow"),
        ("l2:networks=crtic", "networks"),
        ("l2-init:networks=temperature", "networks"),
        ("weight-decay:networks=temperature", "networks"),
        ("crelu:networks=crtic", "networks"),
        ("layer-norm:networks=temperature", "networks"),
    ],
)
def test_a_remedy_that_would_do_nothing_is_refused_at_the_start(text, field):
    with pytest.raises(SelectionError, match=f"field {field}") as error:
        attached("toy", SEEDS, text)
    assert error.value.hint


@pytest.mark.parametrize("inputs", [6, 17, 90])
@pytest.mark.parametrize("sizes", [(256, 256), (400, 400), (64, 64, 64), (512, 128)])
def test_crelu_keeps_the_parameter_count_within_two_percent(sizes, inputs):
    def count(features: int, architecture: Architecture) -> int:
        total, rows = 0, inputs
        for size in architecture.hidden_sizes:
            total, rows = total + (rows + 1) * size, features * size
        return total + rows + 1

    plain = Architecture(sizes)
    narrow = options([parse("crelu")], "critic", plain, inputs)
    assert narrow.activation == "crelu"
    assert count(2, narrow) == pytest.approx(count(1, plain), rel=0.02)
    assert options([parse("crelu:width=keep")], "critic", plain, inputs).hidden_sizes == sizes
    halves = options([parse("crelu:width=units")], "critic", plain, inputs).hidden_sizes
    assert halves == tuple(size // 2 for size in sizes)


def test_options_combine_and_leave_other_networks_alone():
    remedies = [parse("crelu:networks=critic,width=keep"), parse("layer-norm"), parse("l2")]
    plain = Architecture((8, 8))
    assert options(remedies, "critic", plain, 3) == Architecture((8, 8), "crelu", "layer_norm")
    assert options(remedies, "actor", plain, 3) == Architecture((8, 8), "relu", "layer_norm")


def test_the_inner_half_is_one_graph():
    """No value is looked at: penalty and step rules trace without a break (no compiler needed)."""
    texts = ("l2", "l2-init", "l2-init:decoupled=true", "weight-decay", "hare-tortoise:every=9")
    subject, chain = attached("toy", SEEDS, *texts)
    network = subject.networks()["critic"]
    parameters = {name: value for name, _, _, value in network.parameters()}

    def inner(values):
        moved = [chain.before_step(network, name, value, 0.1) for name, value in values.items()]
        chain.after_step(network)
        return chain.penalty(network, values), moved

    expected = inner(parameters)
    traced = torch.compile(inner, fullgraph=True, backend="eager")(parameters)
    torch.testing.assert_close(traced, expected)
