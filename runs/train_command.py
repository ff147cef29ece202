"""`primacy train`."""

from collections.abc import Sequence

from primacy.runs.conduct import train as conduct
from primacy.runs.options import parse_train


def train(arguments: Sequence[str]) -> int:
    """Train, or go on with, the run in --out."""
    options = parse_train(arguments)
    return conduct(options.run, options.out, options.quiet)
