"""Grids as lists of checked runs."""

from pathlib import Path

import pytest

from primacy.runs.errors import UserError
from primacy.runs.sweep import SweepOptions, cells, parse_axis

COMMON = ("--task", "walker-walk", "--env-steps", "1000")


def sweep(*grid: str, **options) -> SweepOptions:
    return SweepOptions(grid=grid, out=Path("out"), **options)


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
