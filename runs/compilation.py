"""When an update is compiled: where a compiler exists and the run is long enough to repay it."""

import os
import shutil
from collections.abc import Callable

from primacy.agents.agent import Agent
from primacy.runs.config import RunConfig

# Compiling takes about as long as this many eager updates; measured with
# benchmarks/bench_update.py.
UPDATES_TO_REPAY = 5_000


def compiler() -> str | None:
    """The C++ compiler that the CPU back end would use, or None."""
    named = os.environ.get("CXX")
    return shutil.which(named) if named else shutil.which("g++") or shutil.which("clang++")


def planned_updates(config: RunConfig) -> int:
    """Gradient steps of the whole run; a function of the configuration, so that a resumed run
    decides alike."""
    once = config.prime_updates + config.offline_updates + config.relearn_updates
    return config.updates_until(config.env_steps) + once


def compile_update(config: RunConfig, agent: Agent, say: Callable[[str], None]) -> None:
    """Compile the agent's update if the configuration and the machine want it; says in a line if it
    cannot."""
    wanted = config.compile == "always" or (
        config.compile == "auto" and planned_updates(config) >= UPDATES_TO_REPAY
    )
    if not wanted:
        return
    if config.device == "cpu" and compiler() is None:
        say(
            "no C++ compiler found: updates run uncompiled, about half as fast; "
            "installing g++ mends that"
        )
        return
    agent.compile()
