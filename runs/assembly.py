"""From a configuration to the parts of a run: environments, replay, agent, remedies."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from primacy.agents.agent import Agent
from primacy.envs.lanes import Lanes
from primacy.plasticity.chain import Chain, options
from primacy.plasticity.contract import Architecture
from primacy.plasticity.remedies import parse
from primacy.replay.buffer import Replay, describe
from primacy.replay.layout import Layout
from primacy.runs.agents import AGENTS
from primacy.runs.config import RunConfig
from primacy.runs.environment import environment
from primacy.runs.errors import UserError
from primacy.runs.observations import View, as_is
from primacy.runs.randomness import Randomness
from primacy.runs.switch import switch_remedies


@dataclass
class Parts:
    """The live parts of a run of S seeds."""

    config: RunConfig
    randomness: Randomness
    lanes: Lanes
    layout: Layout
    replay: Replay
    agent: Agent
    chain: Chain
    initial: dict[str, dict[str, Tensor]]
    """Parameters at initialisation by network, for the distance from it."""
    view: View = as_is
    """What the networks see of observations; set once the given transitions are in the journal."""


def set_up_torch(config: RunConfig) -> None:
    """Thread count, and flushing of denormals: dead ReLUs drive Adam's moments into them and slow
    updates by 1.7."""
    torch.set_num_threads(config.threads)
    torch.set_flush_denormal(True)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: no CUDA device is available", "use --device cpu")


def make_lanes(config: RunConfig) -> Lanes:
    """S training environments; episode e of a seed is a function of (seed, e)."""
    own = [Randomness((seed,)) for seed in config.seeds]
    envs = [environment(config) for _ in config.seeds]
    return Lanes(envs, lambda lane, episode: own[lane].integers("environment", episode)[0])


def remedies(config: RunConfig) -> list[Any]:
    """The remedies of a configuration, in order."""
    return [remedy for text in config.remedies if (remedy := parse(text)) is not None]


def architectures(
    config: RunConfig, observation_size: int, action_size: int
) -> dict[str, Architecture]:
    """The networks after the remedies' build options, by name."""
    plans = AGENTS[type(config.algorithm)].plans(config.algorithm, observation_size, action_size)
    chosen = remedies(config)
    return {name: options(chosen, name, plain, inputs) for name, (plain, inputs) in plans.items()}


def make_agent(
    config: RunConfig, randomness: Randomness, observation_size: int, action_size: int
) -> tuple[Agent, Chain]:
    """The agent with the remedies' build options applied, and the chain of its remedies, those
    of the switch last."""
    agent = AGENTS[type(config.algorithm)](
        config.algorithm,
        observation_size,
        action_size,
        randomness.generators("initialisation", 0),
        architectures(config, observation_size, action_size),
        config.device,
    )
    chain = Chain([*remedies(config), *switch_remedies(config.at_switch)], agent.networks())
    agent.attach(chain)
    return agent, chain


Maker = Callable[[RunConfig, Randomness, int, int], tuple[Agent, Chain]]
"""What makes an agent and its chain, as `make_agent` does."""


def assemble(config: RunConfig, say: Callable[[str], None], maker: Maker = make_agent) -> Parts:
    """Build every part of a run as it is before its first step; `say` gets the size of replay."""
    set_up_torch(config)
    randomness = Randomness(config.seeds)
    lanes = make_lanes(config)
    layout = Layout(lanes.observations.shape[1], lanes.action_size)
    capacity = min(config.replay_capacity, config.given_transitions + config.env_steps)
    agent, chain = maker(config, randomness, layout.observation_size, layout.action_size)
    initial = {
        network.name: {name: value.clone() for name, _, _, value in network.parameters()}
        for network in agent.networks().values()
    }
    say(describe(layout, len(config.seeds), capacity))
    replay = Replay(layout, len(config.seeds), capacity, torch.device(config.device))
    return Parts(config, randomness, lanes, layout, replay, agent, chain, initial)
