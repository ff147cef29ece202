"""Tasks by name. Simulators load on first use, so that listing commands stay fast."""

from difflib import get_close_matches

import gymnasium


class UnknownTask(ValueError):
    """No suite has a task of this name."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def tasks() -> tuple[str, ...]:
    """All task names, "domain-task" of the DeepMind Control suite."""
    from primacy.envs.dmc import suite

    return tuple(f"{domain}-{task}" for domain, task in sorted(suite().ALL_TASKS))


def make(task: str, action_repeat: int = 1) -> gymnasium.Env:
    """The environment of a task. Raises UnknownTask, with near names in its hint."""
    from primacy.envs.dmc import DMC

    # Swimmer's task is "swimmer15" of domain "swimmer": only the first hyphen separates.
    domain, _, name = task.partition("-")
    if task not in tasks():
        near = get_close_matches(task, tasks(), n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"tasks: {', '.join(tasks())}"
        raise UnknownTask(f"unknown task {task!r}", hint)
    return DMC(domain, name, action_repeat)
