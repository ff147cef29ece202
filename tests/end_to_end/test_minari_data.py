"""Runs that begin with a Minari dataset: a run's own experience, exported, as offline data."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from primacy.replay.journal import Journal
from primacy.runs import cli
from primacy.runs.config import read
from primacy.tests.support.small_runs import SMALL

pytest.importorskip("minari")
pytest.importorskip("h5py")

CALM = ("--eval-every", "0", "--diagnose-every", "0")
OFFLINE = (
    "--task cartpole-swingup --action-repeat 8 --seeds 5 6 --hidden-sizes 16 16 --batch-size 16 "
    "--env-steps 0 --offline-updates 20 --eval-every 15 --eval-episodes 1 --compile never --quiet"
).split()


def run(*arguments: str | Path) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of two seeds of 300 env steps, and its datasets."""
    folder = tmp_path_factory.mktemp("made")
    assert run("train", *SMALL, *CALM, "--out", folder / "run") == 0
    assert run("export", folder / "run", "--output", folder / "data") == 0
    return folder / "run", folder / "data"


def train(data: Path, out: Path, agent: str = "bc") -> int:
    return run("train", "--agent", agent, *OFFLINE, "--offline-data", data, "--out", out)


@pytest.mark.parametrize("agent", ["bc", "iql"])
def test_its_transitions_are_given_to_each_seed(
    made: tuple[Path, Path], tmp_path: Path, agent: str
):
    source, data = made
    seed0 = data / "cartpole-swingup" / "seed0-v0"
    assert train(seed0, tmp_path / "run", agent) == 0
    assert read(tmp_path / "run").given_transitions == 300
    journal, original = Journal.open(tmp_path / "run" / "journal"), Journal.open(source / "journal")
    layout = journal.layout
    given, wanted = journal.read(0, 300), original.read(0, 300)[:, 0].copy()
    # Actions are clipped as those of every data set; the last episode, cut short, is one that ends.
    actions = slice(layout.observation_size, layout.outcome.start)
    wanted[:, actions] = wanted[:, actions].clip(-(1 - 1e-5), 1 - 1e-5)
    wanted[-1, layout.outcome.start + 2] = 1
    for lane in range(2):
        assert np.array_equal(given[:, lane], wanted)
    assert train(seed0, tmp_path / "run", agent) == 0  # Finished, and the data are the same.


def test_what_cannot_be_given(
    made: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    _, data = made
    one = shutil.copytree(data / "cartpole-swingup" / "seed0-v0", tmp_path / "one")
    assert train(data, tmp_path / "many") == 2
    assert "holds 2 Minari datasets" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert train(tmp_path / "empty", tmp_path / "none") == 2
    assert "holds no Minari dataset" in capsys.readouterr().err
    arguments = [word.replace("cartpole-swingup", "walker-walk") for word in OFFLINE]
    other = run(
        "train", "--agent", "bc", *arguments, "--offline-data", one, "--out", tmp_path / "other"
    )
    assert other == 2
    assert "observations have the shape (300, 5), not (300, 24)" in capsys.readouterr().err
    assert train(one, tmp_path / "run") == 0
    (one / "note").write_text("changed")
    assert train(one, tmp_path / "run") == 2
    assert "has changed since" in capsys.readouterr().err
