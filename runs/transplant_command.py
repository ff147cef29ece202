"""`primacy transplant`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from primacy.runs import transplant as transplants
from primacy.runs.arguments import parse
from primacy.runs.conduct import train as conduct
from primacy.runs.config import RunConfig, read
from primacy.runs.errors import UserError, refusing
from primacy.runs.fork import MEND
from primacy.runs.options import parse_train


@dataclass(frozen=True)
class TransplantOptions:
    """Start a fresh run with another one's experience in its replay, or with its networks.

    Every option of `primacy train` may follow; what is left out is as in the source, without its
    remedies and its random steps. --offline-updates N trains on the experience before the first env
    step; --env-steps 0 stops there. The same command again goes on.
    """

    run: tyro.conf.Positional[Path]
    """Run folder of the source."""
    what: Literal["experience", "networks"] = "experience"
    """What is taken over."""
    first: int | None = None
    """Experience: only the first so many transitions of each seed (default: all)."""
    at: int | None = None
    """Networks: env step of the checkpoint (default: the newest)."""


def transplant(arguments: Sequence[str]) -> int:
    """Make the run if it is not there yet, then train it to its end."""
    program = "primacy transplant"
    options, rest = parse(TransplantOptions, program, arguments, return_unknown_args=True)
    source = read(options.run)
    default = replace(
        source,
        remedies=(),
        prime_updates=0,
        given_transitions=0,
        offline_data="",
        offline_updates=0,
        at_switch=(),
        relearn_updates=0,
        online_sampling="append",
        normalize_observations=False,
    )
    if options.what == "experience":
        given = transplants.available(options.run, options.first)
        default = replace(default, start_steps=1, given_transitions=given)
    parsed = parse_train(rest, program, default)
    kept = tuple(text for text in parsed.run.remedies if text != "none")
    config = replace(parsed.run, remedies=kept)
    _check(options, config)
    with refusing(parsed.out, MEND, "written or read"):
        if options.what == "networks":
            transplants.networks(options.run, config, options.at, parsed.out)
        else:
            transplants.experience(options.run, config, parsed.out)
    return conduct(config, parsed.out, parsed.quiet)


def _check(options: TransplantOptions, config: RunConfig) -> None:
    if config.offline_data:
        raise UserError(
            "--offline-data: a transplant begins with what its source has",
            "leave it out; `primacy train --offline-data FILE` begins with a file",
        )
    given = config.offline_updates or config.given_transitions
    if options.what == "networks" and (options.first is not None or given):
        raise UserError(
            "--first, --given-transitions and --offline-updates are about experience",
            "leave them out, or transplant --what experience",
        )
