"""`primacy stack`: what a sweep with --lanes remedies starts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from primacy.runs.arguments import parse
from primacy.runs.errors import UserError
from primacy.runs.options import parse_train
from primacy.runs.stack import train_together

HINT = "`primacy sweep --lanes remedies` writes such files"


def stack(arguments: Sequence[str]) -> int:
    """Train the runs of a file in one process; the same command again goes on."""

    def command(file: tyro.conf.Positional[Path]) -> Path:
        """Train runs that differ in remedies alone in one process, their agents in one stack.

        Args:
            file: JSON, a list of lists: the options of `primacy train` for each run.
        """
        return file

    path = parse(command, "primacy stack", arguments)
    try:
        asked = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no list of runs: {error}", HINT) from error
    if not isinstance(asked, list) or not all(map(_options, asked)):
        raise UserError(f"{path} is no list of lists of options", HINT)
    if not asked:
        raise UserError(f"{path} names no run", HINT)
    parsed = [parse_train(options, "primacy stack") for options in asked]
    quiet = all(options.quiet for options in parsed)
    return train_together([(options.run, options.out) for options in parsed], quiet)


def _options(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(text, str) for text in given)
