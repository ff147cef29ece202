"""Command-line arguments to a run's configuration; tyro reads the dataclasses, their docstrings are
the help."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from primacy.runs.arguments import parse
from primacy.runs.config import RunConfig, near, to_dict
from primacy.runs.errors import UserError
from primacy.runs.settings import SETTINGS


@dataclass(frozen=True)
class TrainOptions:
    """Train S seeds of one agent on one task. The same command again goes on where it stopped."""

    run: RunConfig
    out: Path
    """Run folder: written, and resumed from where it exists."""
    quiet: bool = False
    """No progress lines."""


def as_arguments(config: RunConfig) -> list[str]:
    """The options that make `primacy train` run this configuration: what the setting leaves."""
    default = SETTINGS[config.agent](config.task)
    return ["--agent", config.agent, "--task", config.task, *differing(config, default)]


def differing(config: RunConfig, default: RunConfig) -> list[str]:
    """The options that make a configuration of another one of the same agent."""
    before = to_dict(default)
    arguments = []
    for name, value in to_dict(config).items():
        if value == before[name]:
            continue
        option = name.replace("_", "-")
        if isinstance(value, bool):
            arguments.append(f"--{'' if value else 'no-'}{option}")
        else:
            values = value if isinstance(value, list) else [value]
            arguments += [f"--{option}", *map(str, values)]
    return arguments


def last_of(option: str, arguments: Sequence[str]) -> str | None:
    """The last value of an option, None where it is not given."""
    found = None
    for argument, following in zip(arguments, [*arguments, None][1:], strict=True):
        if argument == option and following is not None:
            found = following
        elif argument.startswith(f"{option}="):
            found = argument.split("=", 1)[1]
    return found


def parse_train(
    arguments: Sequence[str], program: str = "primacy train", default: RunConfig | None = None
) -> TrainOptions:
    """The options of `primacy train`, on top of a `default` run if there is one.

    Raises UserError for an agent that does not exist and for options that do not parse.
    """
    # These two decide every other default.
    setting, task = last_of("--agent", arguments) or "sac", last_of("--task", arguments)
    if setting not in SETTINGS:
        raise UserError(f"unknown agent {setting!r}", near(setting, list(SETTINGS)))
    base = SETTINGS[setting](task or tyro.MISSING) if default is None else default
    return parse(
        TrainOptions,
        program,
        arguments,
        default=TrainOptions(run=base, out=tyro.MISSING),
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.AvoidSubcommands),
    )
