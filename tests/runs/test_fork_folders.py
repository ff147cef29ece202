"""A folder is filled under another name and published whole; nothing of others is touched."""

from pathlib import Path

import pytest
from filelock import FileLock

from primacy.runs.errors import UserError
from primacy.runs.fork import begin, publish


def filled(part: Path) -> Path:
    """As an attempt leaves a folder."""
    part.mkdir()
    (part / "checkpoints").mkdir()
    for name in (".lock", "config.json"):
        (part / name).write_text(name)
    return part


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_gets_its_name_and_keeps_the_log_of_a_sweep(tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "log.txt").write_text("a line\n")
    publish(filled(begin(out)), out)
    assert names(out) == [".lock", "checkpoints", "config.json", "log.txt"]
    assert (out / "log.txt").read_text() == "a line\n"
    assert names(tmp_path) == ["out"]


def test_the_folder_that_one_stands_in_stays_the_same_one(tmp_path: Path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    inode = here.stat().st_ino
    part = filled(begin(Path()))
    assert part == tmp_path / "here.part"
    publish(part, Path())
    assert here.stat().st_ino == inode
    assert names(here) == [".lock", "checkpoints", "config.json"]
    assert names(tmp_path) == ["here"]


def test_what_a_killed_attempt_left_goes(tmp_path: Path):
    filled(tmp_path / "out.part")
    assert begin(tmp_path / "out") == tmp_path / "out.part"
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["status.json", "notes.txt"])
def test_a_folder_that_is_no_attempt_is_left_alone(tmp_path: Path, name: str):
    part = tmp_path / "out.part"
    if name == "status.json":
        filled(part)  # A run that was called so, and trained.
    part.mkdir(exist_ok=True)
    (part / name).write_text("mine")
    with pytest.raises(UserError, match=r"out\.part is in the way") as fault:
        begin(tmp_path / "out")
    assert "another --out" in fault.value.hint
    assert (part / name).read_text() == "mine"


def test_a_folder_that_another_process_fills_is_left_alone(tmp_path: Path):
    part = filled(tmp_path / "out.part")
    with (
        FileLock(part / ".lock"),
        pytest.raises(UserError, match="out is being made by another process"),
    ):
        begin(tmp_path / "out")
    assert (part / "config.json").exists()


def test_an_out_that_is_not_empty_is_left_alone(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"is not empty: it holds notes\.txt"):
        begin(tmp_path)
    with pytest.raises(UserError, match=r"notes\.txt is a file"):
        begin(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"
