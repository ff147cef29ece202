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


@contextmanager
def refusing(path: Path, hint: str, deed: str = "written") -> Iterator[None]:
    """What the operating system refuses becomes a UserError; it names the file, else `path`."""
    try:
        yield
    except BrokenPipeError:
        raise  # It is about the reader of our output, whom the CLI knows.
    except OSError as error:
        what = f"{error.filename or path} cannot be {deed}: {error.strerror or error}"
        raise UserError(what, hint) from error


def try_writing(path: Path, hint: str) -> None:
    """Raises UserError where a file cannot be written, before the work that it is for; a file that
    is there stays as it is, another leaves no trace."""
    with refusing(path, hint):
        new = not path.exists()
        path.open("ab").close()
        if new:
            path.unlink()
