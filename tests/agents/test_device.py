"""Agents on another device, of which this machine has none: their tensors are shapes without
values. A tensor left on the CPU, or an update that reads a value back, is an error there."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from primacy.plasticity.chain import Chain
from primacy.plasticity.diagnostics import measure
from primacy.replay.buffer import Batch
from primacy.replay.frames import FrameBatch, SequenceBatch
from primacy.runs import config
from primacy.runs.agents import AGENTS, TAKES
from primacy.runs.assembly import make_agent
from primacy.runs.randomness import Randomness
from primacy.runs.settings import SETTINGS
from primacy.runs.spaces import Spaces

DEVICE = "lazy:0"
"""One that every build of PyTorch knows by name and none computes with."""
SEEDS, BATCH = 2, 4
EVERY = 20
INSIDE = ("l2-init:strength=1e-3", "l2:strength=1e-3", "weight-decay", "layer-norm")
BETWEEN = (f"reset:every={EVERY}", f"shrink-perturb:every={EVERY}", f"hare-tortoise:every={EVERY}")


@pytest.fixture
def values_are_absent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # No user may ask for it.
    monkeypatch.setattr(config, "DEVICES", (*config.DEVICES, DEVICE))
    with FakeTensorMode():
        yield


def spaces(algorithm: Any) -> Spaces:
    takes = TAKES[type(algorithm)]
    if not takes.frames:
        return Spaces((17,), 6, False, 0)
    frame = (84, 84) if takes.choices else (3, 84, 84)
    return Spaces(frame, 6, takes.choices, algorithm.frame_stack)


def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(SEEDS, *shape, dtype=dtype, device=DEVICE)


def batch_for(agent: Any, seen: Spaces, rows: int) -> Any:
    reward, discount, weight = zeros(rows), zeros(rows), zeros(rows)
    length = getattr(agent, "sequence_length", 1)
    lead = (rows,) if length == 1 else (rows, length)
    kind = torch.uint8 if seen.stack else torch.float32
    observation, ahead = zeros(*lead, *seen.shape, dtype=kind), zeros(rows, *seen.shape, dtype=kind)
    action = zeros(*lead, dtype=torch.int64) if seen.choices else zeros(*lead, seen.actions)
    ages = zeros(rows, dtype=torch.int64)
    if not seen.stack:
        return Batch(observation, action, reward, discount, ahead)
    if length == 1:
        return FrameBatch(observation, action, reward, discount, ahead, weight, ages)
    mask = zeros(*lead)
    return SequenceBatch(observation, action, mask, reward, discount, ahead, weight, ages)


def made(setting: str) -> tuple[Any, Chain, Spaces]:
    published = SETTINGS[setting]("atari-pong")
    algorithm = published.algorithm
    seen = spaces(algorithm)
    networks = "+".join(AGENTS[type(algorithm)].plans(algorithm, seen.seen, 6))
    remedies = tuple(
        f"{text}{',' if ':' in text else ':'}networks={networks}" for text in (*INSIDE, *BETWEEN)
    )
    run = replace(published, device=DEVICE, seeds=tuple(range(SEEDS)), remedies=remedies)
    return *make_agent(run, Randomness(run.seeds), seen), seen


@pytest.mark.usefixtures("values_are_absent")
@pytest.mark.parametrize("setting", SETTINGS)
def test_nothing_is_left_on_the_cpu_and_no_update_reads_a_value(setting: str):
    agent, chain, seen = made(setting)
    batch = batch_for(agent, seen, BATCH * agent.steps_per_update)
    noise = agent.draw(Randomness(range(SEEDS)).source("policy-noise", 0, 1), BATCH)[0]
    agent.update(batch, noise)
    agent.act(batch.next_observation[:, 0], zeros(getattr(agent, "acting_noises", seen.actions)))
    agent.act_greedily(batch.next_observation)
    few = type(batch)(*(column[:, :BATCH] for column in batch))
    agent.probe(few, noise)
    inputs = {"observation": few.observation, "action": few.action}
    for network in agent.networks().values():
        measure(network, inputs, {name: value for name, _, _, value in network.parameters()})
    for due in chain.due(EVERY, EVERY, None, {"gradient_steps": 100, "env_steps": 100})[:2]:
        edited = chain.apply(due, zeros(dtype=torch.bool).logical_not(), fresh)
        assert edited
        agent.on_edit(edited)
    assert {value.device for value in agent.state().values()} == {torch.device(DEVICE)}


def fresh(path: str) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(SEEDS)]


@pytest.mark.usefixtures("values_are_absent")
def test_such_a_device_finds_both_faults():
    with pytest.raises(RuntimeError, match="same device"):
        torch.add(zeros(3), torch.zeros(SEEDS, 3))
    with pytest.raises(DataDependentOutputException):
        zeros().sum().item()
