"""What the contract's tests are run on: the toy networks and the package's own agents."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from primacy.agents.bbf import BBF
from primacy.agents.bc import BC, BCConfig
from primacy.agents.drq import DrQ
from primacy.agents.iql import IQL, IQLConfig
from primacy.agents.rlpd import RLPD, RLPDConfig
from primacy.agents.sac import SAC, SACConfig
from primacy.plasticity.chain import Chain, options
from primacy.plasticity.contract import Architecture, Generators
from primacy.plasticity.remedies import parse
from primacy.tests.support import pixel_pairs, value_pairs
from primacy.tests.support.offline_pairs import given
from primacy.tests.support.plasticity_toy import Plan, Toy
from primacy.tests.support.sac_pairs import ACTION, OBSERVATION, data, generators


class SacSubject:
    """SAC behind the toy's methods."""

    def __init__(self, seeds: tuple[int, ...], plan: Plan = lambda name, plain, inputs: plain):
        self.seeds = seeds
        plain = Architecture(hidden_sizes=(8, 8))
        inputs = {"actor": OBSERVATION, "critic": OBSERVATION + ACTION}
        chosen = {name: plan(name, plain, width) for name, width in inputs.items()}
        config = SACConfig(hidden_sizes=(8, 8), learning_rate=1e-2)
        self.agent = SAC(config, OBSERVATION, ACTION, generators(seeds), chosen)
        self.networks, self.attach, self.tensors = (
            self.agent.networks,
            self.agent.attach,
            self.agent.state,
        )

    def update(self, step: int) -> None:
        self.agent.update(*data(self.seeds, step))

    def batch(self) -> dict[str, Tensor]:
        batch, _ = data(self.seeds, 0, 64)
        return {"observation": batch.observation, "action": batch.action}


class OfflineSubject:
    """IQL, RLPD or BC behind the toy's methods."""

    def __init__(
        self,
        agent: Any,
        config: Any,
        seeds: tuple[int, ...],
        plan: Plan = lambda name, plain, inputs: plain,
    ):
        self.seeds = seeds
        plans = agent.plans(config, OBSERVATION, ACTION)
        chosen = {name: plan(name, plain, inputs) for name, (plain, inputs) in plans.items()}
        self.agent = agent(config, OBSERVATION, ACTION, generators(seeds), chosen)
        self.networks, self.attach, self.tensors = (
            self.agent.networks,
            self.agent.attach,
            self.agent.state,
        )

    def update(self, step: int) -> None:
        self.agent.update(*given(self.agent, self.seeds, step))

    def batch(self) -> dict[str, Tensor]:
        batch, _ = data(self.seeds, 0, 64)
        return {"observation": batch.observation, "action": batch.action}


class ValueSubject:
    """An agent that sees, behind the toy's methods."""

    def __init__(
        self,
        setting: str,
        fields: dict[str, Any],
        seeds: tuple[int, ...],
        plan: Plan = lambda name, plain, inputs: plain,
    ):
        self.seeds = seeds
        config = value_pairs.small(setting, **fields)
        plans = BBF.plans(config, value_pairs.shape_of(config), value_pairs.ACTIONS)
        chosen = {name: plan(name, plain, inputs) for name, (plain, inputs) in plans.items()}
        self.agent = value_pairs.agent(setting, seeds, chosen, **fields)
        self.networks, self.attach, self.tensors = (
            self.agent.networks,
            self.agent.attach,
            self.agent.state,
        )

    def update(self, step: int) -> None:
        self.agent.update(*value_pairs.given(self.agent, self.seeds, step))

    def batch(self) -> dict[str, Tensor]:
        images = value_pairs.data(self.agent, self.seeds, 0, 64).next_observation
        return {"observation": images}


