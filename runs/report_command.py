"""`primacy report`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import tyro

from primacy.runs.arguments import parse
from primacy.runs.report import ReportOptions, run


@dataclass(frozen=True)
class _Arguments(ReportOptions):
    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders or other results (docs/import.md), or folders that hold them at any depth."""


def report(arguments: Sequence[str]) -> int:
    """Write a report on run folders."""
    parsed = parse(
        _Arguments,
        "primacy report",
        arguments,
        description=ReportOptions.__doc__,
        config=(tyro.conf.OmitArgPrefixes,),
    )
    return run(ReportOptions(**{f.name: getattr(parsed, f.name) for f in fields(ReportOptions)}))
