"""Arms that see in one stack against the same runs apart: their batches carry masks, weights and
priorities, and pictures are drawn in a thread for each run."""

import json
from pathlib import Path

import pytest
import torch

from primacy.runs.conduct import train
from primacy.runs.digest import digest
from primacy.runs.options import parse_train
from primacy.tests.end_to_end.test_pixels import SMALL
from primacy.tests.support import atari_runs
from primacy.tests.support.small_runs import primacy

torch.set_num_threads(1)

ARMS = {"plain": ("none",), "reset": ("reset:every=16,networks=critic",)}


def arguments(agent: str, arm: str, out: Path) -> list[str]:
    """Of one run."""
    remedies = "--remedies", *ARMS[arm]
    if agent == "drq":
        task = "--agent", agent, "--task", "cartpole-swingup-pixels"
        return [*task, *SMALL, *remedies, "--out", str(out / arm)]
    more = "--jumps", "2"
    return [*atari_runs.arguments(agent, out / arm, *more, *remedies)]


@pytest.mark.parametrize("agent", ["bbf", pytest.param("drq", marks=pytest.mark.slow)])
def test_an_arm_is_the_run_that_it_would_be_alone(agent: str, tmp_path: Path):
    together, apart = tmp_path / "together", tmp_path / "apart"
    together.mkdir()
    stack = together / "stack.json"
    stack.write_text(json.dumps([arguments(agent, arm, together) for arm in ARMS]))
    answer = primacy("stack", str(stack))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for arm in ARMS:
        run = parse_train(arguments(agent, arm, apart)).run
        assert train(run, apart / arm, quiet=True) == 0
        assert digest(together / arm) == digest(apart / arm)
    assert digest(together / "plain") != digest(together / "reset")
