"""When an intervention fires: pure functions of a counter, so that nothing about a schedule needs
saving."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["env_steps", "gradient_steps", "frames"]


class RemedyError(ValueError):
    """A remedy's fields that do not describe one."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


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
    at_most: int | None = None
    """Number of events after which it stops (default: no limit)."""

    def event(self, count: int, total: int, stride: int = 1) -> int | None:
        """The number of the event that is due at this count (1 is the first), or None.

        `stride` is the distance from the last count that was asked about: frames pass by action
        repeat, and an interval that is no multiple of it is due at the first count past it.
        """
        since = count - self.offset
        number = since // self.every
        if number < 1 or (since - stride) // self.every >= number or count + self.leave > total:
            return None
        if self.until is not None and count > self.until:
            return None
        return None if self.at_most is not None and number > self.at_most else number

    def next_after(self, count: int) -> int:
        """The next count at which the schedule may fire."""
        since = max(0, count - self.offset)
        return self.offset + (since // self.every + 1) * self.every
