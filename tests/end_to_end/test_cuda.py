"""Runs on a GPU, where there is one: their updates are replayed, and a run that was killed ends as
one that was not."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from primacy.agents.captured import CudaGraph
from primacy.runs.conduct import train
from primacy.runs.options import parse_train
from primacy.runs.stack import train_together
from primacy.tests.support import atari_runs, small_runs
from primacy.tests.support.killed_runs import assert_same, train_killed

DEVICE = "cuda"

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def arguments(agent: str, out: Path) -> tuple[str, ...]:
    more = ("--device", DEVICE, "--compile", "always")
    if agent == "sac":
        return (*small_runs.SMALL, *small_runs.REMEDIES, *more, "--out", str(out))
    # Its own residual network, whose pools a GPU must not add up in any order.
    own = ("--encoder", "impala") if agent == "bbf" else ()
    return atari_runs.arguments(agent, out, *own, *more)


@pytest.mark.parametrize("agent", ["sac", "drq-eps", "spr", "bbf"])
def test_replayed_killed_and_repeated(agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    replays: list[CudaGraph] = []
    replay = CudaGraph.replay

    def counted(graph: CudaGraph) -> None:
        replays.append(graph)
        replay(graph)

    monkeypatch.setattr(CudaGraph, "replay", counted)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(parse_train(arguments(agent, whole)).run, whole, quiet=True) == 0
    assert len(replays) > 20
    train_killed(parse_train(arguments(agent, killed)).run, killed, at=90, saved=80)
    assert_same(whole, killed)


def test_a_stack_is_the_same_twice(tmp_path: Path):
    for time in ("once", "again"):
        first, second = tmp_path / time / "treated", tmp_path / time / "plain"
        treated = parse_train(arguments("sac", first)).run
        runs = [(treated, first), (replace(treated, remedies=()), second)]
        assert train_together(runs, quiet=True) == 0
    for arm in ("treated", "plain"):
        assert_same(tmp_path / "once" / arm, tmp_path / "again" / arm)
