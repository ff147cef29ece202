"""A run that was killed and repeated equals one that never stopped."""

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from primacy.runs import conduct
from primacy.runs.folder import RunFolder
from primacy.runs.options import parse_train
from primacy.runs.train import Training
from primacy.tests.support.small_runs import SMALL, digest, primacy, start, train, trained


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("whole") / "run")


def rows(out: Path, table: str) -> list[str]:
    return (out / f"{table}.csv").read_text().splitlines()


def wait_for_step(out: Path, step: int) -> None:
    """Until the checkpoint of this step is there; the run itself decides how long that takes."""
    for _ in range(2400):
        if (out / "checkpoints" / f"{step:010d}.json").exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"no checkpoint {step} in {out}")


@pytest.mark.parametrize("step", [0, 40, 120, 200, 280])
def test_kill_and_repeat_has_the_same_digest(whole: Path, tmp_path: Path, step: int):
    out = tmp_path / "run"
    process = start(out)
    if step:
        wait_for_step(out, step)
    time.sleep(random.uniform(0, 0.3 if step else 3.0))
    process.kill()
    process.wait()
    assert train(out).returncode == 0
    assert digest(out) == digest(whole)
    assert rows(out, "training") == rows(whole, "training")
    assert json.loads((out / "status.json").read_text())["state"] == "finished"


@pytest.mark.slow
def test_kill_and_repeat_of_a_compiled_run(tmp_path: Path):
    compiled = ("--compile", "always")
    assert train(tmp_path / "whole", *compiled).returncode == 0
    out = tmp_path / "run"
    process = start(out, *compiled)
    wait_for_step(out, 160)
    process.kill()
    process.wait()
    assert train(out, *compiled).returncode == 0
    assert digest(out) == digest(tmp_path / "whole")


@pytest.mark.parametrize(
    ("room", "options", "full"),
    [
        (20_000, (), ".safetensors"),
        (60_000, ("--log-every", "1", "--hidden-sizes", "2", "2"), "training.csv"),
    ],
)
def test_a_full_disk_loses_nothing(tmp_path: Path, room: int, options: tuple, full: str):
    """A limit on the size of files refuses a write as a full disk does, halfway through it."""
    assert train(tmp_path / "whole", *options).returncode == 0
    out = tmp_path / "run"
    answer = train(out, *options, largest_file=room)
    assert answer.returncode == 2
    assert full in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 2, answer.stderr
    assert train(out, *options).returncode == 0
    assert digest(out) == digest(tmp_path / "whole")
    assert rows(out, "training") == rows(tmp_path / "whole", "training")


def test_sigterm_saves_and_says_so(whole: Path, tmp_path: Path):
    out = tmp_path / "run"
    process = start(out)
    wait_for_step(out, 80)
    process.send_signal(signal.SIGTERM)
    printed = process.communicate()[0]
    assert process.returncode == 128 + signal.SIGTERM
    assert "SIGTERM" in printed
    assert "Traceback" not in printed
    assert json.loads((out / "status.json").read_text())["state"] == "interrupted"
    assert train(out).returncode == 0
    assert digest(out) == digest(whole)


def test_a_second_signal_does_not_keep_the_status_from_saying_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "run"
    run = parse_train([*SMALL, "--out", str(out)]).run
    escaped: list[int] = []
    write, save = RunFolder.write_status, Training._save

    def signalled(folder: RunFolder, state: str, *more: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        write(folder, state, *more)

    def twice(training: Training) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        save(training)

    monkeypatch.setattr(RunFolder, "write_status", signalled)
    monkeypatch.setattr(Training, "_save", twice)
    old = signal.signal(signal.SIGTERM, lambda number, frame: escaped.append(number))
    try:
        assert conduct.train(run, out, quiet=True) == 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, old)
    assert not escaped
    assert json.loads((out / "status.json").read_text())["state"] == "interrupted"


def test_same_command_twice_is_the_same_run(whole: Path, tmp_path: Path):
    out = tmp_path / "run"
    assert train(out).returncode == 0
    assert digest(out) == digest(whole)


def test_digest_sees_a_changed_evaluation(whole: Path, tmp_path: Path):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    path = out / "evaluations.csv"
    path.write_text(path.read_text().replace("0,100,", "0,101,", 1))
    assert digest(out) != digest(whole)


def test_evaluating_twice_as_often_changes_no_training_row(whole: Path, tmp_path: Path):
    out = tmp_path / "run"
    assert train(out, "--eval-every", "50").returncode == 0
    assert rows(out, "training") == rows(whole, "training")
    assert len(rows(out, "evaluations")) > len(rows(whole, "evaluations"))


def test_corrupt_newest_checkpoint_falls_back(whole: Path, tmp_path: Path):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    newest = sorted((out / "checkpoints").glob("*.safetensors"))[-1]
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    answer = train(out)
    assert answer.returncode == 0, answer.stderr
    assert "is damaged" in answer.stdout
    assert digest(out) == digest(whole)


def test_a_run_into_another_configuration_is_refused(whole: Path):
    before = digest(whole)
    answer = train(whole, "--batch-size", "32")
    assert answer.returncode == 2
    assert "batch_size: 16 there, 32 here" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 2
    assert digest(whole) == before


def test_two_processes_on_one_folder(tmp_path: Path):
    out = tmp_path / "run"
    first = start(out)
    wait_for_step(out, 40)
    second = train(out)
    first.kill()
    first.wait()
    assert second.returncode == 2
    assert "in use" in second.stderr


def test_evaluate_and_status_read_a_run(whole: Path):
    answer = primacy("evaluate", str(whole), "--episodes", "1")
    assert answer.returncode == 0, answer.stderr
    assert "env step 300" in answer.stdout
    answer = primacy("status", str(whole))
    assert "finished" in answer.stdout
