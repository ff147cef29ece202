"""Tasks by name. A simulator is loaded by its first use, so that other commands start fast."""

from difflib import get_close_matches
from typing import Any

import gymnasium

from primacy.envs.faults import UnknownTask


def tasks() -> tuple[str, ...]:
    """Every task name, "domain-task" for the DeepMind Control suite."""
    from primacy.envs import dmc

    return dmc.tasks()


def make(task: str, action_repeat: int = 1, **options: Any) -> gymnasium.Env:
    """The environment of a task; `options` go to it (see DMC: camera, size).

    Raises UnknownTask, with near names in its hint.
    """
    from primacy.envs.dmc import DMC

    if task not in tasks():
        near = get_close_matches(task, tasks(), n=3, cutoff=0.5)
        domains = sorted({name.partition("-")[0] for name in tasks()})
        hint = f"did you mean {' or '.join(near)}?" if near else f"domains: {', '.join(domains)}"
        raise UnknownTask(f"unknown task {task!r}", hint)
    domain, _, name = task.partition("-")
    return DMC(domain, name, action_repeat, **options)
