"""Runs that die between two env steps, in this process."""

from pathlib import Path

import pytest

from primacy.runs import checkpoint as checkpoints
from primacy.runs.conduct import train
from primacy.runs.config import RunConfig
from primacy.runs.digest import digest
from primacy.runs.train import Training


class Killed(Exception):
    """What stands for the death of the process."""


def train_killed(config: RunConfig, out: Path, at: int, saved: int) -> None:
    """Train until env step `at`, die there with the checkpoint of env step `saved` as the newest,
    and go on to the end."""
    advance = Training._advance

    def dying(self: Training) -> None:
        if self.env_step == at:
            raise Killed
        advance(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "_advance", dying)
        with pytest.raises(Killed):
            train(config, out, quiet=True)
    assert checkpoints.steps(out / "checkpoints")[-1] == saved
    assert train(config, out, quiet=True) == 0


def assert_same(one: Path, other: Path) -> None:
    """Two run folders hold the same run: digests, and tables that digests leave out."""
    assert digest(one) == digest(other)
    for table in ("training", "evaluations", "plasticity"):
        ours, theirs = (folder / f"{table}.csv" for folder in (one, other))
        assert ours.read_text() == theirs.read_text(), table
