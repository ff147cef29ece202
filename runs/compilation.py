"""When an update is compiled: where a compiler exists and the run is long enough to repay it."""

import os
import shutil
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from primacy.agents.agent import Agent
from primacy.runs.config import RunConfig

# Compiling takes about as long as this many eager updates; measured with
# benchmarks/bench_update.py.
UPDATES_TO_REPAY = 5_000


@dataclass(frozen=True)
class Need:
    """Something that compiled updates need, and what to install where it is missing."""

    name: str
    package: str
    found: Callable[[], bool]


def _program(variable: str, *names: str) -> Callable[[], bool]:
    """Whether the compiler that an environment variable names exists, else one of these."""

    def found() -> bool:
        named = os.environ.get(variable)
        return any(shutil.which(name) for name in ((named,) if named else names))

    return found


def _headers() -> bool:
    return (Path(sysconfig.get_path("include")) / "Python.h").exists()


HEADERS = Need("Python.h", "python3-dev (Debian's name)", _headers)
"""Which the compiled code includes."""

NEEDS: dict[str, tuple[Need, ...]] = {
    "cpu": (Need("C++ compiler", "g++", _program("CXX", "g++", "clang++")), HEADERS),
    "cuda": (
        Need("Triton", "triton", lambda: find_spec("triton") is not None),
        Need("C compiler", "gcc", _program("CC", "gcc", "clang")),
        HEADERS,
    ),
}
"""By device."""


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
    for need in NEEDS[config.device]:
        if not need.found():
            say(
                f"no {need.name} found: updates run uncompiled, about half as fast; installing "
                f"{need.package} mends that"
            )
            return
    agent.compile()
