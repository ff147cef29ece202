"""From files of others to the numbers and the page of a report, and every command of the manual."""

import csv
import re
import shlex
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from primacy.runs.cli import main
from primacy.tests.support.foreign_results import (
    Curves,
    arrays,
    event_files,
    long_csv,
    score_file,
    text_tree,
)
from primacy.tests.support.report_runs import constant, write_run

MANUAL = (Path(__file__).parents[2] / "docs" / "import.md").read_text()
STEPS = [1000, 2000]


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def values(folder):
    """(condition, aggregate) -> value."""
    found = rows(folder / "aggregates.csv")
    return {(row["condition"], row["aggregate"]): float(row["value"]) for row in found}


def report(*arguments):
    assert main(["report", *map(str, arguments), "--resamples", "200"]) == 0


def clean(folder):
    """No cell of any table of the report is NaN, and no diagnostics or settings are shown."""
    page = (folder / "index.html").read_text()
    body = page[page.index("<main>") : page.index("</main>")]
    assert not re.search(r">\s*(nan|None|NaN)\s*<", body)
    assert "Settings</h2>" not in body
    assert "Diagnostics" not in body
    assert "no remedy" not in body
    assert "Mean Q" not in body
    for path in folder.glob("*.csv"):
        assert "nan" not in path.read_text().lower()
    assert {row["gradient_step"] for row in rows(folder / "curves.csv")} == {""}
    return body


@pytest.mark.parametrize(
    ("options", "a", "b"),
    [
        (("--baseline", "base"), "resets", "base"),
        ((), "resets", "base"),
        (("--conditions", "resets", "base"), "base", "resets"),
    ],
)
def test_a_text_tree_end_to_end(options, a, b, tmp_path, capsys):
    tree = text_tree(
        tmp_path / "tree",
        [
            Curves("base", "walker-run", STEPS, {s: [0.0, 100.0 + 4 * s] for s in range(4)}),
            Curves("base", "hopper-hop", STEPS, {s: [0.0, 200.0 + 4 * s] for s in range(4)}),
            Curves("resets", "walker-run", STEPS, {s: [0.0, 400.0 + 4 * s] for s in range(4)}),
            Curves("resets", "hopper-hop", STEPS, {s: [0.0, 300.0 + 4 * s] for s in range(4)}),
        ],
    )
    out = tmp_path / "report"
    report(tree, "--output", out, *options)
    found = values(out)
    # 8 scores: two are cut from each end, 108 112 200 204 and 308 312 400 404 are averaged.
    assert found["base", "iqm"] == pytest.approx(0.156, abs=1e-12)
    assert found["resets", "iqm"] == pytest.approx(0.356, abs=1e-12)
    assert found["base", "mean"] == pytest.approx(0.156, abs=1e-12)
    assert found["base", "optimality_gap"] == pytest.approx(0.844, abs=1e-12)
    assert {(r["tasks"], r["seeds"], r["step"]) for r in rows(out / "aggregates.csv")} == {
        ("2", "4", "2000")
    }
    difference = rows(out / "differences.csv")[0]
    assert (difference["a"], difference["b"]) == (a, b)
    assert abs(float(difference["value"])) == pytest.approx(0.2, abs=1e-12)
    body = clean(out)
    verb, *ends = ("raises", "0.156", "0.356") if a == "resets" else ("lowers", "0.356", "0.156")
    change = f"{verb} the IQM of return / 1000 from {ends[0]} to {ends[1]}"
    assert f"{a} instead of {b} {change}" in body
    assert "16 trained agents in 16 files" in (out / "index.html").read_text()
    assert "note: Normalised to return / 1000" in capsys.readouterr().err


