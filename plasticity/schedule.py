"""When an intervention fires: pure functions of a counter, so that nothing about a schedule needs
saving."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["env_steps", "gradient_steps", "frames"]


@dataclass(frozen=True)
class Schedule:
    """Fires at offset + every, offset + 2 every, ... of its unit."""

    every: int
    """Interval, in `unit`."""
    unit: Unit = "gradient_steps"
    """What is counted: gradient_steps, env_steps (agent decisions) or frames (before action
    repeat)."""
    offset: int = 0
    """Where counting starts, in `unit`."""
    until: int | None = None
    """Last count at which it may fire, in `unit` (default: the end of the run)."""
    leave: int = 1
    """Fires only if at least this much of the run is left, in `unit`; `leave` = `every` is BBF's
    rule."""

    def event(self, count: int, total: int) -> int | None:
        """The number of the event that is due at this count (1 is the first), or None."""
        since = count - self.offset
        if since <= 0 or since % self.every or count + self.leave > total:
            return None
        if self.until is not None and count > self.until:
            return None
        return since // self.every

    def next_after(self, count: int) -> int:
        """The next count at which the schedule may fire."""
        since = max(0, count - self.offset)
        return self.offset + (since // self.every + 1) * self.every
