"""What a person sees of runs: names of folders as they are, whatever they hold."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from primacy.runs import progress
from primacy.runs.config import RunConfig
from primacy.runs.status import read_status, status

NAMES = ("lr[low]", "x[/red]", "[bold]b", ":x: done", "end\\\\")


def test_the_table_has_names_and_errors_as_they_are(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for name in NAMES:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        written = {"state": "failed", "error": f"OSError: [Errno 28] {name}!"}
        (folder / "status.json").write_text(json.dumps(written))
    assert status([str(tmp_path)]) == 0
    said = capsys.readouterr().out
    for name in NAMES:
        assert f" {name} " in said
        assert f"OSError: [Errno 28] {name}!" in said


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_progress_has_names_as_they_are(name: str, terminal: bool, monkeypatch):
    said = io.StringIO()

    def console(**options) -> Console:
        return Console(file=said, force_terminal=terminal, width=200, **options)

    monkeypatch.setattr(progress, "Console", console)
    monkeypatch.setattr("builtins.print", lambda line, flush: said.write(line))
    shown = progress.Progress(RunConfig("walker-walk"), name, quiet=False)
    shown.say("a line")
    shown.show(0, 0)
    shown.close()
    assert f"{name}: a line" in said.getvalue()
    assert f"{name}: step 0 of" in said.getvalue()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_a_damaged_status_is_unreadable(content: bytes, tmp_path: Path):
    (tmp_path / "status.json").write_bytes(content)
    assert read_status(tmp_path) == {"state": "unreadable"}
