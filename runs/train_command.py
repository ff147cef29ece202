"""`primacy train`."""

from collections.abc import Sequence

from primacy.runs import train as training
from primacy.runs.options import parse_train


def train(arguments: Sequence[str]) -> int:
    """Train, or go on with, the run in --out."""
    options = parse_train(arguments)
    return training.train(options.run, options.out, options.quiet)
