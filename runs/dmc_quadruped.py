"""The primacy-bias study on DeepMind Control (Nikishin et al. 2022) as named conditions.

Per task: SAC at each replay ratio, without and with periodic full resets (their figure 4); heavy
priming (section 3.1) and, forked from it, the same agent reset later; a fresh agent on the
experience of the one at the highest replay ratio (section 3.2).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from primacy.runs.config import RunConfig
from primacy.runs.options import as_arguments
from primacy.runs.settings import sac
from primacy.runs.sweep import Cell

TASKS = ("quadruped-walk", "quadruped-run")
"""Of the study's ten tasks and SR-SAC's fifteen, those this script is named after."""


LATER, FRESH = "primed, reset later", "fresh agent, old experience"


@dataclass(frozen=True)
class Scale:
    """Sizes at which the conditions are run."""

    sizes: Callable[[RunConfig], RunConfig]
    """From the study's configuration to that of this scale."""
    seeds: tuple[int, ...]
    ratios: tuple[str, ...]
    """Replay ratios, the highest last."""
    reset_every: int
    """Env steps between full resets."""
    reset_first: int
    """Env steps by which all resets come later: those without learning."""
    prime_updates: int
    prime_transitions: int
    primed_ratio: str
    """Replay ratio after priming."""
    primed_reset: int
    """Env step after which the primed agent is reset."""


def _paper(config: RunConfig) -> RunConfig:
    return replace(config, keep_checkpoints="every=200000")


def _cpu(config: RunConfig) -> RunConfig:
    """The demo's sizes: effects show within minutes, at returns far below the published ones."""
    return replace(
        config,
        action_repeat=4,
        env_steps=8_000,
        start_steps=250,
        batch_size=64,
        eval_every=500,
        eval_episodes=3,
        diagnose_every=500,
        log_every=500,
        keep_checkpoints="every=500",
        algorithm=replace(config.algorithm, hidden_sizes=(64, 64), learning_rate=1e-3),
    )


def _smoke(config: RunConfig) -> RunConfig:
    return replace(
        _cpu(config),
        env_steps=400,
        start_steps=50,
        batch_size=16,
        eval_every=100,
        eval_episodes=1,
        diagnose_every=100,
        log_every=100,
        keep_checkpoints="every=100",
        algorithm=replace(config.algorithm, hidden_sizes=(16, 16), learning_rate=1e-3),
    )


SCALES = {
    "paper": Scale(
        sizes=_paper,
        seeds=tuple(range(10)),
        ratios=("1", "9", "32"),
        reset_every=200_000,
        reset_first=0,
        prime_updates=100_000,
        prime_transitions=100,
        primed_ratio="1",
        primed_reset=1_000_000,
    ),
    "cpu": Scale(
        sizes=_cpu,
        seeds=tuple(range(5)),
        ratios=("1", "4", "32"),
        reset_every=2_000,
        reset_first=249,
        prime_updates=30_000,
        prime_transitions=125,
        primed_ratio="4",
        primed_reset=2_000,
    ),
    "smoke": Scale(
        sizes=_smoke,
        seeds=(0, 1, 2),
        ratios=("1", "2"),
        reset_every=100,
        reset_first=49,
        prime_updates=50,
        prime_transitions=40,
        primed_ratio="1",
        primed_reset=200,
    ),
}


def conditions(task: str, scale: Scale) -> Iterator[Cell]:
    """The runs of one task, each after what it needs. Names are TASK/CONDITION."""
    base = replace(scale.sizes(sac(task)), seeds=scale.seeds)
    offset = f",offset={scale.reset_first}" if scale.reset_first else ""
    reset = f"reset:every={scale.reset_every},unit=env_steps{offset}"
    for ratio in scale.ratios:
        plain = replace(base, replay_ratio=ratio)
        name = f"replay ratio {ratio}"
        yield _train(f"{task}/rr{ratio}", replace(plain, label=name))
        treated = replace(plain, remedies=(reset,), label=f"{name} + reset")
        yield _train(f"{task}/rr{ratio}-reset", treated)
    primed = replace(
        base,
        replay_ratio=scale.primed_ratio,
        prime_updates=scale.prime_updates,
        prime_transitions=scale.prime_transitions,
        label="primed",
    )
    yield _train(f"{task}/primed", primed)
    # A fork begins after all that its env step made due: the reset comes with the next one.
    at = scale.primed_reset + 1
    once = (f"reset:every={at},unit=env_steps,until={at}",)
    parent = ("fork", f"{{out}}/{task}/primed", "--at", str(scale.primed_reset))
    yield Cell(
        f"{task}/primed-reset",
        (*parent, "--remedies", *once, "--label", LATER),
        replace(primed, remedies=once, label=LATER),
        after=f"{task}/primed",
    )
    source = f"{task}/rr{scale.ratios[-1]}"
    config = replace(base, replay_ratio=scale.ratios[-1], start_steps=1, label=FRESH)
    command = ("transplant", f"{{out}}/{source}", "--label", FRESH)
    yield Cell(f"{task}/transplant", command, config, after=source)


def _train(name: str, config: RunConfig) -> Cell:
    return Cell(name, ("train", *as_arguments(config)), config)


def intervals(scale: Scale) -> str:
    """How far resets are apart, in both units."""
    steps = [f"{scale.reset_every * float(ratio):,.0f}" for ratio in scale.ratios]
    return (
        f"resets every {scale.reset_every:,} env steps: every {', '.join(steps)} gradient steps "
        f"at replay ratio {', '.join(scale.ratios)}"
    )
