"""Command lines to dataclasses by tyro, whose complaints become two lines like all others."""

import io
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any

from primacy.runs.errors import UserError

WIDE = "10000"
"""Columns at which tyro breaks no line of a complaint."""


def parse(kind: Any, program: str, arguments: Sequence[str], **options: Any) -> Any:
    """What tyro makes of `arguments`: an instance of `kind`, or what it returns.

    Raises:
        UserError: an unknown option, a missing one, or a value that is none.
    """
    import tyro

    said = io.StringIO()
    try:
        with _columns(WIDE if not _asks_for_help(arguments) else None), redirect_stderr(said):
            return tyro.cli(kind, prog=program, args=list(arguments), **options)
    except SystemExit as end:
        if end.code != 2:
            raise
        raise UserError(*_complaint(said.getvalue(), program)) from end


def _asks_for_help(arguments: Sequence[str]) -> bool:
    return "-h" in arguments or "--help" in arguments


@contextmanager
def _columns(width: str | None) -> Iterator[None]:
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = width or str(shutil.get_terminal_size().columns)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _complaint(box: str, program: str) -> tuple[str, str]:
    """What is wrong and what to do, out of tyro's frame of sections."""
    # Where the terminal takes ASCII alone, tyro's frame has other characters or none.
    help_line = f"`{program} --help` lists the options"
    title, *lines = [line.strip("│| ") for line in box.splitlines() if line.strip("─-╭╮╰╯+│| ")]
    text = "\n".join(lines or [title])
    unknown = re.search(r"Unrecognized options:\s*(.*?)(?=\nPerhaps|\nFor full|\Z)", text, re.S)
    if unknown:
        meant = re.search(r"Perhaps you meant:\n(\S+)", text)
        found = " ".join(unknown[1].replace(",", " ").split())
        return f"unknown option {found}", f"perhaps {meant[1]}; {help_line}" if meant else help_line
    missing = re.search(r"Missing from .*?:\n(.*?)(?=\nFor full|\Z)", text, re.S)
    if missing:
        names = re.findall(r"^(--\S+|[A-Z][A-Z.|{}]+)(?: |$)", missing[1], re.M)
        return f"{program} needs {' and '.join(names)}", help_line
    return text.partition("\n")[0], help_line
