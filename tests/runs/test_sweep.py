"""Grids as lists of checked runs, and what lies in their folders already."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from primacy.runs import cli
from primacy.runs.config import RunConfig, read, to_dict
from primacy.runs.errors import UserError
from primacy.runs.existing import finished
from primacy.runs.sweep import SweepOptions, cells, parse_axis

COMMON = ("--task", "walker-walk", "--env-steps", "1000")


def sweep(*grid: str, **options) -> SweepOptions:
    return SweepOptions(grid=grid, out=Path("out"), **options)


def put(folder: Path, config: RunConfig, state: str = "finished") -> Path:
    """A run folder as `primacy train` leaves it, as far as other commands look at it."""
    folder.mkdir(parents=True)
    written = {"schema": 1, "config": to_dict(config)}
    (folder / "config.json").write_text(json.dumps(written))
    (folder / "status.json").write_text(json.dumps({"state": state}))
    return folder


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 2, said.err
    return said.err


@pytest.mark.parametrize(
    ("text", "name", "choices"),
    [
        ("replay-ratio=1,16", "replay-ratio", [["1"], ["16"]]),
        (
            "remedies=none;reset:every=5,unit=frames l2",
            "remedies",
            [[], ["reset:every=5,unit=frames", "l2"]],
        ),
        ("prime-updates=0;9 --label x", "prime-updates", [["0"], ["9", "--label", "x"]]),
        ("remedies=reset:every=5,unit=frames", "remedies", [["reset:every=5,unit=frames"]]),
    ],
)
def test_axes(text, name, choices):
    assert parse_axis(text) == (name, choices)


@pytest.mark.parametrize("text", ["replay-ratio", "=1", "replay-ratio=", "replay-ratio=1,,2"])
def test_axes_that_are_none(text):
    with pytest.raises(UserError, match="not understood"):
        parse_axis(text)


def test_every_combination_is_a_run_of_its_own():
    found = cells(sweep("replay-ratio=1,1/2", "remedies=none;reset:every=5"), COMMON)
    assert [(c.config.replay_ratio, c.config.remedies) for c in found] == [
        ("1", ()),
        ("1", ("reset:every=5",)),
        ("1/2", ()),
        ("1/2", ("reset:every=5",)),
    ]
    assert len({cell.name for cell in found}) == 4
    assert all("/" not in cell.name and ":" not in cell.name for cell in found)
    assert all(cell.arguments[0] == "train" for cell in found)


def test_the_first_wrong_run_is_refused_before_any_starts():
    with pytest.raises(UserError, match="replay-ratio -1"):
        cells(sweep("replay-ratio=1,-1"), COMMON)


@pytest.mark.parametrize(("fork_of", "at"), [(Path("x"), ""), (None, "5"), (Path("x"), "five")])
def test_forks_need_their_steps(fork_of, at, monkeypatch):
    monkeypatch.setattr("primacy.runs.sweep.read", lambda folder: None)
    with pytest.raises(UserError, match="belong together"):
        cells(sweep("replay-ratio=1", fork_of=fork_of, at=at), COMMON)


def test_names_that_are_cut_stay_apart():
    values = [f"{'ä' * 40}{'x' * 200}{end}" for end in "ab"]
    found = cells(sweep(f"label={','.join(values)}"), COMMON)
    assert len({cell.name for cell in found}) == 2
    assert all(len(cell.name.encode()) <= 200 for cell in found)
    assert [cell.arguments[-1] for cell in found] == [f"out/{cell.name}" for cell in found]
    assert [cell.name for cell in found] == [
        cell.name for cell in cells(sweep(f"label={','.join(values)}"), COMMON)
    ]


@pytest.mark.parametrize("axis", ["replay-ratio=2,2", "label=a:b,a-b", "replay-ratio=1/2,1-2"])
def test_two_runs_in_one_folder_are_refused(axis: str):
    with pytest.raises(UserError, match="share the folder") as caught:
        cells(sweep(axis), COMMON)
    assert "once" in caught.value.hint


# What else is wrong with these would come next: -1 at once would never start one.
SWEEP = ("sweep", *COMMON, "--grid", "replay-ratio=-1")
RUN = ("run", "antmaze", "--conditions", "none")


@pytest.mark.parametrize("command", [SWEEP, RUN])
def test_a_negative_number_of_jobs_is_refused(command, tmp_path: Path, capsys):
    said = complaint(capsys, *command, "--out", str(tmp_path / "x"), "--jobs", "-1")
    assert "--jobs -1 is negative" in said


@pytest.mark.parametrize("lanes", ["seeds", "remedies"])
@pytest.mark.parametrize("place", ["file", "file/below", "sweep/replay-ratio=1"])
def test_a_file_in_the_place_of_a_folder_is_named(lanes, place, tmp_path: Path, capsys):
    (tmp_path / "sweep").mkdir()
    for path in (tmp_path / "file", tmp_path / "sweep" / "replay-ratio=1"):
        path.write_text("kept")
    out = tmp_path / place.removesuffix("/replay-ratio=1")
    asked = (*COMMON, "--grid", "replay-ratio=2,1", "--lanes", lanes, "--out", str(out))
    said = complaint(capsys, "sweep", *asked)
    assert "is not a folder" in said
    assert "--out" in said
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "replay-ratio=1", "sweep"]


@pytest.mark.parametrize("state", ["finished", "interrupted"])
@pytest.mark.parametrize("lanes", ["seeds", "remedies"])
def test_a_run_of_another_configuration_is_refused_before_any_starts(
    state: str, lanes: str, tmp_path: Path, capsys
):
    grid = ("--grid", "remedies=none;reset:every=5", "--lanes", lanes, "--out", str(tmp_path))
    plain, reset = cells(SweepOptions((grid[1],), tmp_path), COMMON)
    put(tmp_path / reset.name, replace(reset.config, env_steps=500), state)
    said = complaint(capsys, "sweep", *COMMON, *grid)
    assert "env_steps: 500 there, 1000 here" in said
    assert "another --out" in said
    assert [path.name for path in tmp_path.iterdir()] == [reset.name]


@pytest.mark.parametrize("lanes", ["seeds", "remedies"])
def test_finished_runs_of_this_configuration_are_passed_over(lanes: str, tmp_path: Path, capsys):
    axis = "remedies=none;reset:every=5"
    for cell in cells(SweepOptions((axis,), tmp_path), COMMON):
        put(tmp_path / cell.name, replace(cell.config, label="another"))
    asked = ("--grid", axis, "--lanes", lanes, "--out", str(tmp_path))
    assert cli.main(("sweep", *COMMON, *asked)) == 0
    runs = 1 if lanes == "remedies" else 2
    assert f"{runs} runs, {runs} already finished" in capsys.readouterr().out


def test_a_finished_fork_is_known_again(tmp_path: Path):
    config = cells(sweep("remedies=reset:every=5"), COMMON)[0].config
    parent = put(tmp_path / "parent", config)
    options = SweepOptions(("remedies=none;l2",), tmp_path, fork_of=parent, at="5")
    found = cells(options, ())
    assert [cell.config.remedies for cell in found] == [(), ("l2",)]
    put(tmp_path / found[0].name, replace(config, remedies=()))
    assert finished(tmp_path / found[0].name, found[0].config)
    assert read(parent).remedies == ("reset:every=5",)


def test_what_a_run_is_given_is_counted_by_the_command_that_begins_it(tmp_path: Path):
    config = cells(sweep("replay-ratio=1"), COMMON)[0].config
    run = put(tmp_path / "run", replace(config, given_transitions=70))
    assert finished(run, config)
    assert finished(run, replace(config, given_transitions=70))
    with pytest.raises(UserError, match="given_transitions: 70 there, 71 here"):
        finished(run, replace(config, given_transitions=71))


@pytest.mark.parametrize(("content", "words"), [(None, "without its"), ("{", "cannot be read")])
def test_a_finished_run_without_its_configuration(content, words: str, tmp_path: Path):
    config = cells(sweep("replay-ratio=1"), COMMON)[0].config
    run = put(tmp_path / "run", config)
    (run / "config.json").unlink() if content is None else (run / "config.json").write_text(content)
    with pytest.raises(UserError, match=words):
        finished(run, config)
