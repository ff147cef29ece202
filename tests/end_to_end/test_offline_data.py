"""Runs that begin with a data file: what they are given, what is refused, and going on."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from primacy.replay.journal import Journal
from primacy.replay.offline import load
from primacy.runs.config import read
from primacy.runs.digest import digest
from primacy.runs.folder import read_json
from primacy.runs.learning import Learner
from primacy.tests.support.offline_runs import SMALL, run, train, write
from primacy.tests.support.small_runs import primacy

SWITCH = ("--at-switch", "reset", "--relearn-updates", "9", "--warmup-policy", "agent")
SEEN = ("--online-sampling", "symmetric:0.5", "--normalize-observations")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "data.npz")


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that did both phases and the switch in one go."""
    return train(data, tmp_path_factory.mktemp("whole") / "run", *SWITCH, *SEEN)


def test_each_seed_is_given_the_transitions_of_the_file(data: Path, whole: Path):
    config, found = read(whole), load(data)
    assert config.given_transitions == len(found) == 58
    journal = Journal.open(whole / "journal")
    assert len(journal) == 58 + 30
    for lane in range(2):
        assert np.array_equal(journal.read(0, 58)[:, lane], found.rows(journal.layout))
    record = read_json(whole / "config.json")["offline_data"]
    assert (record["rows"], record["transitions"], len(record["sha256"])) == (60, 58, 64)


def test_a_fork_of_the_offline_run_ends_where_one_go_does(data: Path, whole: Path, tmp_path: Path):
    offline = train(data, tmp_path / "offline", "--env-steps", "0", "--normalize-observations")
    options = ("--env-steps", "30", *SWITCH, *SEEN[:2], "--quiet")
    for out in ("fork", "fork"):  # The second time it finds itself finished.
        assert run("fork", offline, "--at", "0", *options, "--out", tmp_path / out) == 0
    assert digest(tmp_path / "fork") == digest(whole)
    plain = ("--env-steps", "30", "--quiet", "--out", tmp_path / "plain")
    assert run("fork", offline, "--at", "0", *plain) == 0
    assert digest(tmp_path / "plain") != digest(whole)


def test_the_offline_phase_has_a_curve(whole: Path):
    """Means of every --log-every gradient steps, 10 of 12 here, and of the rest."""
    with (whole / "training.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["env_step"] == "0"]
    assert {int(row["gradient_step"]) for row in rows} == {10, 12}
    names = {row["metric"] for row in rows if row["gradient_step"] == "10"}
    assert names == {row["metric"] for row in rows if row["gradient_step"] == "12"} != set()


def test_the_switch_is_recorded_like_any_intervention(whole: Path):
    events = [line.split(",")[1:5] for line in (whole / "events.csv").read_text().splitlines()]
    kinds = {tuple(event[:3]) for event in events}
    assert {("0", "12", "offline"), ("0", "12", "reset"), ("0", "21", "relearn")} <= kinds
    rows = [line.split(",") for line in (whole / "plasticity.csv").read_text().splitlines()]
    phases = {tuple(row[1:4]) for row in rows}
    assert {("0", "12", "before"), ("0", "12", "after")} <= phases


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("update", [5, 12, 16, 21, 30], ids=str)
def test_killed_anywhere_it_ends_the_same(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: int
):
    copy, out = tmp_path / "data.npz", tmp_path / "run"
    copy.write_bytes(data.read_bytes())
    block = Learner._block

    def dying(self: Learner, end: int, first: int | None) -> None:
        block(self, min(end, self.gradient_step + 4), first)
        if self.gradient_step >= update:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "_block", dying)
        patch.setattr("primacy.runs.train.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        patch.setattr("primacy.runs.train.SHARE_OF_CHECKPOINTS", math.inf)
        with pytest.raises(Killed):
            train(copy, out, *SWITCH, *SEEN)
    copy.unlink()
    train(copy, out, *SWITCH, *SEEN)
    assert digest(out) == digest(whole)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """What a refused command says: two lines."""
    capsys.readouterr()
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 2, said
    return said


def test_a_file_that_changed_is_refused(data: Path, tmp_path: Path, capsys):
    copy, out = tmp_path / "data.npz", tmp_path / "run"
    copy.write_bytes(data.read_bytes())
    train(copy, out, "--env-steps", "0")
    write(copy, seed=1)
    command = ("train", *SMALL, "--env-steps", "0", "--offline-data", copy, "--out", out)
    assert "has changed since" in complaint(capsys, *command)


def test_what_cannot_be_begun_with(data: Path, tmp_path: Path, capsys):
    torn = tmp_path / "torn.npz"
    torn.write_bytes(data.read_bytes()[:-200])
    out = tmp_path / "run"
    cases: list[tuple[tuple[str | Path, ...], str]] = [
        (("--offline-data", torn), "torn or damaged"),
        (("--offline-data", tmp_path / "none.npz"), "no such file"),
        (("--offline-data", "d4rl:antmaze-tiny-v2"), "choose from antmaze-umaze-v2"),
        (("--offline-data", data, "--task", "walker-walk"), "shape (60, 5), not (60, 24)"),
        (("--offline-data", data, "--replay-capacity", "50"), "give --replay-capacity 88"),
        (("--offline-data", data, "--given-transitions", "5"), "leave --given-transitions out"),
        (("--offline-data", data, "--replay-capacity", "60", *SEEN), "give --replay-capacity 88"),
    ]
    for options, words in cases:
        said = complaint(capsys, "train", *SMALL, *options, "--out", out)
        assert words in said, said
        assert not out.exists()


def test_after_the_switch_a_fork_cannot_switch_otherwise(whole: Path, tmp_path: Path, capsys):
    command = ("fork", whole, "--at", "20", "--at-switch", "none", "--out", tmp_path / "fork")
    assert "a fork has the at switch of its parent" in complaint(capsys, *command)


def test_a_transplant_of_its_experience_needs_no_file(whole: Path, tmp_path: Path):
    options = ("--first", "40", "--env-steps", "5", "--quiet", "--out", tmp_path / "out")
    assert run("transplant", whole, *options) == 0
    assert read(tmp_path / "out").offline_data == ""


def test_a_full_disk_leaves_nothing_half_begun(data: Path, tmp_path: Path):
    out = tmp_path / "run"
    given = ("train", *SMALL, "--offline-data", str(data), "--out", str(out))
    answer = primacy(*given, largest_file=2_000)
    assert answer.returncode == 2
    assert len(answer.stderr.strip().splitlines()) == 2, answer.stderr
    assert list(tmp_path.iterdir()) == []
