"""What a run does where its checkpoints are not as it left them."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from primacy.runs import checkpoint as checkpoints
from primacy.runs.checkpoint import Checkpoint
from primacy.tests.support.small_runs import train, trained


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("whole") / "run")


def contents(folder: Path) -> dict[str, bytes]:
    kept = ("*.csv", "journal/*", "checkpoints/*")
    return {str(x): x.read_bytes() for pattern in kept for x in folder.glob(pattern)}


def damage(folder: Path) -> None:
    for path in folder.glob("*.safetensors"):
        path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize(
    ("harm", "said"),
    [(damage, "do not match their checksum"), (shutil.rmtree, "no checkpoint is")],
    ids=["damaged", "gone"],
)
def test_without_a_good_checkpoint_nothing_begins_again(whole: Path, tmp_path: Path, harm, said):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    harm(out / "checkpoints")
    before = contents(out)
    answer = train(out)
    assert answer.returncode == 2
    assert said in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 2, answer.stderr
    assert contents(out) == before


def one(value: float, env_step: int = 0) -> Checkpoint:
    return Checkpoint(env_step, {"x": torch.full((3,), value)}, {"value": value})


def test_a_kill_while_a_checkpoint_is_replaced_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The offline phase writes all of its checkpoints at env step 0."""
    replace = os.replace

    def dying(source: Path, target: Path) -> None:
        if target.suffix == ".json":
            raise KeyboardInterrupt
        replace(source, target)

    checkpoints.write(tmp_path, one(1.0))
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.write(tmp_path, one(2.0))
    found, damaged = checkpoints.newest(tmp_path)
    assert found is not None
    assert not damaged
    assert (found.numbers["value"], found.tensors["x"].tolist()) == (1.0, [1.0] * 3)
    checkpoints.write(tmp_path, one(2.0))
    checkpoints.prune(tmp_path, 0)
    assert len(list(tmp_path.iterdir())) == 2, "tensors that nobody names are left"
    assert checkpoints.read(tmp_path, 0).numbers["value"] == 2.0


def test_a_disk_that_does_not_answer_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for step in (10, 20):
        checkpoints.write(tmp_path, one(step, step))

    def failing(self: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", failing)
        with pytest.raises(OSError, match="Input/output"):
            checkpoints.newest(tmp_path)
    found, damaged = checkpoints.newest(tmp_path)
    assert found is not None
    assert (found.env_step, damaged) == (20, [])


def test_checkpoints_that_do_not_name_their_tensors_are_read(tmp_path: Path):
    checkpoints.write(tmp_path, one(3.0, 7))
    path = tmp_path / "0000000007.json"
    record = json.loads(path.read_text())
    (tmp_path / record.pop("tensors")).rename(path.with_suffix(".safetensors"))
    path.write_text(json.dumps(record))
    checkpoints.prune(tmp_path, 0)
    assert checkpoints.read(tmp_path, 7).tensors["x"].tolist() == [3.0] * 3


def test_the_clock_goes_on(whole: Path, tmp_path: Path):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    last = max(checkpoints.steps(out / "checkpoints"))
    (out / "checkpoints" / f"{last:010d}.json").unlink()
    before = checkpoints.read(out / "checkpoints", max(checkpoints.steps(out / "checkpoints")))
    path = out / "checkpoints" / f"{before.env_step:010d}.json"
    record = json.loads(path.read_text())
    record["numbers"]["clock"]["seconds"] = 5000.0
    record["numbers"]["clock"]["spent"]["update"] = 4000.0
    path.write_text(json.dumps(record))
    assert train(out).returncode == 0
    names, *rows = (line.split(",") for line in (out / "timing.csv").read_text().splitlines())
    final = dict(zip(names, rows[-1], strict=True))
    assert float(final["seconds"]) > 5000.0
    assert 4000.0 < float(final["update"]) < 5000.0
