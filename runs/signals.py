"""Ctrl-C and SIGTERM as something a loop looks at between its steps."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager


class Interrupted(Exception):
    """The process was asked to stop (Ctrl-C or SIGTERM)."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


Listener = Callable[[Callable[[int], None]], AbstractContextManager[None]]
"""What tells a loop of signals while inside, as `listening` does."""


@contextmanager
def listening(tell: Callable[[int], None]) -> Iterator[None]:
    """While inside, both signals are told by number instead of ending the process."""

    def ask(number: int, frame: object) -> None:
        tell(number)

    old = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
