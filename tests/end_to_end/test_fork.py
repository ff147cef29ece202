"""Forks against runs that were never forked."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch

from primacy.replay.journal import Journal
from primacy.runs import checkpoint as checkpoints
from primacy.runs.config import read
from primacy.runs.errors import UserError
from primacy.runs.fork import fork as make_fork
from primacy.tests.support.small_runs import digest, primacy, train

KEEP = ("--keep-checkpoints", "every=100")


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parent") / "run"
    answer = train(out, *KEEP)
    assert answer.returncode == 0, answer.stderr
    return out


def fork(run: Path, at: int, out: Path, *options: str) -> str:
    answer = primacy("fork", str(run), "--at", str(at), "--out", str(out), *options)
    assert answer.returncode == 0, answer.stderr
    return digest(out)


def complaint(*arguments: str, largest_file: int | None = None) -> str:
    answer = primacy("fork", *arguments, largest_file=largest_file)
    assert answer.returncode == 2, answer.stdout + answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 2, answer.stderr
    return answer.stderr


def rows(out: Path, table: str) -> list[list[str]]:
    with (out / f"{table}.csv").open() as file:
        return list(csv.reader(file))


def test_a_fork_without_changes_ends_where_its_parent_does(parent: Path, tmp_path: Path):
    assert fork(parent, 100, tmp_path / "fork") == digest(parent)
    assert rows(tmp_path / "fork", "training") == rows(parent, "training")


def test_a_fork_of_a_fork_and_a_parent_that_is_gone(parent: Path, tmp_path: Path):
    shutil.copytree(parent, tmp_path / "parent")
    fork(tmp_path / "parent", 100, tmp_path / "one")
    shutil.rmtree(tmp_path / "parent")
    assert fork(tmp_path / "one", 200, tmp_path / "two") == digest(parent)
    answer = primacy("fork", str(tmp_path / "one"), "--at", "200", "--out", str(tmp_path / "two"))
    assert answer.returncode == 0, answer.stderr


def test_a_fork_without_remedies_equals_a_run_that_had_them_until_then(
    parent: Path, tmp_path: Path
):
    plain = tmp_path / "plain"
    fork(parent, 100, plain, "--remedies", "none")
    events = [row[3] for row in rows(plain, "events")[1:]]
    assert "fork" in events
    later = [row for row in rows(plain, "events")[1:] if int(row[1]) > 100]
    assert not any(row[3].startswith(("reset", "hare")) for row in later)
    assert json.loads((plain / "config.json").read_text())["config"]["remedies"] == []
    # The history is shared to the bit, what follows is not.
    ours, theirs = (Journal.open(run / "journal").read(0, 300) for run in (plain, parent))
    assert (ours[:100] == theirs[:100]).all()
    assert (ours[150:] != theirs[150:]).any()


def test_a_fork_on_one_of_the_seeds(parent: Path, tmp_path: Path):
    out = tmp_path / "one"
    fork(parent, 100, out, "--seeds", "1")
    assert {row[0] for row in rows(out, "evaluations")[1:]} == {"1"}
    ours = Journal.open(out / "journal").read(0, 300)[:, 0]
    theirs = Journal.open(parent / "journal").read(0, 300)[:, 1]
    assert (ours[:100] == theirs[:100]).all()
    # Alone in its stack, a seed is the same but for the order of sums.
    torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), atol=1e-3, rtol=1e-3)


def test_a_new_tortoise_starts_at_the_hare(parent: Path, tmp_path: Path):
    out = tmp_path / "fork"
    fork(
        parent, 100, out, "--remedies", "hare-tortoise:every=1000,decay=0.99", "--env-steps", "101"
    )
    found = checkpoints.read(out / "checkpoints", 100).tensors
    names = [name for name in found if name.startswith("chain/0/critic.")]
    assert names
    for name in names:
        assert torch.equal(found[name], found["agent/" + name.removeprefix("chain/0/")]), name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--at", "120"), ("no checkpoint of env step 120", "100, 200")),
        (("--at", "100", "--task", "walker-walk"), ("the task of its parent",)),
        (("--at", "100", "--hidden-sizes", "8"), ("architecture", "--hidden-sizes")),
        (("--at", "100", "--seeds", "2"), ("--seeds 2", "0 1")),
        (("--at", "100", "--env-steps", "100"), ("ends before the fork",)),
    ],
)
def test_what_cannot_be_forked(parent: Path, tmp_path: Path, options, words):
    out = tmp_path / "out"
    said = complaint(str(parent), *options, "--out", str(out))
    assert all(word in said for word in words), said
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing_and_the_same_command_forks(parent: Path, tmp_path: Path):
    out = tmp_path / "out"
    asked = (str(parent), "--at", "100", "--env-steps", "101", "--out", str(out))
    said = complaint(*asked, largest_file=20_000)
    assert ".safetensors" in said
    assert "free some space" in said
    assert not list(tmp_path.iterdir())
    answer = primacy("fork", *asked)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("left", [0, 50])
def test_a_parent_that_has_lost_rows_is_refused(parent: Path, tmp_path: Path, left: int):
    torn = tmp_path / "torn"
    shutil.copytree(parent, torn)
    path = torn / "evaluations.csv"
    whole = path.read_bytes()
    path.unlink()
    if left:
        path.write_bytes(whole[:left])
    with pytest.raises(UserError, match=rf"torn/evaluations\.csv has lost rows: {left} ") as fault:
        make_fork(torn, 100, read(parent), tmp_path / "out")
    assert "restore the file" in fault.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["torn"]


def test_a_fork_into_the_folder_that_one_stands_in(parent: Path, tmp_path: Path):
    here = tmp_path / "here"
    here.mkdir()
    inode = here.stat().st_ino
    asked = ("fork", str(parent), "--at", "100", "--env-steps", "101", "--out", ".")
    answer = primacy(*asked, cwd=here)
    assert answer.returncode == 0, answer.stderr
    assert json.loads((here / "status.json").read_text())["state"] == "finished"
    assert here.stat().st_ino == inode
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_another_run_in_the_way_is_left_alone(parent: Path, tmp_path: Path):
    out = tmp_path / "out"
    shutil.copytree(parent, out)
    said = complaint(str(parent), "--at", "100", "--out", str(out))
    assert "not this fork" in said
    assert digest(out) == digest(parent)


def test_a_sweep_of_forks(parent: Path, tmp_path: Path):
    grid = "remedies=none;reset:every=150,unit=env_steps"
    out = tmp_path / "sweep"
    asked = ("--fork-of", str(parent), "--at", "100,200", "--grid", grid, "--out", str(out))
    answer = primacy("sweep", *asked, "--quiet")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    names = sorted(path.name for path in out.iterdir())
    assert [name.split("__")[0] for name in names] == ["at=100", "at=100", "at=200", "at=200"]
    for name in names:
        config = json.loads((out / name / "config.json").read_text())
        assert f"at={config['fork']['at']}" in name
        assert bool(config["config"]["remedies"]) == ("reset" in name)
    moved, other = tmp_path / "moved", tmp_path / "other"
    shutil.copytree(parent, moved)
    answer = primacy("sweep", *("--fork-of", str(moved)), *asked[2:], "--quiet")
    assert "4 runs, 4 already finished" in answer.stdout
    shutil.copytree(parent, other)
    document = json.loads((other / "config.json").read_text())
    document["config"]["replay_ratio"] = "2"
    (other / "config.json").write_text(json.dumps(document))
    options = ("--replay-ratio", "1", "--quiet")
    answer = primacy("sweep", *("--fork-of", str(other)), *asked[2:], *options)
    assert answer.returncode == 2
    assert (
        "is the fork of a run with other settings (replay_ratio: 1 there, 2 here)" in answer.stderr
    )
    said = complaint(str(other), "--at", "100", *options, "--out", str(out / names[0]))
    assert "is the fork of a run with other settings" in said
