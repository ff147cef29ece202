from dataclasses import replace
from pathlib import Path

import pytest

from primacy.agents.sac import SACConfig
from primacy.replay.offline import load
from primacy.runs import data_controller, data_rollout
from primacy.runs.cli import main
from primacy.runs.config import RunConfig
from primacy.runs.data_cloning import Cloning
from primacy.runs.data_controller import controller, controller_config, controller_folder, trained
from primacy.runs.data_file import generate, read_header
from primacy.runs.data_recipe import Recipe
from primacy.runs.errors import UserError


def newborn() -> RunConfig:
    small = SACConfig(hidden_sizes=(8,), log_std_bound="clip")
    return replace(controller_config(40), algorithm=small, start_steps=30, batch_size=4)


def test_from_an_untrained_controller_to_a_scored_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(data_rollout, "LONGEST", 50)
    config = newborn()
    folder = controller_folder(tmp_path, config)
    assert trained(folder, config, quiet=True) == 0
    stamp = (folder / "status.json").stat().st_mtime_ns
    assert trained(folder, config, quiet=True) == 0
    assert (folder / "status.json").stat().st_mtime_ns == stamp
    with pytest.raises(UserError, match="walks at .* m/s, its worst heading") as caught:
        controller(folder, config)
    assert caught.value.hint.startswith("raise --controller-steps (now 40)")
    walker = controller(folder, config, demanded=False)
    out = tmp_path / "umaze.npz"
    cloning = Cloning(steps=5, episodes=1, batch=8)
    said: list[str] = []
    generate(Recipe("antmaze-umaze-v2", 50, 0.5), walker, cloning, out, said.append)
    assert len(load(out, 29, 8)) == 49
    header = read_header(out)
    assert header["cloning_score"] == 0.0
    assert header["controller"]["env_steps"] == 40
    assert header["controller_mean_speed"] == walker.mean_speed
    assert "cloning score 0% of 1 episodes after 5 gradient steps" in said[-1]


def test_the_command_refuses_a_slow_controller_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PRIMACY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data_controller, "controller_config", lambda steps, seed: newborn())
    out = tmp_path / "umaze.npz"
    assert main(["data", "antmaze", "--rows", "50", "--out", str(out), "--quiet"]) == 2
    error = capsys.readouterr().err.splitlines()
    assert error[0].startswith("error: the ant controller walks at")
    assert len(error) == 2
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--quality", "1.5"], "--quality 1.5 is outside [0, 1]"),
        (["--task", "walker-walk"], "unknown AntMaze task 'walker-walk'"),
        (["--rows", "1"], "--rows must be at least 2"),
        (["--noise", "-1"], "--noise must not be negative"),
        (["--out", "x.hdf5"], "--out x.hdf5 does not end in .npz"),
    ],
)
def test_mistakes_are_two_lines(
    options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["data", "antmaze", "--out", "x.npz", *options]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"error: {complaint}"
    assert second
