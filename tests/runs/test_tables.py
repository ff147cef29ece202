"""The CSVs of a run: what a number is as text, and files that have lost rows."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from primacy.runs.errors import UserError
from primacy.runs.tables import COLUMNS, Table, Tables, number
from primacy.tests.support.small_runs import digest, train


def test_a_float32_of_any_size_reads_back_exactly():
    generator = np.random.default_rng(0)
    sizes = 10.0 ** generator.uniform(-37, 37, 5000)
    for value in (generator.standard_normal(5000) * sizes).astype(np.float32).tolist():
        assert np.float32(float(number(value))) == np.float32(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.7e-12, "3.7e-12"),
        (0.75, "0.75"),
        (2.0, "2.0"),
        (1 / 3, "0.3333333333"),
        (1234567.891234, "1234567.891"),
        (np.float64(0.5), "0.5"),
        (float("nan"), "nan"),
        (-float("inf"), "-inf"),
    ],
)
def test_ten_digits_and_no_more(value: float, text: str):
    assert number(value) == text


def filled(folder: Path) -> dict[str, int]:
    tables = Tables(folder)
    for step in range(3):
        tables.training.add(0, step, step, "loss", 0.5)
        tables.events.add(0, step, step, "start", "")
    lengths = tables.sync()
    tables.close()
    return lengths


def test_a_file_that_has_lost_rows_is_refused_and_every_other_stays_as_it_is(tmp_path: Path):
    lengths = filled(tmp_path)
    events = tmp_path / "events.csv"
    events.write_bytes(events.read_bytes()[:-4])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    tables = Tables(tmp_path)
    with pytest.raises(UserError, match=r"events\.csv has lost rows: \d+ bytes where") as fault:
        tables.truncate(lengths | {"training": 0})
    assert "restore the file" in fault.value.hint
    tables.close()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("left", [0, 7])
def test_a_header_that_a_full_disk_cut_short_is_written_again(tmp_path: Path, left: int):
    header = COLUMNS["training"].replace(" ", ",") + "\n"
    (tmp_path / "training.csv").write_text(header[:left])
    table = Table(tmp_path, "training")
    table.add(0, 1, 1, "loss", 0.5)
    table.close()
    assert (tmp_path / "training.csv").read_text() == header + "0,1,1,loss,0.5\n"


def test_a_run_whose_evaluations_are_gone_says_so_and_goes_on_with_them(tmp_path: Path):
    out, path = tmp_path / "run", tmp_path / "run" / "evaluations.csv"
    assert train(out, "--env-steps", "100").returncode == 0
    before = digest(out)
    copy = shutil.copy(path, tmp_path / "copy.csv")
    path.unlink()
    for _ in range(2):
        answer = train(out, "--env-steps", "100")
        assert answer.returncode == 2
        first, second = answer.stderr.strip().splitlines()
        assert "evaluations.csv has lost rows" in first
        assert "restore the file" in second
        assert b"\0" not in path.read_bytes()
    shutil.copy(copy, path)
    assert train(out, "--env-steps", "100").returncode == 0
    assert digest(out) == before
