"""What a user is told when a run cannot go on: one line that says what is wrong, one that says what
to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """A mistake that a user can mend. The CLI prints both lines and exits with code 2.

    Other rooms have exceptions of their own; what makes one a user's error is the attribute `hint`.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Writing to an open file fails without a name; this adds it to the OSError."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
