"""What a person sees of a running run: one live line on a terminal, plain lines in a file."""

import time

from rich.console import Console
from rich.status import Status
from rich.text import Text

from primacy.runs.config import RunConfig


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


class Progress:
    """Steps and updates per second, last return, time left."""

    def __init__(self, config: RunConfig, name: str, quiet: bool) -> None:
        self.config = config
        self.name = name
        self.quiet = quiet
        self.last_return: float | None = None
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._status: Status | None = None
        self._last: tuple[float, int, int] | None = None

    def say(self, line: str) -> None:
        """One line that stays."""
        self._console.print(f"{self.name}: {line}", soft_wrap=True)

    def note(self, line: str) -> None:
        """One line that stays, unless the user wants quiet."""
        if not self.quiet:
            self.say(line)

    def show(self, env_step: int, gradient_step: int) -> None:
        """Where the run stands; rates are those since the last call."""
        now = time.monotonic()
        start, last_step, last_update = self._last or (now, env_step, gradient_step)
        self._last = (now, env_step, gradient_step)
        if self.quiet:
            return
        parts = [f"step {env_step:,} of {self.config.env_steps:,}"]
        if now > start and env_step > last_step:
            rate = (env_step - last_step) / (now - start)
            updates = (gradient_step - last_update) / (now - start)
            left = duration((self.config.env_steps - env_step) / rate)
            parts.append(f"{rate:,.0f} steps/s, {updates:,.0f} updates/s, {left} left")
        if self.last_return is not None:
            parts.append(f"return {self.last_return:.1f}")
        self._put(", ".join(parts))

    def _put(self, line: str) -> None:
        if not self._console.is_terminal:
            print(f"{self.name}: {line}", flush=True)
            return
        if self._status is None:
            self._status = self._console.status("")
            self._status.start()
        # A string would be read as markup, and the name of a folder may hold brackets.
        self._status.update(Text(f"{self.name}: {line}"))

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._status is not None:
            self._status.stop()