class PixelSubject:
    """DrQ behind the toy's methods."""

    def __init__(
        self,
        fields: dict[str, Any],
        seeds: tuple[int, ...],
        plan: Plan = lambda name, plain, inputs: plain,
    ):
        self.seeds = seeds
        config = pixel_pairs.small("study", **fields)
        plans = DrQ.plans(config, pixel_pairs.SHAPE, pixel_pairs.ACTION)
        chosen = {name: plan(name, plain, inputs) for name, (plain, inputs) in plans.items()}
        self.agent = pixel_pairs.agent("study", seeds, chosen, **fields)
        self.networks, self.attach, self.tensors = (
            self.agent.networks,
            self.agent.attach,
            self.agent.state,
        )

    def update(self, step: int) -> None:
        self.agent.update(*pixel_pairs.given(self.agent, self.seeds, step))

    def batch(self) -> dict[str, Tensor]:
        return pixel_pairs.data(self.agent, self.seeds, 0, 64)._asdict()


SUBJECTS: dict[str, type[Toy] | type[SacSubject]] = {"toy": Toy, "sac": SacSubject}
AGENTS: dict[str, Callable[..., Any]] = {
    **SUBJECTS,
    "iql": partial(OfflineSubject, IQL, IQLConfig(hidden_sizes=(8, 8))),
    "rlpd": partial(OfflineSubject, RLPD, RLPDConfig((8, 8), critics=3, critic_steps=2)),
    "bc": partial(OfflineSubject, BC, BCConfig(hidden_sizes=(8, 8))),
    "drq": partial(PixelSubject, {"channels": (3, 2, 2, 2), "hidden_sizes": (8, 8)}),
    "sr-spr": partial(ValueSubject, "sr-spr", {"jumps": 1}),
}
ALONE = {"bc": "actor", "sr-spr": "critic"}
"""The one network of agents that have no more."""


def suited(kind: str, remedy: Any) -> Any:
    """The remedy; for the one network of an agent that has no more where it names another one."""
    if kind not in ALONE or {"all", ALONE[kind]} & set(remedy.networks):
        return remedy
    followed = kind != "bc" or not hasattr(remedy, "shadow")
    without_target = {} if followed else {"shadow": "own", "decay": 0.5}
    return replace(remedy, networks=(ALONE[kind],), **without_target)


# One text per remedy, plus the variants that take another path through it.
TEXTS = {
    "reset": "reset:every=3",
    "shrink-perturb": "shrink-perturb:every=3,target=own",
    "hare-tortoise": "hare-tortoise:every=3,decay=0.5,networks=critic+actor,optimiser=reset",
    "l2-init": "l2-init:strength=0.1",
    "l2": "l2:strength=0.1",
    "weight-decay": "weight-decay:strength=0.5",
    "crelu": "crelu",
    "layer-norm": "layer-norm",
    "reset head": "reset:every=3,layers=head:1,optimiser=all",
    "shrink-perturb initial": "shrink-perturb:every=3,source=initial",
    "hare-tortoise target": "hare-tortoise:every=3,shadow=target",
    "l2-init decoupled": "l2-init:strength=0.5,decoupled=true",
    "reset own": "reset:every=3,layers=head:1,target=own",
}


def draws(seeds: tuple[int, ...], event: int = 1) -> Callable[[str], Generators]:
    """Generators by path, one per seed: a function of seed, event and path."""
    return lambda path: [
        np.random.default_rng([seed, event, crc32(path.encode())]) for seed in seeds
    ]


def attached(kind: str, seeds: tuple[int, ...], *texts: str):
    """A subject built with these remedies, and their chain."""
    remedies = [suited(kind, parse(text)) for text in texts]
    subject = AGENTS[kind](seeds, partial(options, remedies))
    chain = Chain(remedies, subject.networks())
    subject.attach(chain)
    return subject, chain


def run(subject, chain: Chain, first: int, last: int, fire: Tensor | None = None) -> None:
    """Gradient steps `first` to `last` with the interventions that fall due."""
    everyone = torch.ones(len(subject.seeds), dtype=torch.bool)
    for step in range(first, last + 1):
        subject.update(step)
        for due in chain.due(None, step, None, {"gradient_steps": 1000}):
            chosen = everyone if fire is None else fire
            chain.apply(due, chosen, draws(subject.seeds, due.event))


def copies(subject, chain: Chain) -> dict[str, Tensor]:
    """Every tensor of a subject and of its remedies, cloned."""
    state = {f"chain/{name}": value for name, value in chain.state_dict().items()}
    return {name: value.clone() for name, value in (subject.tensors() | state).items()}
