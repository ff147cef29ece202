"""Reset, shrink & perturb, hare & tortoise: what exactly changes, on values, optimiser and
targets."""

import pytest
import torch

from primacy.plasticity.chain import Due
from primacy.plasticity.contract import select_layers
from primacy.plasticity.perturb import ShrinkPerturb
from primacy.plasticity.resets import Reset
from primacy.plasticity.tortoise import HareTortoise
from primacy.tests.support.plasticity_subjects import SUBJECTS, attached, copies, draws, run
from primacy.tests.support.plasticity_toy import LEARNING_RATE

torch.set_num_threads(1)

SEEDS = (0, 1)
EVERYONE = torch.tensor([True, True])
on_all = pytest.mark.parametrize("kind", SUBJECTS)


def edited(kind: str, text: str, *others: str, options: tuple[str, ...] = ()):
    """A trained subject before and after one event of the remedy, with its chain."""
    subject, chain = attached(kind, SEEDS, text, *others, *options)
    run(subject, chain, 1, 3)
    before = copies(subject, chain)
    names = chain.apply(Due(0, 1, ""), EVERYONE, draws(SEEDS))
    return subject, chain, before, names


def changed(before, after) -> set[str]:
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


@on_all
def test_a_full_reset_is_a_new_day(kind):
    subject, chain, _, names = edited(kind, "reset:every=900")
    assert names == {"critic", "actor", "temperature"}
    for network in subject.networks().values():
        for layer in network.layers:
            fresh = layer.initialise(draws(SEEDS)(layer.path))
            for role, value in layer.parameters.items():
                assert torch.equal(value, fresh[role])
        for name, _, _, value in network.parameters():
            moments = network.moments(name)
            assert moments is not None
            assert not any(bool(part.any()) for part in moments)
            if network.target is not None:
                assert torch.equal(value, subject.tensors()[f"target/{name}"])


@on_all
def test_the_first_step_after_a_reset_has_the_size_of_the_learning_rate(kind):
    subject, _, _, _ = edited(kind, "reset:every=900")
    before = {name: value.clone() for name, value in subject.tensors().items()}
    subject.update(50)
    for name in ("critic.1.weight", "temperature.value"):
        sizes = (subject.tensors()[name] - before[name]).abs()
        moved = sizes[sizes > 0]
        assert moved.numel()
        assert moved.median().item() == pytest.approx(LEARNING_RATE, rel=1e-3)


@on_all
@pytest.mark.parametrize(
    ("optimiser", "forgotten"), [("reset", "head"), ("keep", "nothing"), ("all", "everything")]
)
def test_a_head_reset_touches_the_head_alone(kind, optimiser, forgotten):
    text = f"reset:every=900,networks=critic,layers=head:1,optimiser={optimiser}"
    subject, _, before, names = edited(kind, text)
    assert names == {"critic"}
    after = subject.tensors()
    network = subject.networks()["critic"]
    head = {n for x in select_layers(network, "head:1") for n in x.names().values()}
    values = {n for n, _, _, _ in network.parameters()}
    for name in before:
        if name in values:
            assert torch.equal(before[name], after[name]) == (name not in head)
        elif name.startswith("target/"):
            assert torch.equal(before[name], after[name]) == (name[7:] not in head)
        elif name.startswith("adam/critic"):
            inside = {"head": head, "nothing": set(), "everything": values}[forgotten]
            zero = name.split("/")[1] in inside
            assert bool((after[name] == 0).all()) == zero
    assert torch.equal(before["actor.1.weight"], after["actor.1.weight"])


@on_all
def test_a_kept_target_keeps_every_bit(kind):
    subject, _, before, _ = edited(kind, "reset:every=900,target=keep")
    for name, value in subject.tensors().items():
        if name.startswith("target/"):
            assert torch.equal(value, before[name])
    assert not torch.equal(before["critic.1.weight"], subject.tensors()["critic.1.weight"])


@on_all
def test_shrink_1_is_the_identity_on_values(kind):
    subject, chain, before, _ = edited(kind, "shrink-perturb:every=900,shrink=1,perturb=0")
    moved = changed(before, copies(subject, chain))
    assert moved
    assert all(name.startswith("adam/") for name in moved)


@on_all
@pytest.mark.parametrize("option", ["", "layer-norm"])
def test_shrink_0_is_a_reset(kind, option):
    options = (option,) if option else ()
    text = "shrink-perturb:every=900,shrink=0"
    one, _, _, _ = edited(kind, text, options=options)
    two, _, _, _ = edited(kind, "reset:every=900,networks=critic+actor", options=options)
    for name, value in one.tensors().items():
        assert torch.equal(value, two.tensors()[name]), name


@on_all
def test_shrink_perturb_is_its_formula(kind):
    text = "shrink-perturb:every=900,shrink=0.6,perturb=0.1,target=own"
    subject, _, before, names = edited(kind, text, options=("layer-norm",))
    assert names == {"critic", "actor"}
    after = subject.tensors()
    for network in (subject.networks()["critic"], subject.networks()["actor"]):
        for layer in network.layers:
            factor = 0.4 if layer.kind == "norm" else 0.1
            for prefix, key in (("", layer.path), ("target/", f"target/{layer.path}")):
                draw = layer.initialise(draws(SEEDS)(key))
                for role, name in layer.names().items():
                    if prefix + name in after:
                        expected = 0.6 * before[prefix + name] + factor * draw[role]
                        torch.testing.assert_close(after[prefix + name], expected)
            for name in layer.names().values():
                assert not after[f"adam/{name}/step"].any()
    assert torch.equal(after["temperature.value"], before["temperature.value"])
    assert bool(after["adam/temperature.value/step"].all())


