"""What every remedy owes, on every kind of network: the matrix over the registry."""

import pytest
import torch

from primacy.plasticity.contract import PlasticNetwork, SelectionError, select_networks
from primacy.plasticity.remedies import REMEDIES, parse
from primacy.tests.support.plasticity_subjects import (
    AGENTS,
    TEXTS,
    attached,
    copies,
    draws,
    run,
)
from primacy.tests.support.plasticity_toy import Toy

torch.set_num_threads(1)

SEEDS = (0, 1, 2)
matrix = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
on_all = pytest.mark.parametrize("kind", AGENTS)


def test_the_matrix_covers_the_registry():
    assert {type(parse(text)) for text in TEXTS.values()} == set(REMEDIES.values())


@on_all
@matrix
def test_a_seed_that_does_not_fire_keeps_every_bit(kind, text):
    subject, chain = attached(kind, SEEDS, text, "hare-tortoise:every=900", "l2-init")
    run(subject, chain, 1, 2)
    subject.update(3)
    before = copies(subject, chain)
    due = chain.due(None, 3, None, {"gradient_steps": 1000})
    for event in due:
        chain.apply(event, torch.tensor([True, False, True]), draws(SEEDS))
    after = copies(subject, chain)
    for name, value in before.items():
        if value.shape[:1] == (3,):
            assert torch.equal(value[1], after[name][1]), name
    # The same call is seen to act on the seeds that fire.
    acted = any(not torch.equal(value[::2], after[name][::2]) for name, value in before.items())
    assert acted == bool(due)


@on_all
@matrix
def test_a_stack_equals_single_runs(kind, text):
    subject, chain = attached(kind, SEEDS, text)
    run(subject, chain, 1, 8)
    together = copies(subject, chain)
    for lane, seed in enumerate(SEEDS):
        alone, own = attached(kind, (seed,), text)
        run(alone, own, 1, 8)
        for name, value in copies(alone, own).items():
            if value.shape[:1] == (1,) and together[name].shape[:1] == (3,):
                torch.testing.assert_close(
                    value[0], together[name][lane], rtol=2e-3, atol=2e-4, msg=f"{name} of {seed}"
                )


@on_all
@matrix
def test_state_round_trips_in_the_middle_of_a_schedule(kind, text):
    subject, chain = attached(kind, SEEDS, text)
    run(subject, chain, 1, 4)
    saved = copies(subject, chain)
    run(subject, chain, 5, 8)
    # Other seeds: all that the resumed one knows must come from what was saved.
    resumed, own = attached(kind, (7, 8, 9), text)
    resumed.seeds = SEEDS
    for name, value in resumed.tensors().items():
        value.copy_(saved[name])
    own.load_state_dict(
        {name[6:]: value for name, value in saved.items() if name.startswith("chain/")}
    )
    run(resumed, own, 5, 8)
    expected = copies(subject, chain)
    for name, value in copies(resumed, own).items():
        assert torch.equal(value, expected[name]), name


@on_all
@matrix
def test_tensors_are_edited_in_place(kind, text):
    subject, chain = attached(kind, SEEDS, text)
    before = {name: value.data_ptr() for name, value in subject.tensors().items()}
    memory = {name: value.data_ptr() for name, value in chain.state_dict().items()}
    run(subject, chain, 1, 6)
    assert before == {name: value.data_ptr() for name, value in subject.tensors().items()}
    assert memory == {name: value.data_ptr() for name, value in chain.state_dict().items()}
    published = {
        name: value.data_ptr()
        for network in subject.networks().values()
        for name, _, _, value in network.parameters()
    }
    assert all(before[name] == pointer for name, pointer in published.items())
    shared = set(memory.values()) & set(before.values())
    assert not shared, "a remedy's memory is a parameter"


@pytest.mark.parametrize("text", [text for text in TEXTS.values() if "every=3" in text])
def test_an_edited_network_still_learns(text):
    subject, chain = attached("toy", SEEDS, text.replace("every=3", "every=20,at_most=1"))
    run(subject, chain, 1, 20)
    assert isinstance(subject, Toy)
    at_the_edit = subject.losses()["critic"].clone()
    run(subject, chain, 21, 150)
    assert bool((subject.losses()["critic"] < 0.8 * at_the_edit).all())


@pytest.mark.parametrize("name", ["l2-init", "l2", "weight-decay"])
def test_a_pull_on_one_network_leaves_the_others_alone(name):
    pulled, chain = attached("toy", SEEDS, f"{name}:strength=0.5,networks=critic")
    plain, nothing = attached("toy", SEEDS)
    run(pulled, chain, 1, 2)
    run(plain, nothing, 1, 2)
    one, two = pulled.tensors(), plain.tensors()
    assert not torch.equal(one["critic.1.weight"], two["critic.1.weight"])
    assert torch.equal(one["temperature.value"], two["temperature.value"])
    assert torch.equal(one["actor.1.weight"], two["actor.1.weight"])


def test_an_agent_has_of_several_networks_those_that_it_has():
    critic, actor = (PlasticNetwork(name, (), lambda name: None) for name in ("critic", "actor"))
    alone, both = {"critic": critic}, {"critic": critic, "actor": actor}
    assert select_networks(alone, ("critic", "actor")) == [critic]
    assert select_networks(both, ("actor", "critic")) == [critic, actor]
    for names, wrong in ((("actor",), "actor"), (("critic", "actr"), "actr"), (("q",), "q")):
        with pytest.raises(SelectionError, match=f"has no network '{wrong}'") as error:
            select_networks(alone, names)
        assert error.value.hint == "name some of critic, or all"