def test_a_long_csv_of_atari_end_to_end(tmp_path):
    path = long_csv(
        tmp_path / "r.csv",
        [
            Curves("spr", "Pong", STEPS, {s: [0.0, -20.7 + 35.3 * s] for s in range(3)}),
            Curves("spr", "Boxing", STEPS, {s: [0.0, 0.1 + 12.0 * s] for s in range(3)}),
            Curves("der", "Pong", STEPS, {s: [0.0, -20.7] for s in range(3)}),
        ],
        "exp_name env_name seed env_step value",
        metric="avg_return",
    )
    out = tmp_path / "report"
    report(path, "--where", "metric=avg_return", "--baseline", "der", "--output", out)
    found = values(out)
    # Human-normalised 0, 1, 2 on both games.
    assert found["spr", "iqm"] == pytest.approx(1.0, abs=1e-12)
    assert found["spr", "optimality_gap"] == pytest.approx(1 / 3, abs=1e-12)
    assert found["der", "mean"] == pytest.approx(0.0, abs=1e-12)
    body = clean(out)
    assert "Of human-normalised score;" in body
    assert "return / 1000" not in (out / "index.html").read_text()
    assert "0 to 1000" not in (out / "index.html").read_text()
    assert "spr instead of der moves the mean return from -20.7 to 14.6 (difference +35.3" in body
    assert "Boxing was not run under: der." in body


def test_antmaze_counts_in_percent(tmp_path):
    scores = {"antmaze-umaze-v2": [0.5, 0.75, 1.0]}
    out = tmp_path / "report"
    report(score_file(tmp_path / "iql.json", scores), "--output", out)
    found = values(out)
    assert found["iql", "mean"] == pytest.approx(75)
    assert found["iql", "optimality_gap"] == pytest.approx(25)
    assert {row["step"] for row in rows(out / "aggregates.csv")} == {""}
    assert "0.500 0.750 1.000" in clean(out)
    assert "3 seeds, final scores" in (out / "index.html").read_text()


def test_a_user_error_is_two_lines(tmp_path, capsys):
    folder = tmp_path / "a/walker-run"
    folder.mkdir(parents=True)
    (folder / "0.txt").write_text("1000 1\n2000 x\n")
    assert main(["report", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"error: {folder / '0.txt'} line 2: return is 'x', not a number"
    assert second


def commands() -> list[str]:
    in_tables = re.findall(r"\| `(primacy report .*?)` \|", MANUAL)
    in_blocks = [
        line
        for block in re.findall(r"```sh\n(.*?)```", MANUAL, re.S)
        for line in block.splitlines()
    ]
    return [*in_tables, *in_blocks]


@pytest.fixture
def published(tmp_path):
    """A folder with every layout of the manual, under its names."""

    def curves(*conditions, steps=STEPS):
        return [
            Curves(c, t, steps, {s: [10.0, 20.0 + s] for s in range(3)})
            for c in conditions
            for t in ("walker-run", "hopper-hop")
        ]

    two = [f"max_steps_2000000_resets_{on}" for on in (True, False)]
    text_tree(tmp_path / "results", curves(*two))
    for seed in range(3):
        path = tmp_path / f"logs/exp_sac_env_name_walker-run_max_steps_1e6/{seed}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"1000 {seed}\n")
    long_csv(tmp_path / "scores.csv", curves("a"), "exp_name env_name seed env_step value")
    names = "who what nr when value"
    long_csv(tmp_path / "long.csv", curves("a"), names, metric="avg_return")
    arrays(tmp_path / "arrays", curves("SPR", "SPR+resets"))
    score_file(tmp_path / "scores.json", {"Alien": [1000.0, 2000.0, 3000.0]})
    write_run(tmp_path / "runs/a", constant({0: 1, 1: 2, 2: 3}, 2), STEPS, task="walker-run")
    return tmp_path


def test_the_manual_shows_every_format():
    assert len(commands()) == 10
    options = ("--pattern", "--columns", "--where", "--steps", "--tag", "--rename", "--tasks")
    assert all(any(option in command for command in commands()) for option in options)


@pytest.mark.parametrize("command", commands())
def test_the_commands_of_the_manual(published, monkeypatch, command):
    if "--tag" in command:
        pytest.importorskip("tensorboard", reason="writing event files needs tensorboard")
        steps = {s: [10.0, 20.0 + s] for s in range(3)}
        event_files(published / "events", [Curves("a", "walker-run", STEPS, steps)], "eval/return")
    monkeypatch.chdir(published)
    # Page and pictures take most of the time, and the same code made those of the reports above.
    nobody = nullcontext(SimpleNamespace(wait=lambda: None))
    monkeypatch.setattr("primacy.runs.report_worker.Workers", lambda *_: nobody)
    monkeypatch.setattr("primacy.runs.report_page.html", lambda _: "")
    report(*shlex.split(command)[2:])
    found = [float(row["value"]) for row in rows(published / "report" / "aggregates.csv")]
    assert np.isfinite(found).all()
