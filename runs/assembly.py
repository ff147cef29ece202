"""From a configuration to the parts of a run: environments, replay, agent, remedies."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from primacy.agents.agent import Agent
from primacy.envs.atari_frames import FrameStack
from primacy.envs.lanes import Lanes
from primacy.plasticity.chain import Chain, options
from primacy.plasticity.contract import Architecture
from primacy.plasticity.remedies import parse
from primacy.replay.buffer import Replay
from primacy.replay.frame_layout import FrameLayout
from primacy.replay.frames import FrameReplay
from primacy.replay.layout import Layout
from primacy.runs.agents import AGENTS
from primacy.runs.config import RunConfig
from primacy.runs.environment import environment
from primacy.runs.errors import UserError
from primacy.runs.observations import View, as_is
from primacy.runs.randomness import Randomness
from primacy.runs.spaces import Spaces, lives_count, spaces_of
from primacy.runs.switch import switch_remedies


@dataclass
class Parts:
    """The live parts of a run of S seeds."""

    config: RunConfig
    randomness: Randomness
    lanes: Lanes
    spaces: Spaces
    layout: Layout | FrameLayout
    replay: Replay | FrameReplay
    agent: Agent
    chain: Chain
    initial: dict[str, dict[str, Tensor]]
    """Parameters at initialisation by network, for the distance from it."""
    eyes: FrameStack | None = None
    """The last frames of each lane, where the agent sees frames."""
    view: View = as_is
    """What the networks see of observations; set once the given transitions are in the journal."""

    def settle(self) -> None:
        """Wait for what a GPU was told to do: clocks and acting need it done."""
        if self.config.device == "cuda":
            torch.cuda.synchronize()


def set_up_torch(config: RunConfig) -> None:
    """Thread count, and flushing of denormals: dead ReLUs drive Adam's moments into them and slow
    updates by 1.7. On a GPU, convolutions that add in one order."""
    torch.set_num_threads(config.threads)
    torch.set_flush_denormal(True)
    torch.backends.cudnn.deterministic = True
    _check_device(config)


def _check_device(config: RunConfig) -> None:
    if config.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "--device cuda: no CUDA device is available",
            "use --device cpu; training that was begun with cuda goes on where there is one",
        )


def make_lanes(config: RunConfig) -> Lanes:
    """S training environments; episode e of a seed is a function of (seed, e)."""
    own = [Randomness((seed,)) for seed in config.seeds]
    envs = [environment(config) for _ in config.seeds]
    lives = lives_count(config.algorithm)
    return Lanes(
        envs, lambda lane, episode: own[lane].integers("environment", episode)[0], lives, lives
    )


def remedies(config: RunConfig) -> list[Any]:
    """The remedies of a configuration, in order."""
    return [remedy for text in config.remedies if (remedy := parse(text)) is not None]


def architectures(config: RunConfig, spaces: Spaces) -> dict[str, Architecture]:
    """The networks after the remedies' build options, by name."""
    agent = AGENTS[type(config.algorithm)]
    plans = agent.plans(config.algorithm, spaces.seen, spaces.actions)
    chosen = remedies(config)
    return {name: options(chosen, name, plain, inputs) for name, (plain, inputs) in plans.items()}


def make_agent(config: RunConfig, randomness: Randomness, spaces: Spaces) -> tuple[Agent, Chain]:
    """The agent with the remedies' build options applied, and the chain of its remedies, those
    of the switch last."""
    agent = AGENTS[type(config.algorithm)](
        config.algorithm,
        spaces.seen,
        spaces.actions,
        randomness.generators("initialisation", 0),
        architectures(config, spaces),
        config.device,
    )
    chain = Chain([*remedies(config), *switch_remedies(config.at_switch)], agent.networks())
    agent.attach(chain)
    return agent, chain


def check(config: RunConfig) -> None:
    """Raises what `assemble` would for a device, a task, a replay or remedies that cannot be.

    Makes one environment, an empty replay and, for remedies, the networks of one seed.
    """
    _check_device(config)
    spaces = spaces_of(config)
    # What an offline data set gives is not known yet, which may be all there is.
    spaces.replay(config, max(1, _capacity(config)))
    if config.remedies or config.at_switch:
        first = config.seeds[:1]
        make_agent(replace(config, device="cpu", seeds=first), Randomness(first), spaces)


def _capacity(config: RunConfig) -> int:
    """Transitions per seed that replay has to hold."""
    return min(config.replay_capacity, config.given_transitions + config.env_steps)


Maker = Callable[[RunConfig, Randomness, Spaces], tuple[Agent, Chain]]
"""What makes an agent and its chain, as `make_agent` does."""


def assemble(config: RunConfig, say: Callable[[str], None], maker: Maker = make_agent) -> Parts:
    """Build every part of a run as it is before its first step; `say` gets the size of replay."""
    set_up_torch(config)
    randomness = Randomness(config.seeds)
    lanes = make_lanes(config)
    spaces = Spaces.of(lanes.envs[0], config.algorithm)
    capacity = _capacity(config)
    agent, chain = maker(config, randomness, spaces)
    initial = {
        network.name: {name: value.clone() for name, _, _, value in network.parameters()}
        for network in agent.networks().values()
    }
    say(spaces.describe(len(config.seeds), capacity))
    replay = spaces.replay(config, capacity)
    eyes = spaces.eyes(len(config.seeds), config.algorithm)
    return Parts(
        config, randomness, lanes, spaces, spaces.layout, replay, agent, chain, initial, eyes
    )
