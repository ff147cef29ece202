"""The configuration of a run: one frozen dataclass, and its JSON form."""

import json
import re
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from fractions import Fraction
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from primacy.agents import iql as implicit_q_learning
from primacy.agents.iql import IQLConfig
from primacy.agents.sac import SACConfig
from primacy.envs import antmaze_tasks
from primacy.plasticity import remedies as remedy_syntax
from primacy.runs.agents import ALGORITHMS, TAKES, AgentConfig, check_agent, check_steps
from primacy.runs.errors import UserError
from primacy.runs.folder import read_document
from primacy.runs.shares import online_share
from primacy.runs.switch import check_switch

SCHEMA = 1
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run's numbers. Defaults are the study's (SAC on DeepMind
    Control)."""

    task: str
    """Task: "domain-task" of the DeepMind Control suite (quadruped-run, walker-stand, ...; behind
    it -pixels or -pixels84 where the agent sees pictures), one of D4RL's AntMaze
    (antmaze-umaze-v2, ...) or a game of Atari-100k (atari-breakout, ...)."""
    agent: str = "sac"
    """Agent and its published setting: sac (the primacy-bias study), sr-sac (replay ratio 16,
    resets), iql, rlpd (both from scratch, without prior data), bc; for Atari bbf, bbf-rl (without
    self-prediction), sr-spr, spr, drq-atari (of Hare & Tortoise's table), drq-eps; for tasks in
    pixels drq (the study's), drq-jaxrl, drq-original."""
    seeds: tuple[int, ...] = (0,)
    """Seeds; S independent agents are trained in one process."""
    replay_ratio: str = "1"
    """Gradient steps per env step: a positive whole number or fraction ("32", "1/2")."""
    remedies: tuple[str, ...] = ()
    """Remedies in order of application, "name:field=value,...":
    reset:every=200000,unit=env_steps"""
    env_steps: int = 2_000_000
    """Length of the run in env steps (agent decisions, after action repeat)."""
    start_steps: int = 10_000
    """First env step with learning; before it actions are uniformly random."""
    action_repeat: int = 1
    """Simulator frames per env step; rewards are summed."""
    backend: str = ""
    """Simulator of an AntMaze task: mujoco (our own model, also if empty), or d4rl, which must be
    installed (docs/antmaze.md)."""
    batch_size: int = 256
    """Transitions per gradient step."""
    replay_capacity: int = 1_000_000
    """Transitions kept per seed; the oldest go first."""
    prime_updates: int = 0
    """Heavy priming: gradient steps done at once on the first transitions (0: none)."""
    prime_transitions: int = 100
    """Heavy priming: how many first transitions per seed."""
    eval_every: int = 5_000
    """Env steps between evaluations (0: none)."""
    eval_episodes: int = 10
    """Episodes per evaluation and seed, with the policy's mean action."""
    diagnose_every: int = 10_000
    """Env steps between diagnostics of the networks (0: none)."""
    log_every: int = 1_000
    """Env steps between rows of training.csv and progress lines; gradient steps in the offline
    phase."""
    checkpoint_every: int = 20_000
    """Env steps between checkpoints."""
    keep_checkpoints: str = ""
    """Which checkpoints stay for good beside the newest two: "every=N" env steps, or empty."""
    given_transitions: int = 0
    """Transitions per seed in replay before the first env step; `primacy transplant` and
    `offline_data` set it."""
    offline_data: str = ""
    """Data in replay before the first env step, the same for each seed: a file with D4RL's keys
    (HDF5 or NPZ), the folder of a Minari dataset, or d4rl:TASK (d4rl:antmaze-umaze-v2), which is
    fetched. Empty: none."""
    offline_updates: int = 0
    """Gradient steps on the given transitions before the first env step."""
    reward_scale: float = 1.0
    """Learning sees reward_scale * reward + reward_bias; replay keeps rewards raw."""
    reward_bias: float = 0.0
    """Added to every reward that is learned from (IQL and RLPD on AntMaze: -1)."""
    at_switch: tuple[str, ...] = ()
    """Remedies applied once, between the offline updates and the first env step, written without a
    schedule: reset (the 100% reset: all but the data), reset:networks=critic, shrink-perturb."""
    relearn_updates: int = 0
    """Gradient steps on the given transitions after `at_switch` and before the first env step."""
    online_sampling: str = "append"
    """What a batch is drawn from: append (given and online transitions alike, uniformly) or
    symmetric:SHARE with the share of given ones in each mini-batch (RLPD: symmetric:0.5)."""
    warmup_policy: Literal["random", "agent"] = "random"
    """Who acts before `start_steps`: uniformly random actions, or the agent's exploring policy."""
    normalize_observations: bool = False
    """Networks see observations minus the mean, divided by the standard deviation + 0.001, of the
    given transitions; replay keeps them raw."""
    device: str = "cpu"
    """Where networks and replay live: cpu or cuda."""
    compile: Literal["auto", "always", "never"] = "auto"
    """Compile the update: where a compiler exists and the run is long enough to repay it, or as
    said."""
    threads: int = 1
    """CPU threads of this run's tensor operations; runs side by side use the cores better."""
    label: str = ""
    """Name of this condition in reports (empty: made from what differs)."""
    algorithm: AgentConfig = field(default_factory=SACConfig)

    def __post_init__(self) -> None:
        _check(self)

    @cached_property
    def ratio(self) -> Fraction:
        """Gradient steps per env step, exactly."""
        return Fraction(self.replay_ratio)

    @property
    def kept_every(self) -> int:
        """Env steps between the checkpoints that stay for good; 0 where none does."""
        return int(self.keep_checkpoints.removeprefix("every=") or 0)

    def updates_until(self, env_step: int) -> int:
        """Gradient steps of the normal schedule done by the end of an env step, in integer
        arithmetic: whole calls of the agent's update."""
        learning = max(0, env_step - self.start_steps + 1)
        steps = self.algorithm.steps_per_update
        return steps * (learning * self.ratio.numerator // (self.ratio.denominator * steps))


def near(name: str, names: list[str]) -> str:
    """A hint that names what was perhaps meant."""
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(names)}"


def _check(config: RunConfig) -> None:
    if config.agent not in ALGORITHMS:
        raise UserError(f"unknown agent {config.agent!r}", near(config.agent, list(ALGORITHMS)))
    _check_numbers(config)
    try:
        # Powers of ten are not taken: those of 1e400 never end.
        plain = re.fullmatch(r"[0-9.]{1,9}(/[0-9]{1,9})?", config.replay_ratio)
        ratio = Fraction(config.replay_ratio) if plain else Fraction(0)
    except (ValueError, ZeroDivisionError):
        ratio = Fraction(0)
    if ratio <= 0:
        raise UserError(
            f"--replay-ratio {config.replay_ratio} is not a positive number",
            "give gradient steps per env step, a whole number or a fraction such as 1/2",
        )
    if not config.seeds or len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise UserError(
            f"--seeds {' '.join(map(str, config.seeds))}: each seed once, none negative",
            "give different seeds, for example --seeds 0 1 2",
        )
    positive = ("action_repeat", "batch_size", "replay_capacity")
    positive += ("start_steps", "eval_episodes", "log_every", "checkpoint_every", "threads")
    positive += ("prime_transitions",)
    for name in positive:
        if getattr(config, name) < 1:
            raise UserError(
                f"--{name.replace('_', '-')} must be at least 1", "give a larger number"
            )
    counts = ("prime_updates", "eval_every", "diagnose_every", "given_transitions")
    for name in (*counts, "relearn_updates"):
        if getattr(config, name) < 0:
            raise UserError(f"--{name.replace('_', '-')} must not be negative", "0 switches it off")
    _check_machine(config)
    _check_length(config)
    _check_offline(config)
    if not re.fullmatch(r"((every=)?[1-9][0-9]*)?", config.keep_checkpoints):
        raise UserError(
            f"--keep-checkpoints {config.keep_checkpoints}: not understood",
            "give every=N with N env steps, for example every=50000",
        )
    if type(config.algorithm) is not ALGORITHMS[config.agent]:
        raise UserError(
            f"agent {config.agent} with the settings of {type(config.algorithm).__name__}",
            f"give algorithm={ALGORITHMS[config.agent].__name__}(...)",
        )
    check_agent(config.algorithm)
    remedies = [_remedy(text) for text in config.remedies]
    names = ("prime_updates", "offline_updates", "relearn_updates")
    once = {f"--{name.replace('_', '-')}": getattr(config, name) for name in names}
    check_steps(config.algorithm, remedies, once)
    if isinstance(config.algorithm, IQLConfig):
        once_online = config.prime_updates + config.relearn_updates
        updates = config.updates_until(config.env_steps) + once_online
        try:
            implicit_q_learning.check_schedule(config.algorithm, config.offline_updates, updates)
        except implicit_q_learning.ScheduleError as error:
            raise UserError(str(error), error.hint) from error


LARGEST = {"threads": 1024, "batch_size": 10**7}
"""Of whole numbers, where it is not 10**12: beyond it, libraries fail in ways of their own."""


def _check_numbers(config: RunConfig) -> None:
    values = asdict(config)
    for name, value in (values | values.pop("algorithm")).items():
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float) and not isfinite(number):
                raise UserError(
                    f"--{name.replace('_', '-')} {number} is not a finite number",
                    "give a finite number, or leave the option out",
                )
            if isinstance(number, int) and number > LARGEST.get(name, 10**12):
                raise UserError(
                    f"--{name.replace('_', '-')} {number} is too large",
                    "give a smaller number, or leave the option out",
                )


def _check_machine(config: RunConfig) -> None:
    """Where networks and the simulator run."""
    if config.device not in DEVICES:
        raise UserError(f"unknown device {config.device!r}", f"choose {' or '.join(DEVICES)}")
    if config.backend not in ("", *antmaze_tasks.BACKENDS):
        names = " or ".join(antmaze_tasks.BACKENDS)
        raise UserError(f"unknown backend {config.backend!r}", f"choose {names}")
    if config.backend and config.task not in antmaze_tasks.TASKS:
        raise UserError(
            f"--backend {config.backend}: {config.task} has one simulator only",
            "leave --backend out; AntMaze tasks have two",
        )


def _check_length(config: RunConfig) -> None:
    """How long a run is, and what it does before its first env step."""
    if config.prime_updates and config.prime_transitions > config.env_steps:
        raise UserError(
            f"priming on {config.prime_transitions} transitions needs as many env steps, "
            f"the run has {config.env_steps}",
            "lower --prime-transitions or raise --env-steps",
        )
    if config.env_steps < (0 if config.offline_updates else 1) or config.offline_updates < 0:
        raise UserError(
            f"--env-steps {config.env_steps} with {config.offline_updates} offline updates",
            "give at least one env step, or offline updates on transplanted transitions",
        )
    n_step = config.algorithm.n_step
    if config.reward_bias and n_step > 1:
        raise UserError(
            f"--reward-bias {config.reward_bias:g} is for returns of one step, not {n_step}",
            "leave --n-step or --reward-bias out",
        )


def _check_offline(config: RunConfig) -> None:
    """What needs transitions before the first env step, or a first env step."""
    share = online_share(config.online_sampling, config.batch_size)
    check_switch(config.at_switch)
    _check_frames(config)
    needing = {
        "--offline-updates": config.offline_updates > 0,
        "--relearn-updates": config.relearn_updates != 0,
        "--online-sampling symmetric": share is not None,
        "--normalize-observations": config.normalize_observations,
    }
    for option in [option for option, wanted in needing.items() if wanted]:
        if not (config.given_transitions or config.offline_data):
            raise UserError(
                f"{option} needs transitions before the first env step",
                "give --offline-data FILE; `primacy transplant RUN` gives a run those of another",
            )
    if (config.at_switch or config.relearn_updates) and not config.env_steps:
        raise UserError(
            "--at-switch and --relearn-updates come before the first env step, and there is none",
            "leave them out, or give --env-steps",
        )
    held = config.given_transitions + config.env_steps
    if share is not None and held > config.replay_capacity:
        raise UserError(
            f"--online-sampling {config.online_sampling} keeps all {held:,} transitions, "
            f"replay holds {config.replay_capacity:,}",
            f"give --replay-capacity {held}",
        )


def _check_frames(config: RunConfig) -> None:
    """What agents that see frames are not offered."""
    vectors = {
        "--offline-data": bool(config.offline_data),
        "--normalize-observations": config.normalize_observations,
        f"--online-sampling {config.online_sampling}": config.online_sampling != "append",
    }
    for option in [option for option, wanted in vectors.items() if wanted]:
        if TAKES[type(config.algorithm)].frames:
            raise UserError(
                f"{option} is for observations that are vectors; {config.agent} sees frames",
                "leave it out; `primacy transplant` gives a run the frames of another",
            )


def _remedy(text: str) -> Any:
    try:
        return remedy_syntax.parse(text)
    except remedy_syntax.RemedyError as error:
        # tyro would catch a ValueError and print it without its hint.
        raise UserError(str(error), error.hint) from error


def to_dict(config: RunConfig) -> dict[str, Any]:
    """Flat, as config.json and the command line have it: the agent's own fields beside the
    run's."""
    nested = asdict(config)
    agent = nested.pop("algorithm")
    return json.loads(json.dumps(nested | agent))


def from_dict(values: dict[str, Any]) -> RunConfig:
    """The inverse of `to_dict`.

    Raises UserError for a key that this version does not know, one that is missing and a value of
    another kind.
    """
    name = values.get("agent", "sac")
    if name not in ALGORITHMS:
        raise UserError(f"unknown agent {name!r}", near(str(name), list(ALGORITHMS)))
    algorithm = ALGORITHMS[name]
    agent_names = {f.name for f in fields(algorithm)}
    known = [f.name for f in fields(RunConfig) if f.name != "algorithm"] + sorted(agent_names)
    for key in values:
        if key not in known:
            raise UserError(f"config.json has an unknown field {key!r}", near(key, known))
    tupled: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    run = {k: v for k, v in tupled.items() if k not in agent_names}
    try:
        agent = algorithm(**{k: v for k, v in tupled.items() if k in agent_names})
        return RunConfig(**run, algorithm=agent)
    except (TypeError, AttributeError) as error:
        raise UserError(
            f"config.json does not hold a configuration: {error}",
            "restore the file from a copy, or start anew in another folder",
        ) from error


def read(folder: Path) -> RunConfig:
    """The configuration in a run folder's config.json. Raises UserError where it cannot be read."""
    path = folder / "config.json"
    try:
        content = read_document(path)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{folder} is not a run folder: it has no config.json",
            "give the folder that `primacy train --out` wrote",
        ) from None
    if content.get("schema") != SCHEMA:
        raise UserError(
            f"{path} has schema {content.get('schema')}, this version reads {SCHEMA}",
            "use the version of primacy that wrote it",
        )
    return from_dict(content["config"])
