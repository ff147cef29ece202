"""DeepMind Control from pixels: names and published figures, without a simulator.

"domain-task-pixels" is the primacy-bias study's variant (Nikishin et al. 2022, rl_with_resets;
jaxrl's drq_faster), "domain-task-pixels84" that of DrQ (Kostrikov et al. 2020; jaxrl's
drq_default).
"""

from typing import NamedTuple

STACK = 3
"""Frames that an agent sees together, in every variant; before the first one, that one itself."""


class Variant(NamedTuple):
    """What one frame is."""

    size: int
    """Height and width in pixels."""
    grey: bool

    @property
    def frame(self) -> tuple[int, ...]:
        """[H, W] of grey pictures, [3, H, W] of others."""
        size = (self.size, self.size)
        return size if self.grey else (3, *size)


VARIANTS = {"pixels": Variant(64, grey=True), "pixels84": Variant(84, grey=False)}
"""By the last part of a task's name."""

ACTION_REPEATS = {
    "ball_in_cup-catch": 4,
    "cartpole-swingup": 8,
    "cheetah-run": 4,
    "finger-spin": 2,
    "reacher-easy": 4,
    "walker-walk": 2,
}
"""PlaNet's (Hafner et al. 2019), which the study and jaxrl take over."""
OTHERS = 2
"""The action repeat of all other tasks there."""


def split(task: str) -> tuple[str, str]:
    """The suite's own name of a task, and its variant: "cartpole-swingup", "pixels".

    Raises KeyError for a task without pixels.
    """
    name, _, variant = task.rpartition("-")
    if variant not in VARIANTS:
        raise KeyError(task)
    return name, variant


FRAMES = {
    "cartpole-balance": 500_000,
    "cartpole-balance_sparse": 500_000,
    "cartpole-swingup": 500_000,
    "finger-spin": 500_000,
    "walker-stand": 500_000,
    "walker-walk": 500_000,
    "hopper-stand": 1_000_000,
    "pendulum-swingup": 1_000_000,
}
"""Simulator frames of a run in the study's released curves; 2,000,000 of all other tasks."""


def published_action_repeat(task: str) -> int:
    """Simulator frames per action of "domain-task-pixels..." in the study and in jaxrl."""
    return ACTION_REPEATS.get(split(task)[0], OTHERS)


def published_env_steps(task: str) -> int:
    """Length of the study's runs of "domain-task-pixels..." in actions."""
    return FRAMES.get(split(task)[0], 2_000_000) // published_action_repeat(task)
