"""`primacy report --watch`: rewritten when evaluations change, ended with the runs or by Ctrl-C."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from primacy.runs import report as command
from primacy.runs.cli import main
from primacy.runs.errors import UserError
from primacy.runs.report import ReportOptions
from primacy.runs.report_watch import look, watch
from primacy.tests.support.report_runs import write_run

STEPS = [100, 200, 300]
SECONDS = 7.0


class Workers:
    """Draws nothing: what pictures show is tested elsewhere."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> SimpleNamespace:
        return SimpleNamespace(wait=lambda: None)

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setattr("primacy.runs.report_worker.Workers", Workers)


def run(root: Path, evaluated: int, state: str = "running") -> Path:
    """A run of three seeds as it is after so many evaluations."""
    return write_run(root / "a", {s: [10.0 + s] * evaluated for s in range(3)}, STEPS, state=state)


def options(root: Path) -> ReportOptions:
    out = root.parent / "report"
    (out / "figures").mkdir(parents=True, exist_ok=True)
    (out / "tables").mkdir(exist_ok=True)
    return ReportOptions((root,), out, watch=SECONDS, resamples=100)


class Script:
    """Stands for the time between two looks: does one thing after the other."""

    def __init__(self, page: Path, *things) -> None:
        self.page, self.things, self.seen = page, list(things), []

    def __call__(self, seconds: float) -> None:
        assert seconds == SECONDS
        self.seen.append(self.page.read_text() if self.page.exists() else "")
        self.things.pop(0)()


def interrupt() -> None:
    raise KeyboardInterrupt


def reloads(page: str) -> bool:
    return bool(re.search(r'<meta http-equiv="refresh" content="7">', page))


def written(said: str) -> list[str]:
    return [line for line in said.splitlines() if "index.html written" in line]


def test_it_is_written_again_when_evaluations_change_and_ends_with_the_run(tmp_path, capsys):
    root = tmp_path / "runs"
    run(root, 1)
    asked = options(root)
    page = asked.output / "index.html"
    script = Script(
        page,
        lambda: None,
        lambda: run(root, 2),
        lambda: run(root, 3, "finished"),
    )
    assert watch(asked, script) == 0
    first, same, second = script.seen
    assert reloads(first)
    assert "this page loads itself anew every 7 s" in first
    assert same == first
    assert "env step 100" in first
    assert "env step 200" in second
    last = page.read_text()
    assert "env step 300" in last
    assert not reloads(last)
    assert "loads itself" not in last
    said = capsys.readouterr()
    assert [line.partition(" ")[2] for line in written(said.err)] == [
        f"{page} written at env step 100; 1 run goes on",
        f"{page} written at env step 200; 1 run goes on",
        f"{page} written at env step 300; no run goes on",
    ]
    assert said.out.strip() == str(page)


def test_runs_without_evaluations_are_waited_for(tmp_path, capsys):
    root = tmp_path / "runs"
    run(root, 0)
    asked = options(root)
    script = Script(asked.output / "index.html", lambda: None, lambda: run(root, 1, "finished"))
    assert watch(asked, script) == 0
    assert script.seen == ["", ""]
    said = capsys.readouterr().err
    assert said.count("1 run goes on; no report yet: no run was evaluated yet") == 1
    assert len(written(said)) == 1


def test_a_run_that_ends_without_an_evaluation_is_an_error(tmp_path):
    root = tmp_path / "runs"
    run(root, 0)
    asked = options(root)
    with pytest.raises(UserError, match="no run was evaluated yet"):
        watch(asked, Script(asked.output / "x", lambda: run(root, 0, "failed")))


def test_ctrl_c_leaves_the_page_without_reloading_it(tmp_path, capsys):
    root = tmp_path / "runs"
    run(root, 2)
    asked = options(root)
    page = asked.output / "index.html"
    script = Script(page, interrupt)
    assert watch(asked, script) == 0
    assert reloads(script.seen[0])
    assert "env step 200" in page.read_text()
    assert not reloads(page.read_text())
    assert "no longer watched" in capsys.readouterr().err


def test_ctrl_c_while_writing_leaves_a_whole_report(tmp_path, monkeypatch):
    root = tmp_path / "runs"
    run(root, 2)
    asked = options(root)
    whole, calls = command._write_tables, []

    def once_interrupted(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        whole(*arguments)

    monkeypatch.setattr(command, "_write_tables", once_interrupted)
    assert watch(asked, Script(asked.output / "index.html")) == 0
    assert not reloads((asked.output / "index.html").read_text())
    assert (asked.output / "aggregates.csv").exists()


def test_ctrl_c_before_the_first_page(tmp_path, capsys):
    root = tmp_path / "runs"
    run(root, 0)
    asked = options(root)
    assert watch(asked, Script(asked.output / "index.html", interrupt)) == 0
    assert "no page was written yet" in capsys.readouterr().err
    assert not (asked.output / "index.html").exists()


def test_a_run_that_has_been_silent_is_not_waited_for(tmp_path):
    folder = run(tmp_path, 1)
    assert look([tmp_path]).running == {folder}
    for hours, running in ((0.5, {folder}), (2, set())):
        then = datetime.now(UTC) - timedelta(hours=hours)
        text = f'{{"state": "running", "heartbeat": "{then.isoformat()}"}}'
        (folder / "status.json").write_text(text)
        assert look([tmp_path]).running == running


def test_finished_runs_are_reported_once_from_the_command_line(tmp_path, capsys):
    run(tmp_path / "runs", 2, "finished")
    out = tmp_path / "report"
    assert main(["report", str(tmp_path / "runs"), "--output", str(out), "--watch", "60"]) == 0
    assert len(written(capsys.readouterr().err)) == 1
    assert not reloads((out / "index.html").read_text())


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
def test_seconds_that_are_none_are_refused(tmp_path, capsys, seconds):
    run(tmp_path / "runs", 2)
    arguments = ["report", str(tmp_path / "runs"), "--output", str(tmp_path / "report")]
    assert main([*arguments, "--watch", seconds]) == 2
    assert "--watch is" in capsys.readouterr().err
