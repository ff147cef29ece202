"""What changes where the offline phase of a run ends and its env steps begin."""

from collections.abc import Sequence
from dataclasses import fields
from fractions import Fraction
from typing import Any

from primacy.plasticity import remedies as remedy_syntax
from primacy.plasticity.schedule import Schedule
from primacy.runs.errors import UserError

NEVER = 1 << 62
"""The interval of a remedy that fires at the switch alone."""


def online_share(text: str, batch_size: int) -> Fraction | None:
    """The share of given transitions in a mini-batch, exactly; None for "append".

    Raises UserError for another text, and where the share of `batch_size` is not whole.
    """
    if text == "append":
        return None
    kind, _, number = text.partition(":")
    try:
        share = Fraction(number)
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if kind != "symmetric" or not 0 < share < 1:
        raise UserError(
            f"--online-sampling {text} is neither append nor symmetric:SHARE",
            "give the share of given transitions, between 0 and 1: symmetric:0.5",
        )
    if (share * batch_size).denominator != 1:
        raise UserError(
            f"--online-sampling {text}: {float(share * batch_size):g} of {batch_size} transitions "
            "is no whole number",
            f"change the share, or --batch-size to a multiple of {share.denominator}",
        )
    return share


def switch_remedies(texts: Sequence[str]) -> list[Any]:
    """The remedies of `at_switch`, with a schedule that never comes; "none" counts for nothing.

    Raises UserError for a schedule field and for what does not act once.
    """
    return [remedy for text in texts if text != "none" and (remedy := _remedy(text)) is not None]


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
