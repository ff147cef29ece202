"""`primacy digest`."""

from collections.abc import Sequence
from pathlib import Path

import tyro

from primacy.runs.arguments import parse
from primacy.runs.digest import digest as digest_of
from primacy.runs.errors import refusing


def digest(arguments: Sequence[str]) -> int:
    """Print the digest of a run: equal digests mean equal parameters, replay, evaluations and
    diagnostics."""

    def command(run: tyro.conf.Positional[Path]) -> Path:
        """Print one SHA-256 over what a run has become.

        Args:
            run: Run folder.
        """
        return run

    run = parse(command, "primacy digest", arguments)
    with refusing(run, "restore that file from a copy of the run", "read"):
        print(digest_of(run))
    return 0
