"""Every command, example and column of docs/evaluation.md is what the code does."""

import contextlib
import io
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from primacy.runs.cli import main
from primacy.runs.report_tables import COLUMNS
from primacy.runs.statistics import INTERVALS
from primacy.tests.support.report_runs import write_run

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "evaluation.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", MANUAL, re.S)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines()]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """runs/ with two conditions on three tasks."""
    for task in ("walker-run", "hopper-hop", "cheetah-run"):
        for name, level in (("none", 300), ("reset", 450)):
            returns = {s: [100.0 + s, level / 2 + s, level + 5.0 * s] for s in range(4)}
            remedies = ["reset:every=150"] if name == "reset" else []
            folder = tmp_path / "runs" / name / task
            write_run(folder, returns, [100, 200, 300], task=task, remedies=remedies)
    monkeypatch.chdir(tmp_path)
    # Page and pictures take most of the time, and other tests look at them.
    nobody = contextlib.nullcontext(SimpleNamespace(wait=lambda: None))
    monkeypatch.setattr("primacy.runs.report_worker.Workers", lambda *_: nobody)
    monkeypatch.setattr("primacy.runs.report_page.html", lambda _: "")
    return tmp_path


@pytest.mark.parametrize("command", commands())
def test_the_commands(place, capsys, command):
    program, *arguments = shlex.split(command)
    assert program == "primacy"
    assert main(arguments) == 0
    if arguments[0] == "report":
        assert (place / "report" / "aggregates.csv").exists()
    else:
        assert "excludes 0: A is better" in capsys.readouterr().out


def test_the_commands_show_the_options():
    options = "--baseline --p-values --within --resample --interval --band --threshold --x --pool"
    assert all(option in " ".join(commands()) for option in [*options.split(), "--watch"])


def test_the_example_prints_what_is_shown():
    said = io.StringIO()
    (example,), (shown,) = blocks("python"), blocks("text")
    with contextlib.redirect_stdout(said):
        exec(example, {})
    assert said.getvalue() == shown


def test_every_column_of_every_table_is_told_in_order():
    told = dict(re.findall(r"^\| (\w+) \| (.*) \|$", MANUAL[MANUAL.index("| CSV |") :], re.M))
    told.pop("CSV", None)
    assert list(told) == list(COLUMNS)
    for name, columns in COLUMNS.items():
        bare = re.sub(r"\((?:[^()]|\([^()]*\))*\)", "", told[name])
        assert bare.split() == columns


def test_the_coverage_is_that_of_its_page():
    measured = (ROOT / "docs/results/coverage.md").read_text()
    rows = re.findall(r"^\| (\d+ and \d+) \| (\d+) \| (.*) \|$", MANUAL, re.M)
    assert len(rows) == 6
    for tasks, seeds, cells in rows:
        (line,) = re.findall(rf"^\| {tasks} \| {seeds} \| (.*) \|$", measured, re.M)
        assert all(cell in line for cell in cells.split(" | "))


def test_every_interval_is_told():
    assert all(f"`{name}`" in MANUAL for name in INTERVALS)
