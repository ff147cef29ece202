"""What continued runs cost, of this version and of those that started the clock anew."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from primacy.runs.report_costs import clock, costs
from primacy.runs.report_study import study
from primacy.runs.results import read_runs
from primacy.tests.support.report_runs import constant, write_csv, write_run

STEPS = [100, 200, 300]
Clock = Sequence[Sequence[float]]
"""Seconds in all and by part, at each of STEPS."""


def run(folder: Path, seconds: Clock, numbers: dict, restarts=(100, 200)) -> Path:
    """A run with a row of timing.csv at each of STEPS, continued at `restarts`."""
    events = [(-1, step, "restart") for step in restarts]
    write_run(folder, constant({0: 1.0}, 3), STEPS, events=events)
    rows = [(t, 4 * t, *clock) for t, clock in zip(STEPS, seconds, strict=True)]
    write_csv(folder / "timing.csv", rows)
    (folder / "checkpoints").mkdir()
    for step in (200, 300):
        record = {"env_step": step, "numbers": numbers if step == 300 else {}}
        (folder / "checkpoints" / f"{step:010d}.json").write_text(json.dumps(record))
    return folder


def cost(folder: Path) -> dict:
    (experiment,) = study(read_runs([folder])).experiments
    (row,) = costs(experiment)
    return row


GROWING = [[s, 1, 1, s - 5, 1, 1, 1] for s in (40, 45, 50)]


def test_sessions_that_each_took_longer_are_added_where_the_clock_started_anew(tmp_path: Path):
    folder = run(tmp_path, GROWING, {"rows": {}})
    row = cost(folder)
    assert (row["seconds"], row["update"], row["replay"]) == (135, 120, 3)
    assert clock(folder / "timing.csv")[1].tolist() == [40, 85, 135]


def test_a_clock_that_goes_on_is_read_as_it_is(tmp_path: Path):
    folder = run(tmp_path, GROWING, {"clock": {"seconds": 50, "spent": {}}})
    assert cost(folder)["seconds"] == 50
    assert clock(folder / "timing.csv")[1].tolist() == [40, 45, 50]


@pytest.mark.parametrize(("at", "total"), [([], 50), ([99], 50), ([150], 90), ([100, 120], 90)])
def test_a_restart_lies_between_the_rows_of_two_sessions(tmp_path: Path, at, total):
    assert cost(run(tmp_path, GROWING, {}, at))["seconds"] == total


def test_a_fall_of_any_part_is_a_restart_of_the_whole_clock(tmp_path: Path):
    seconds = [[40, 9, 1, 20, 1, 1, 1], [45, 2, 1, 30, 1, 1, 1], [50, 3, 1, 35, 1, 1, 1]]
    row = cost(run(tmp_path, seconds, {"clock": {}}))
    assert (row["seconds"], row["environment"], row["update"]) == (90, 12, 55)


def test_a_damaged_checkpoint_says_nothing(tmp_path: Path):
    folder = run(tmp_path, GROWING, {})
    (folder / "checkpoints" / f"{300:010d}.json").write_text("{")
    assert cost(folder)["seconds"] == 50
    assert np.array_equal(clock(folder / "timing.csv")[0], STEPS)
