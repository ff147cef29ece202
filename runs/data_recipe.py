"""What decides the rows of generated AntMaze data. Importing this loads no torch."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """Everything but the controller."""

    task: str = "antmaze-umaze-v2"
    """One of D4RL's tasks; play or diverse decides where walks begin and end."""
    rows: int = 100_000
    """Rows, one per control step."""
    quality: float = 0.8
    """Share of the time that the ant follows its waypoints, in [0, 1]; the rest of it, it wanders
    as in exploration data. The header states what cloning makes of it."""
    seed: int = 0
    """Of the walks."""
    noise: float = 0.2
    """Standard deviation of the noise on actions while it follows waypoints."""
    wander_noise: float = 1.0
    """The same while it wanders."""
    rule: Literal["centred", "d4rl"] = "centred"
    """When a waypoint is passed: in the next cell, or as in D4RL past its centre."""
    stop_at_goal: bool = True
    """End episodes at their goal; otherwise all have 1,001 rows as in D4RL."""
    relabel: Literal["episode", "fixed"] = "episode"
    """Rewards for a goal of the task drawn for each episode, or once for all as in D4RL."""
