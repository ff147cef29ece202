"""What changes where the offline phase of a run ends and its env steps begin."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from primacy.plasticity import remedies as remedy_syntax
from primacy.plasticity.schedule import Schedule
from primacy.runs.errors import UserError

NEVER = 1 << 62
"""The interval of a remedy that fires at the switch alone."""


def switch_remedies(texts: Sequence[str]) -> list[Any]:
    """The remedies of `at_switch`, with a schedule that never comes; "none" counts for nothing.

    Raises UserError for a schedule field and for what does not act once.
    """
    return [remedy for text in texts if text != "none" and (remedy := _remedy(text)) is not None]


def switch_text(remedy: Any) -> str:
    """The canonical text of a remedy of the switch: without its schedule."""
    name, _, rest = remedy_syntax.describe(remedy).partition(":")
    kept = [part for part in rest.split(",") if part != f"every={NEVER}"]
    return f"{name}:{','.join(kept)}" if kept else name


def check_switch(texts: Sequence[str]) -> None:
    """Raises UserError as `switch_remedies` does."""
    switch_remedies(texts)


def _remedy(text: str) -> Any | None:
    name, _, rest = text.partition(":")
    kind = remedy_syntax.REMEDIES.get(name)
    schedule = {f.name for f in fields(Schedule)}
    given = {part.partition("=")[0] for part in rest.split(",")}
    if kind is not None and (not issubclass(kind, Schedule) or hasattr(kind, "before_step")):
        raise UserError(
            f"--at-switch {name}: it does not act at one moment", "give reset or shrink-perturb"
        )
    if kind is not None and (timed := sorted(schedule & given)):
        raise UserError(
            f"--at-switch {text}: {timed[0]} is about a schedule", "leave it out: it happens once"
        )
    whole = f"{text}{',' if rest else ':'}every={NEVER}" if text and kind else text
    try:
        return remedy_syntax.parse(whole)
    except remedy_syntax.RemedyError as error:
        raise UserError(str(error), error.hint) from error
