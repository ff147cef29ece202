"""Arms in one stack against the same runs apart."""

import csv
import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from primacy.agents.joint import Joint
from primacy.agents.sac import SAC
from primacy.replay.journal import Journal
from primacy.runs import checkpoint as checkpoints
from primacy.runs import cli, stack
from primacy.runs.digest import digest as digest_of
from primacy.tests.support.small_runs import SMALL, digest, primacy, start_command

ARMS = {
    "plain": [],
    "reset": ["--remedies", "reset:every=60,unit=env_steps"],
    "mixed": [
        "--remedies",
        "l2-init:strength=1e-3",
        "weight-decay",
        "hare-tortoise:every=50,decay=0.9",
    ],
}


def write(folder: Path, names=tuple(ARMS), *more: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "stack.json"
    runs = [[*SMALL, *ARMS[name], *more, "--out", str(folder / name)] for name in names]
    path.write_text(json.dumps(runs))
    return path


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    answer = primacy("stack", str(write(folder)))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return folder


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_is_the_run_that_it_would_be_alone(together: Path, tmp_path: Path, name: str):
    answer = primacy("train", *SMALL, *ARMS[name], "--out", str(tmp_path / name))
    assert answer.returncode == 0, answer.stderr
    ours, theirs = (Journal.open(p / name / "journal").read(0, 300) for p in (together, tmp_path))
    assert np.array_equal(ours[:50], theirs[:50])
    # Beside others in a stack, a lane is the same but for the order of sums.
    assert np.allclose(ours[:150], theirs[:150], atol=1e-3)
    events = [
        [row[3] for row in csv.reader((p / name / "events.csv").open())]
        for p in (together, tmp_path)
    ]
    assert events[0] == events[1]


def test_killed_it_ends_the_same(together: Path, tmp_path: Path):
    path = write(tmp_path)
    process = start_command("stack", str(path))
    for _ in range(1200):
        if checkpoints.steps(tmp_path / "plain" / "checkpoints"):
            break
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    answer = primacy("stack", str(path))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for name in ARMS:
        assert digest(tmp_path / name) == digest(together / name), name


def test_asked_to_stop_every_arm_saves(together: Path, tmp_path: Path):
    path = write(tmp_path)
    process = start_command("stack", str(path))
    for _ in range(1200):
        if checkpoints.steps(tmp_path / "mixed" / "checkpoints"):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    printed = process.communicate()[0]
    assert process.returncode == 128 + signal.SIGTERM, printed
    assert printed.count("stopped by SIGTERM, saved") == len(ARMS)
    assert primacy("stack", str(path)).returncode == 0
    for name in ARMS:
        assert digest(tmp_path / name) == digest(together / name), name


def test_an_arm_that_cannot_begin_leaves_the_others(together: Path, tmp_path: Path):
    path = write(tmp_path)
    (tmp_path / "reset").write_text("in the way")
    answer = primacy("stack", str(path))
    assert answer.returncode == 2
    assert "cannot be written" in answer.stderr
    for name in ("plain", "mixed"):
        assert digest(tmp_path / name) == digest(together / name), name


def test_runs_that_differ_in_more_are_refused(tmp_path: Path):
    path = write(tmp_path, ("plain", "reset"))
    runs = json.loads(path.read_text())
    runs[1] += ["--batch-size", "8"]
    path.write_text(json.dumps(runs))
    answer = primacy("stack", str(path))
    assert answer.returncode == 2
    assert "differ in more than remedies" in answer.stderr


def test_a_sweep_puts_arms_together(tmp_path: Path):
    grid = ("replay-ratio=1,1/2", "remedies=none;reset:every=60,unit=env_steps")
    out = tmp_path / "sweep"
    asked = [*SMALL, "--grid", *grid, "--lanes", "remedies", "--out", str(out)]
    answer = primacy("sweep", *asked)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    stacks = [json.loads(path.read_text()) for path in sorted(out.glob("stack-*.json"))]
    assert [len(runs) for runs in stacks] == [2, 2]
    states = [json.loads(path.read_text())["state"] for path in out.glob("*/status.json")]
    assert states == ["finished"] * 4
    assert "2 already finished" in primacy("sweep", *asked).stdout


def test_beside_finished_arms_the_others_end_the_same(tmp_path: Path):
    # Norms of gradients are sums whose order depends on how many lanes there are.
    more = ("--gradient-clip", "0.5", "--keep-checkpoints", "every=40", "--env-steps", "120")
    path = write(tmp_path, tuple(ARMS), *more)
    assert cli.main(["stack", str(path)]) == 0
    before = {name: digest_of(tmp_path / name) for name in ARMS}
    for name in ("plain", "mixed"):
        checkpoints.drop_after(tmp_path / name / "checkpoints", 80)
        status = json.loads((tmp_path / name / "status.json").read_text())
        written = json.dumps(status | {"state": "interrupted"})
        (tmp_path / name / "status.json").write_text(written)
    assert cli.main(["stack", str(path)]) == 0
    assert {name: digest_of(tmp_path / name) for name in ARMS} == before
    events = {name: (tmp_path / name / "events.csv").read_text() for name in ARMS}
    assert [name for name in ARMS if "restart" in events[name]] == ["plain", "mixed"]


def test_a_finished_arm_of_another_configuration_is_refused(together: Path, tmp_path: Path, capsys):
    shutil.copytree(together / "plain", tmp_path / "plain")
    path = write(tmp_path, ("plain", "reset"), "--env-steps", "310")
    assert cli.main(["stack", str(path)]) == 2
    said = capsys.readouterr().err
    assert "env_steps: 300 there, 310 here" in said
    assert len(said.strip().splitlines()) == 2
    assert not (tmp_path / "reset").exists()


def test_a_signal_before_an_arm_listens_is_not_lost(tmp_path: Path, monkeypatch):
    path = write(tmp_path, ("plain", "reset"))
    train = stack.train

    def late(config, out, *more):
        if out.name == "reset":
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.5)
        return train(config, out, *more)

    monkeypatch.setattr(stack, "train", late)
    assert cli.main(["stack", str(path)]) == 128 + signal.SIGTERM
    for name in ("plain", "reset"):
        status = json.loads((tmp_path / name / "status.json").read_text())
        assert (status["state"], status["env_step"]) == ("interrupted", 1)


@pytest.mark.parametrize("content", ["{", "7", "[[1]]", '["--task"]', '{"a": []}', "[]"])
def test_a_file_that_is_no_list_of_runs(content: str, tmp_path: Path, capsys):
    path = tmp_path / "stack.json"
    path.write_text(content)
    assert cli.main(["stack", str(path)]) == 2
    assert "sweep --lanes remedies" in capsys.readouterr().err


def test_all_updates_of_a_stack_are_taken_in_one_thread(tmp_path: Path, monkeypatch):
    path = write(tmp_path, ("plain", "reset"))
    update, threads, arms = SAC.update, set(), set()

    def noted(agent: SAC, *given) -> None:
        threads.add(threading.get_ident())
        update(agent, *given)

    bring = Joint._bring

    def brought(joint: Joint, index: int, *given) -> None:
        arms.add(threading.get_ident())
        bring(joint, index, *given)

    monkeypatch.setattr(SAC, "update", noted)
    monkeypatch.setattr(Joint, "_bring", brought)
    assert cli.main(["stack", str(path)]) == 0
    assert len(threads) == 1
    assert len(arms) == 2
    assert not threads & arms
