"""Every agent's update as a recording over fixed memory, against the same updates taken plainly.

The recordings are tapes of PyTorch's operations on a CPU; what a CUDA graph keeps of an update is
the same.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from primacy.agents import drq, graph, value_settings
from primacy.agents.captured import WARM_UPS, Captured
from primacy.plasticity.chain import Chain
from primacy.plasticity.remedies import parse
from primacy.tests.support import offline_pairs, pixel_pairs, sac_pairs, value_pairs
from primacy.tests.support.plasticity_subjects import draws
from primacy.tests.support.tape import Tape, recording

torch.set_num_threads(1)

SEEDS = (3, 7)
UPDATES, EVERY = 10, 6
INSIDE = ("l2-init:strength=1e-2", "l2:strength=1e-2", "weight-decay", "hare-tortoise:every=6")
BETWEEN = ("reset:every=6", "shrink-perturb:every=6")
Given = Callable[[int], tuple[Any, Tensor]]


def sac() -> tuple[Any, Given]:
    return sac_pairs.agent(SEEDS), partial(sac_pairs.data, SEEDS)


def offline(make: Callable[..., Any]) -> tuple[Any, Given]:
    one = make(SEEDS)
    return one, partial(offline_pairs.given, one, SEEDS)


def value(setting: str) -> tuple[Any, Given]:
    one = value_pairs.agent(setting, SEEDS)
    return one, partial(value_pairs.given, one, SEEDS)


def pixels(setting: str) -> tuple[Any, Given]:
    one = pixel_pairs.agent(setting, SEEDS)
    return one, partial(pixel_pairs.given, one, SEEDS)


MAKERS: dict[str, Callable[[], tuple[Any, Given]]] = {
    "sac": sac,
    "iql": partial(offline, offline_pairs.iql),
    "rlpd": partial(offline, offline_pairs.rlpd),
    "bc": partial(offline, offline_pairs.bc),
    **{name: partial(value, name) for name in value_settings.SETTINGS},
    **{f"drq {name}": partial(pixels, name) for name in drq.SETTINGS},
}


@pytest.fixture
def tapes(monkeypatch: pytest.MonkeyPatch) -> list[Tape]:
    return recording(monkeypatch)


def treated(agent: Any) -> Chain:
    """With all remedies that act inside updates, and some that act between them."""
    networks = "+".join(agent.networks())
    texts = (f"{t}{',' if ':' in t else ':'}networks={networks}" for t in (*INSIDE, *BETWEEN))
    chain = Chain([parse(text) for text in texts], agent.networks())
    agent.attach(chain)
    return chain


def trained(agent: Any, chain: Chain, given: Given) -> list[Tensor]:
    """Updates with an intervention among them, by which tensors are edited; the losses that
    priorities are made of."""
    losses = []
    for step in range(1, UPDATES + 1):
        agent.update(*given(step))
        losses.append(getattr(agent, "losses", agent.alive).clone())
        interventions = chain.due(None, step, None, {"gradient_steps": UPDATES})
        assert len(interventions) == (3 if step == EVERY else 0)
        for due in interventions:
            chain.apply(due, torch.ones(len(SEEDS), dtype=torch.bool), draws(SEEDS, due.event))
    return losses


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_replays_are_the_updates_themselves(make: Callable[[], Any], tapes: list[Tape]):
    (plain, given), (recorded, _) = make(), make()
    expected = trained(plain, treated(plain), given)
    chain = treated(recorded)
    recorded.compile()
    found = trained(recorded, chain, given)
    assert tapes
    calls = UPDATES * getattr(recorded.config, "critic_steps", 1)
    assert tapes[0].replays in (UPDATES - WARM_UPS, calls - WARM_UPS)
    for name, tensor in plain.state().items():
        assert torch.equal(tensor, recorded.state()[name]), name
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)
    metrics = recorded.pop_metrics()
    for name, means in plain.pop_metrics().items():
        assert torch.equal(means, metrics[name]), name


class Counting:
    """An update that keeps a number in Python."""

    def __init__(self) -> None:
        self.step, self.total = 0, torch.zeros(2)

    def update(self, x: Tensor) -> None:
        self.step += 1
        self.total.add_(x, alpha=self.step)


class Rebinding:
    """An update that replaces a tensor."""

    def __init__(self) -> None:
        self.total = torch.zeros(2)

    def update(self, x: Tensor) -> None:
        self.total = self.total + x


@pytest.mark.parametrize("kind", [Counting, Rebinding])
def test_a_tape_forgets_what_is_pythons(kind: type[Counting | Rebinding]):
    plain, recorded = kind(), kind()
    captured = Captured(recorded.update, Tape())
    for step in range(WARM_UPS + 3):
        plain.update(torch.full((2,), float(step)))
        captured(torch.full((2,), float(step)))
    assert not torch.equal(plain.total, recorded.total)


def test_a_tape_refuses_what_cuda_cannot_record():
    for work in (lambda x: x.sum().item(), lambda x: x + torch.tensor([1.0, 2.0])):
        captured = Captured(work, Tape())
        for _ in range(WARM_UPS):
            captured(torch.ones(2))
        with pytest.raises(AssertionError, match="cannot be recorded"):
            captured(torch.ones(2))


def test_recording_does_nothing_and_each_replay_one_update():
    total, tape = torch.zeros(3), Tape()
    result = tape.record(lambda: total.add_(1.0).view(3, 1) * 2.0)
    assert total.tolist() == [0.0] * 3
    tape.replay()
    tape.replay()
    assert total.tolist() == [2.0] * 3
    assert result.flatten().tolist() == [4.0] * 3


def test_inputs_of_another_shape_are_refused():
    captured = Captured(lambda x, pair: x + pair[0], Tape())
    captured(torch.zeros(2, 3), (torch.zeros(3),))
    # Copied, it would be repeated without a word.
    with pytest.raises(ValueError, match=r"\[2, 1\] after one of \[2, 3\]"):
        captured(torch.zeros(2, 1), (torch.zeros(3),))


def test_a_gpus_kernels_are_chosen_without_a_stopwatch():
    options = graph.OPTIONS["cuda"]()
    known = set(torch._inductor.list_options())
    assert options.keys() <= known
    assert options.get("deterministic", False) == ("deterministic" in known)