@pytest.mark.parametrize("target", ["same", "own", "copy", "keep"])
def test_the_four_policies_for_targets_differ(target):
    subject, _, before, _ = edited("toy", f"shrink-perturb:every=900,target={target}")
    layer = subject.networks()["critic"].layers[0]
    name = "critic.0.weight"
    old = before[f"target/{name}"]
    expected = {
        "same": 0.8 * old + 0.2 * layer.initialise(draws(SEEDS)("critic.0"))["weight"],
        "own": 0.8 * old + 0.2 * layer.initialise(draws(SEEDS)("target/critic.0"))["weight"],
        "copy": subject.tensors()[name],
        "keep": old,
    }
    for policy, value in expected.items():
        close = torch.allclose(subject.tensors()[f"target/{name}"], value, rtol=1e-6, atol=1e-7)
        assert close == (policy == target), policy


def test_preserve_variance_preserves_it():
    subject, chain = attached("sac", (0,), "shrink-perturb:every=900,preserve_variance=true")
    value = subject.tensors()["critic.1.weight"]
    value.copy_(torch.randn(value.shape, generator=torch.Generator().manual_seed(0)))
    layer = subject.networks()["critic"].layers[1]
    draw = layer.initialise(draws((0,))(layer.path))["weight"]
    before = value.clone()
    chain.apply(Due(0, 1, ""), torch.tensor([True]), draws((0,)))
    torch.testing.assert_close(value, 0.8 * before + 0.6 * draw)


def test_the_initial_source_is_the_first_day():
    subject, chain = attached("toy", SEEDS, "shrink-perturb:every=900,source=initial,shrink=0")
    first = {name: value.clone() for name, value in subject.tensors().items()}
    run(subject, chain, 1, 3)
    chain.apply(Due(0, 1, ""), EVERYONE, draws(SEEDS))
    for name in ("critic.0.weight", "actor.out.bias"):
        assert torch.equal(subject.tensors()[name], first[name])


@on_all
def test_a_tortoise_without_memory_is_the_hare(kind):
    subject, chain, before, _ = edited(kind, "hare-tortoise:every=1,decay=0,networks=critic+actor")
    assert changed(before, copies(subject, chain)) == set()


@on_all
def test_the_tortoise_is_the_average_and_the_hare_becomes_it(kind):
    text = "hare-tortoise:every=900,decay=0.5"
    subject, chain = attached(kind, SEEDS, text)
    name = "critic.1.weight"
    average = subject.tensors()[name].clone()
    for step in range(1, 6):
        subject.update(step)
        average = 0.5 * average + 0.5 * subject.tensors()[name]
    torch.testing.assert_close(chain.state[0][name], average)
    before = copies(subject, chain)
    assert chain.apply(Due(0, 1, ""), EVERYONE, draws(SEEDS)) == {"critic"}
    after = copies(subject, chain)
    torch.testing.assert_close(after[name], average)
    own = {key for key in before if key.startswith("critic.")}
    assert changed(before, after) == own, "targets and moments stay as they are"
    subject.update(6)
    assert not torch.equal(chain.state[0][name], subject.tensors()[name]), "storage is shared"


def test_a_copy_before_the_tortoise_is_ripe_is_left_out():
    subject, chain = attached("toy", SEEDS, "hare-tortoise:every=900,decay=0.9")
    for step, names in ((9, set()), (10, {"critic"})):
        run(subject, chain, 1 if step == 9 else 10, step)
        before = copies(subject, chain)
        assert chain.apply(Due(0, 1, ""), EVERYONE, draws(SEEDS)) == names
        assert bool(changed(before, copies(subject, chain))) == bool(names)


def test_the_target_network_can_be_the_tortoise():
    subject, chain, before, names = edited("toy", "hare-tortoise:every=900,shadow=target")
    assert names == {"critic"}
    assert torch.equal(subject.tensors()["critic.0.weight"], before["target/critic.0.weight"])


@pytest.mark.parametrize("other", ["reset:every=900", "shrink-perturb:every=900,shrink=0.2"])
def test_a_target_s_copy_just_after_another_edit_is_left_out(other: str):
    """The copy would put the target's draw in place of the network's own, and hide the event."""
    tortoise = "hare-tortoise:every=900,shadow=target"
    subject, chain, before, _ = edited("toy", f"{other},networks=critic,target=own", tortoise)
    middle = copies(subject, chain)
    assert changed(before, middle)
    assert chain.apply(Due(1, 1, ""), EVERYONE, draws(SEEDS)) == set()
    assert not changed(middle, copies(subject, chain))
    subject.update(50)
    assert chain.apply(Due(1, 2, ""), EVERYONE, draws(SEEDS)) == {"critic"}
    name = "critic.0.weight"
    assert torch.equal(subject.tensors()[name], subject.tensors()[f"target/{name}"])


def test_defaults_name_what_the_papers_edit():
    assert Reset(every=1).networks == ("all",)
    assert ShrinkPerturb(every=1).networks == ("critic", "actor")
    assert HareTortoise(every=1).networks == ("critic",)
