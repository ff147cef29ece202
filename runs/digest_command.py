"""`primacy digest`."""

from collections.abc import Sequence
from pathlib import Path

import tyro

from primacy.runs.digest import digest as digest_of


def digest(arguments: Sequence[str]) -> int:
    """Print the digest of a run: equal digests mean equal parameters, replay, evaluations and
    diagnostics."""

    def command(run: tyro.conf.Positional[Path]) -> None:
        """Print one SHA-256 over what a run has become.

        Args:
            run: Run folder.
        """
        print(digest_of(run))

    tyro.cli(command, prog="primacy digest", args=list(arguments))
    return 0
