"""Successes in the files of a run, and files of older versions that have none."""

import csv
from pathlib import Path

import numpy as np
import pytest

from primacy.runs.evaluate import Scores, record
from primacy.runs.tables import COLUMNS, Table
from primacy.tests.support.small_runs import primacy

SCORES = Scores(
    returns=np.array([[1.0, 0.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0]]),
    lengths=np.ones((2, 4)),
    successes=np.array([[1.0, 0.0, 1.0, 1.0], [np.nan] * 4]),
)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_share_of_episodes_that_succeeded_is_written_and_nothing_where_nobody_knows(tmp_path):
    table = Table(tmp_path, "evaluations")
    record(table, (3, 5), SCORES, 10, 20, 30)
    table.close()
    found = rows(tmp_path / "evaluations.csv")
    assert [row["success"] for row in found] == ["0.75", ""]
    assert [row["return_mean"] for row in found] == ["0.75", "2.0"]


def test_a_file_begun_by_an_older_version_keeps_its_columns(tmp_path):
    path = tmp_path / "evaluations.csv"
    old = COLUMNS["evaluations"].removesuffix(" success").replace(" ", ",")
    path.write_text(old + "\n")
    table = Table(tmp_path, "evaluations")
    record(table, (3, 5), SCORES, 10, 20, 30)
    table.close()
    first, *lines = path.read_text().splitlines()
    assert first == old
    assert [row["returns"] for row in rows(path)] == ["1 0 1 1", "2 2 2 2"]
    assert {line.count(",") for line in lines} == {old.count(",")}
    with pytest.raises(ValueError, match="columns"):
        table.add(1)


def test_a_run_on_antmaze_tells_its_successes(tmp_path):
    out = tmp_path / "run"
    # Episodes of three env steps.
    answer = primacy(
        *"train --agent sac --task antmaze-umaze-v2 --action-repeat 300 --seeds 0 1".split(),
        *"--env-steps 6 --start-steps 7 --eval-every 6 --eval-episodes 1 --hidden-sizes 4".split(),
        *"--diagnose-every 0 --compile never --quiet --out".split(),
        str(out),
    )
    assert answer.returncode == 0, answer.stderr
    assert [row["success"] for row in rows(out / "evaluations.csv")] == ["0.0", "0.0"]
    logged = rows(out / "training.csv")
    assert [r["value"] for r in logged if r["metric"] == "episode_success"] == ["0.0"] * 4
    shown = primacy("evaluate", str(out), "--episodes", "1", "--backend", "mujoco")
    assert "success" in shown.stdout
    assert "0%" in shown.stdout
