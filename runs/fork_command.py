"""`primacy fork`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from primacy.runs.arguments import parse
from primacy.runs.conduct import train as conduct
from primacy.runs.config import read
from primacy.runs.errors import refusing
from primacy.runs.fork import MEND
from primacy.runs.fork import fork as make_fork
from primacy.runs.options import parse_train


@dataclass(frozen=True)
class ForkOptions:
    """Go on from a kept checkpoint of a run with other settings, in a folder of its own.

    Every option of `primacy train` but those of the shared history may follow; what is left out is
    as in the parent. --remedies none takes its remedies away. The same command again goes on.
    """

    run: tyro.conf.Positional[Path]
    """Run folder of the parent."""
    at: int
    """Env step of one of its checkpoints (--keep-checkpoints)."""


def fork(arguments: Sequence[str]) -> int:
    """Make the fork if it is not there yet, then train it to its end."""
    program = "primacy fork"
    options, rest = parse(ForkOptions, program, arguments, return_unknown_args=True)
    parsed = parse_train(rest, program, read(options.run))
    kept = {
        name: tuple(text for text in getattr(parsed.run, name) if text != "none")
        for name in ("remedies", "at_switch")
    }
    config = replace(parsed.run, **kept)
    with refusing(parsed.out, MEND, "written or read"):
        make_fork(options.run, options.at, config, parsed.out)
    return conduct(config, parsed.out, parsed.quiet)
