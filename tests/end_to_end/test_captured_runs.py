"""Whole runs whose updates are replayed recordings against the same runs taken plainly: edits by
remedies, priorities, checkpoints and other runs of a stack act between the replays."""

from pathlib import Path

import pytest
import torch

from primacy.runs.conduct import train
from primacy.runs.digest import digest
from primacy.runs.options import parse_train
from primacy.runs.stack import train_together
from primacy.tests.support import atari_runs, small_runs
from primacy.tests.support.tape import Tape, recording

torch.set_num_threads(1)

ARMS = {"plain": ("none",), "reset": ("reset:every=16,networks=critic",)}


@pytest.fixture
def tapes(monkeypatch: pytest.MonkeyPatch) -> list[Tape]:
    return recording(monkeypatch)


def arguments(agent: str, out: Path, *more: str) -> tuple[str, ...]:
    if agent == "sac":
        return (*small_runs.SMALL, *small_runs.REMEDIES, *more, "--out", str(out))
    return atari_runs.arguments(agent, out, *more)


@pytest.mark.parametrize("agent", ["sac", "spr"])
def test_a_recorded_run_is_the_run(agent: str, tmp_path: Path, tapes: list[Tape]):
    plain, recorded = tmp_path / "plain", tmp_path / "recorded"
    assert train(parse_train(arguments(agent, plain)).run, plain, quiet=True) == 0
    assert not tapes
    run = parse_train(arguments(agent, recorded, "--compile", "always")).run
    assert train(run, recorded, quiet=True) == 0
    assert tapes[0].replays > 20
    assert digest(recorded) == digest(plain)


def test_so_are_the_arms_of_a_stack(tmp_path: Path, tapes: list[Tape]):
    runs = []
    for arm, remedies in ARMS.items():
        alone, out = tmp_path / "alone" / arm, tmp_path / "stack" / arm
        given = ("--jumps", "2", "--remedies", *remedies)
        assert train(parse_train(arguments("bbf", alone, *given)).run, alone, quiet=True) == 0
        recorded = arguments("bbf", out, *given, "--compile", "always")
        runs.append((parse_train(recorded).run, out))
    assert train_together(runs, quiet=True) == 0
    assert tapes[0].replays > 20
    for arm in ARMS:
        assert digest(tmp_path / "stack" / arm) == digest(tmp_path / "alone" / arm)
