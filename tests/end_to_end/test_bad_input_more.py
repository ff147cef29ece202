"""Mistakes about runs that are there, about files and about this machine."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from primacy.agents.sac import SAC
from primacy.runs import cli, data_controller, evaluate_command, experience_import, folder
from primacy.runs.progress import Progress
from primacy.tests.support.complaints import complaint
from primacy.tests.support.small_runs import SMALL

TINY = (*SMALL, "--env-steps", "60", "--eval-every", "0", "--diagnose-every", "0")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    assert cli.main(["train", *TINY, "--out", str(out)]) == 0
    return out


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_cuda")
def test_the_hint_about_a_device_works_in_the_same_folder(capsys, tmp_path: Path):
    train = ("train", *TINY, "--out", str(tmp_path / "run"))
    assert "use --device cpu" in complaint(capsys, *train, "--device", "cuda")
    assert not (tmp_path / "run").exists()
    assert cli.main([*train, "--device", "cpu"]) == 0


@pytest.mark.usefixtures("no_cuda")
def test_a_run_of_another_device_is_evaluated_on_the_cpu(capsys, copy: Path):
    path = copy / "config.json"
    document = json.loads(path.read_text())
    document["config"]["device"] = "cuda"
    path.write_text(json.dumps(document))
    evaluate = ("evaluate", str(copy), "--episodes", "1")
    assert "use --device cpu" in complaint(capsys, *evaluate)
    assert "unknown device 'tpu'" in complaint(capsys, *evaluate, "--device", "tpu")
    assert cli.main([*evaluate, "--device", "cpu"]) == 0


@pytest.mark.parametrize("command", ["digest", "export", "transplant"])
def test_a_missing_journal_is_not_about_space(capsys, tmp_path: Path, copy: Path, command: str):
    shutil.rmtree(copy / "journal")
    extra = {
        "digest": (),
        "export": ("--output", tmp_path / "out"),
        "transplant": ("--out", tmp_path / "out"),
    }
    said = complaint(capsys, command, copy, *extra[command])
    assert "000000.rows: No such file" in said
    assert "put the journal back" in said
    assert "space" not in said


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "config.json cannot be read"),
        (b"\xff\xfe", "config.json cannot be read"),
        (b'{"schema": 1, "config": {"task"', "config.json cannot be read"),
        (b"[]", "not a JSON object"),
        (b'{"schema": 1}', "holds no configuration"),
    ],
)
def test_a_damaged_config_is_named_and_kept(capsys, copy: Path, command: str, content, word: str):
    (copy / "config.json").write_bytes(content)
    arguments = (*TINY, "--out", copy) if command == "train" else (copy,)
    said = complaint(capsys, command, *arguments)
    assert word in said
    assert "restore the file" in said
    assert (copy / "config.json").read_bytes() == content


@pytest.mark.parametrize("config", [{}, {"task": "x", "remedies": [5]}, {"task": "x", "seeds": 3}])
def test_a_config_with_other_values_is_named(capsys, copy: Path, config):
    (copy / "config.json").write_text(json.dumps({"schema": 1, "config": config}))
    assert "does not hold a configuration" in complaint(capsys, "evaluate", copy)


def test_a_file_is_no_run_folder(capsys, copy: Path):
    assert "is not a run folder" in complaint(capsys, "evaluate", copy / "config.json")


def test_json_reaches_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch):
    done: list[str] = []
    sync, replace = os.fsync, os.replace

    def noted_sync(file: int) -> None:
        size = os.fstat(file).st_size if (tmp_path / "x.json.tmp").exists() else None
        done.append("file" if size == len('{\n  "a": 1\n}\n') else "folder")
        sync(file)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", lambda *a: (done.append("name"), replace(*a)))
    folder.write_json(tmp_path / "x.json", {"a": 1})
    assert done == ["file", "name", "folder"]
    assert folder.read_json(tmp_path / "x.json") == {"a": 1}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--episodes", "0"), ("--episodes 0", "at least 1")),
        (("--episodes", "-1"), ("--episodes -1", "at least 1")),
        (("--video", "{}/none/x.mp4"), ("none/x.mp4 cannot be written", "in a folder")),
        (("--video", "{}/x.foo"), ("x.foo does not end in .mp4", ".mp4")),
    ],
)
def test_evaluate_refuses_before_it_evaluates(capsys, monkeypatch, finished, options, words):
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.delattr(evaluate_command, "load_agent")
    said = complaint(capsys, "evaluate", finished, *(o.format(finished) for o in options))
    assert all(word in said for word in words), said


def test_a_video_is_tried_without_a_trace(tmp_path: Path):
    pytest.importorskip("imageio_ffmpeg")
    there, new = tmp_path / "there.mp4", tmp_path / "new.mp4"
    there.write_bytes(b"old")
    for path in (there, new):
        evaluate_command.check(evaluate_command.EvaluateOptions(tmp_path, video=path))
    assert there.read_bytes() == b"old"
    assert not new.exists()


def test_digest_names_a_missing_table(capsys, copy: Path):
    (copy / "plasticity.csv").unlink()
    said = complaint(capsys, "digest", copy)
    assert "plasticity.csv cannot be read: No such file" in said
    assert "restore that file" in said


def test_data_tries_the_place_before_the_work(capsys, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PRIMACY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delattr(data_controller, "train")
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    (tmp_path / "x.npz.part").mkdir()
    for out in (blocked / "x.npz", tmp_path / "x.npz"):
        assert "cannot be written" in complaint(capsys, "data", "antmaze", "--out", out)


def test_data_that_do_not_fit_keep_the_controller(capsys, tmp_path: Path, monkeypatch):
    from primacy.runs import data_file

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "x.npz.part")

    monkeypatch.setenv("PRIMACY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data_controller, "trained", lambda *a: 0)
    monkeypatch.setattr(data_controller, "controller", lambda *a, **b: None)
    monkeypatch.setattr(data_file, "generate", full)
    said = complaint(capsys, "data", "antmaze", "--out", tmp_path / "x.npz", "--quiet")
    assert "x.npz.part cannot be written: No space left on device" in said
    assert "the controller is kept" in said


@pytest.mark.parametrize("option", ["--noise", "--wander-noise"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_data_refuse_numbers_that_are_not_finite(capsys, tmp_path: Path, option, value):
    out = ("--out", tmp_path / "x.npz")
    assert f"{option} must be finite" in complaint(capsys, "data", "antmaze", *out, option, value)


@pytest.fixture(scope="module")
def dataset(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("minari")
    pytest.importorskip("h5py")
    data = tmp_path_factory.mktemp("data")
    assert cli.main(["export", str(finished), "--seeds", "0", "--output", str(data)]) == 0
    return data / "cartpole-swingup" / "seed0-v0"


def test_import_experience_into_a_file(capsys, tmp_path: Path, dataset: Path):
    place = tmp_path / "file"
    place.write_text("mine")
    for out, what in ((place, f"{place} is a file"), (place / "below", "Not a directory")):
        said = complaint(capsys, "import-experience", dataset, "--out", out)
        assert what in said
        assert "--out" in said
    assert place.read_text() == "mine"


def test_imported_experience_that_does_not_fit(capsys, tmp_path: Path, dataset: Path, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "events.csv")

    monkeypatch.setattr(experience_import, "Tables", full)
    said = complaint(capsys, "import-experience", dataset, "--out", tmp_path / "back")
    assert "events.csv cannot be written: No space left on device" in said
    assert list(tmp_path.iterdir()) == []


def test_no_frames_per_step_are_not_the_published_ones(capsys, tmp_path: Path, dataset: Path):
    foreign = Path(shutil.copytree(dataset, tmp_path / "foreign"))
    path = foreign / "data" / "metadata.json"
    about = json.loads(path.read_text())
    del about["primacy"]
    path.write_text(json.dumps(about))
    options = ("--task", "cartpole-swingup", "--action-repeat", "0", "--out", tmp_path / "back")
    assert "--action-repeat must be at least 1" in complaint(
        capsys, "import-experience", foreign, *options
    )


@pytest.mark.parametrize("seeds", [(), ("0", "0")])
@pytest.mark.parametrize(
    "command", [("export", "--output"), ("import-experience", "--out")], ids=lambda c: c[0]
)
def test_seeds_of_experience_are_different_ones(capsys, tmp_path: Path, command, seeds):
    said = complaint(capsys, command[0], tmp_path, command[1], tmp_path / "x", "--seeds", *seeds)
    assert "each seed once" in said


def test_a_checkout_without_git_has_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert folder.commit() == ""


def test_progress_lines_that_nobody_reads_stop_the_run_in_two_lines(
    capsys, tmp_path: Path, monkeypatch
):
    def gone(*arguments: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(Progress, "show", gone)
    said = complaint(capsys, "train", *TINY, "--out", tmp_path / "run")
    assert "nobody reads" in said
    assert "--quiet" in said


def test_a_gpu_whose_memory_is_used_up_stops_the_run_in_two_lines_and_the_run_goes_on(
    capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(SAC, "update", full)
        said = complaint(capsys, "train", *TINY, "--out", out)
    assert "the GPU's memory is used up (CUDA out of memory. Tried to allocate 2.00 GiB)" in said
    assert "--batch-size" in said
    assert json.loads((out / "status.json").read_text())["state"] == "failed"
    assert cli.main(["train", *map(str, TINY), "--out", str(out)]) == 0


def test_the_commit_is_read_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = tmp_path / "runs" / "folder.py"
    source.parent.mkdir()
    source.write_text("1")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr(folder, "__file__", str(source))
    clean = folder.commit()
    assert len(clean) == 12
    os.utime(source, (1, 1))  # The index could be refreshed.
    index = tmp_path / ".git" / "index"
    before = index.read_bytes()
    assert folder.commit() == clean
    assert index.read_bytes() == before
    source.write_text("2")
    assert folder.commit() == f"{clean}+"
