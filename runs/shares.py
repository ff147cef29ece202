"""Which rows of a batch are drawn from the given transitions and which from the online ones."""

from fractions import Fraction

import numpy as np

from primacy.runs.errors import UserError


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


def given_rows(share: Fraction, rows: int) -> np.ndarray:
    """Whether each row of a batch is a given transition, bool [rows].

    Of the first n rows ceil(n * share) are, for every n, so that consecutive rows hold the share as
    evenly as it goes: with 1/2 rows 0, 2, 4, ... (rlpd's `combine`, Ball et al. 2023), with 1/4
    rows 0, 4, 8, ... Every mini-batch of which the share is whole holds it exactly.
    """
    counts = -(-np.arange(rows + 1) * share.numerator // share.denominator)
    return np.diff(counts) > 0
