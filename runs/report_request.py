"""What a report may be asked for beyond its usual tables."""

from dataclasses import dataclass
from typing import Literal

Progress = Literal["env_steps", "gradient_steps", "frames", "hours"]


@dataclass(frozen=True)
class Request:
    """Nothing of it changes another number of the report."""

    x: Progress = "env_steps"
    """What learning curves and thresholds count in."""
    threshold: tuple[float, ...] = ()
    """Normalised scores, such as 0.5: how long the IQM of each condition took to reach them."""
    p_values: bool = False
    """Give a permutation p-value with each difference; its interval says more."""
