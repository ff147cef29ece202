"""Tasks by name. A simulator is loaded by its first use, so that other commands start fast."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import gymnasium

from primacy.envs import antmaze_tasks, atari_games, dmc_pixel_tasks
from primacy.envs.faults import UnknownTask


def _dmc_tasks() -> tuple[str, ...]:
    from primacy.envs import dmc

    return dmc.tasks()


def _dmc(task: str, action_repeat: int = 1, **options: Any) -> gymnasium.Env:
    from primacy.envs.dmc import DMC

    domain, _, name = task.partition("-")
    return DMC(domain, name, action_repeat, **options)


def _dmc_pixels_tasks() -> tuple[str, ...]:
    variants = dmc_pixel_tasks.VARIANTS
    return tuple(f"{task}-{variant}" for variant in variants for task in _dmc_tasks())


def _dmc_pixels(task: str, action_repeat: int = 1, **options: Any) -> gymnasium.Env:
    from primacy.envs.dmc_pixels import DMCPixels

    name, variant = dmc_pixel_tasks.split(task)
    domain, _, name = name.partition("-")
    return DMCPixels(domain, name, variant, action_repeat, **options)


def _antmaze(task: str, action_repeat: int = 1, **options: Any) -> gymnasium.Env:
    from primacy.envs.antmaze import AntMaze

    return AntMaze(task, action_repeat, **options)


def _atari(task: str, action_repeat: int = 4, **options: Any) -> gymnasium.Env:
    from primacy.envs.atari import Atari

    return Atari(task, action_repeat, **options)


def _directional(task: str, action_repeat: int = 1, **options: Any) -> gymnasium.Env:
    from primacy.envs.ant_directional import DirectionalAnt

    return DirectionalAnt(action_repeat, **options)


Tasks = Callable[[], tuple[str, ...]]
# Those whose names cost nothing to know come first.
SUITES: dict[str, tuple[Tasks, Callable[..., gymnasium.Env]]] = {
    "antmaze": (lambda: tuple(antmaze_tasks.TASKS), _antmaze),
    "atari": (lambda: tuple(atari_games.TASKS), _atari),
    "ant": (lambda: ("ant-directional",), _directional),
    "dmc": (_dmc_tasks, _dmc),
    "dmc-pixels": (_dmc_pixels_tasks, _dmc_pixels),
}
"""Suite -> its task names, and what makes the environment of one."""


def tasks() -> tuple[str, ...]:
    """Every task name: "domain-task" for the DeepMind Control suite, with "-pixels" or
    "-pixels84" behind it where the agent sees pictures, D4RL's for AntMaze, and "atari-game" by the
    names of ale-py's game files."""
    return tuple(name for names, _ in SUITES.values() for name in names())


def make(task: str, action_repeat: int | None = None, **options: Any) -> gymnasium.Env:
    """The environment of a task; `options` go to it (see DMC, AntMaze and Atari).

    `action_repeat` is 4 for Atari and 1 elsewhere where nothing is said.

    Raises UnknownTask, with near names in its hint.
    """
    for names, build in SUITES.values():
        if task in names():
            given = {} if action_repeat is None else {"action_repeat": action_repeat}
            return build(task, **given, **options)
    near = get_close_matches(task, tasks(), n=3, cutoff=0.5)
    domains = sorted({name.partition("-")[0] for name in tasks()})
    hint = f"did you mean {' or '.join(near)}?" if near else f"domains: {', '.join(domains)}"
    raise UnknownTask(f"unknown task {task!r}", hint)
