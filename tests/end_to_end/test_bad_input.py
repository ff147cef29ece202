"""Mistakes: a line that says what is wrong, one that says what to do, exit code 2."""

import os
from pathlib import Path

import pytest

from primacy.tests.support.complaints import complaint
from primacy.tests.support.small_runs import SMALL, primacy


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--task", "quadruped-rum"), ("unknown task 'quadruped-rum'", "quadruped-run")),
        (("--agent", "sax"), ("unknown agent 'sax'", "sac")),
        (("--remedies", "rest:every=10"), ("unknown remedy 'rest'", "reset")),
        (("--remedies", "reset:evry=10"), ("no field 'evry'", "every")),
        (("--remedies", "reset:every=0"), ("field every=0", "at least 1")),
        (("--remedies", "reset:every=5,networks=critc"), ("field networks", "critic")),
        (("--remedies", "reset:every=5,layers=nose"), ("field layers", "critic.0")),
        (("--replay-ratio", "0"), ("--replay-ratio 0", "1/2")),
        (("--replay-ratio", "-3"), ("--replay-ratio -3", "1/2")),
        (("--seeds", "1", "1"), ("--seeds 1 1", "each seed once")),
        (("--replay-rato", "3"), ("unknown option --replay-rato", "--replay-ratio")),
        (("--task", "atari-pong"), ("agent sac", "atari-pong", "--agent bbf or")),
        (("--env-steps", "ten"), ("--env-steps", "'ten'", "--help")),
        (("--compile", "maybe"), ("'maybe'", "--compile", "always", "--help")),
        (("--at-switch", "reset:networks=critc"), ("field networks", "critic")),
        (("--device", "foo"), ("unknown device 'foo'", "cpu or cuda")),
        (("--device", "cuda:0"), ("unknown device 'cuda:0'", "cpu or cuda")),
        (("--learning-rate", "nan"), ("--learning-rate nan is not a finite number", "leave")),
        (("--discount", "inf"), ("--discount inf is not a finite number", "leave")),
        (("--reward-scale", "nan"), ("--reward-scale nan is not a finite number", "leave")),
        (("--given-transitions", "5"), ("--given-transitions 5", "transplant")),
    ],
)
def test_train_refuses_and_writes_nothing(capsys, tmp_path, arguments, words):
    out = tmp_path / "run"
    said = complaint(capsys, "train", *SMALL, *arguments, "--out", str(out))
    assert all(word in said for word in words), said
    assert not out.exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("train", ("needs --out and --task", "primacy train --help")),
        ("evaluate", ("needs PATH", "primacy evaluate --help")),
        ("sweep", ("needs --grid and --out", "primacy sweep --help")),
        ("status", ("needs PATH", "primacy status --help")),
        ("report", ("needs --output", "primacy report --help")),
        ("digest", ("needs PATH", "primacy digest --help")),
    ],
)
def test_a_command_alone_says_what_it_needs(capsys, command, words):
    said = complaint(capsys, command)
    assert all(word in said for word in words), said


def test_a_replay_that_does_not_fit_is_refused(capsys, tmp_path):
    huge = ("--env-steps", "9000000000", "--replay-capacity", "9000000000")
    said = complaint(capsys, "train", *SMALL, *huge, "--out", str(tmp_path / "run"))
    assert "GB" in said
    assert "--replay-capacity" in said
    assert not (tmp_path / "run").exists()


def test_no_write_permission(capsys, tmp_path):
    # A file in the folder's place: root may write into any folder, whatever its permissions.
    (tmp_path / "blocked").write_text("")
    said = complaint(capsys, "train", *SMALL, "--out", str(tmp_path / "blocked" / "run"))
    assert "cannot be written" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(capsys, tmp_path):
    tmp_path.chmod(0o500)
    said = complaint(capsys, "train", *SMALL, "--out", str(tmp_path / "run"))
    assert "cannot be written" in said


@pytest.mark.parametrize("name", ["digest", "evaluate", "status", "report"])
def test_reading_commands_refuse_a_folder_without_runs(capsys, tmp_path, name):
    extra = ("--output", str(tmp_path / "out")) if name == "report" else ()
    complaint(capsys, name, str(tmp_path), *extra)


def test_unknown_command(capsys):
    assert "train" in complaint(capsys, "trian")


@pytest.mark.parametrize("grid", ["replay-ratio", "=1,2", "replay-ratio=1,,2"])
def test_sweep_refuses_a_grid_it_does_not_understand(capsys, tmp_path, grid):
    said = complaint(capsys, "sweep", "--grid", grid, *SMALL, "--out", str(tmp_path))
    assert "--grid" in said


def test_sweep_checks_every_run_before_it_starts_one(capsys, tmp_path: Path):
    grid = ("--grid", "replay-ratio=1,0")
    complaint(capsys, "sweep", *SMALL, *grid, "--out", str(tmp_path / "s"))
    assert not (tmp_path / "s").exists()


def test_nan_reward_stops_the_run_and_loses_nothing(capsys, tmp_path, monkeypatch):
    from primacy.envs import dmc

    steps = 0
    step = dmc.DMC.step

    def poisoned(self, action):
        nonlocal steps
        steps += 1
        observation, reward, *rest = step(self, action)
        return observation, float("nan") if steps == 150 else reward, *rest

    monkeypatch.setattr(dmc.DMC, "step", poisoned)
    out = tmp_path / "run"
    said = complaint(capsys, "train", *SMALL, "--eval-every", "0", "--out", str(out))
    assert "cartpole-swingup gave a reward that is not finite" in said
    assert "failed" in (out / "status.json").read_text()
    assert (out / "checkpoints" / "0000000040.json").exists()


def test_help_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; from primacy.runs.cli import main; main(['--help']); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_train_help_lists_units_and_defaults():
    answer = primacy("train", "--help")
    assert answer.returncode == 0
    for text in ("--replay-ratio", "--eval-every", "--hidden-sizes", "--keep-checkpoints", "256"):
        assert text in answer.stdout
