"""Returns to scores by table, against the published numbers and dm_control's own list of tasks."""

import numpy as np
import pytest

from primacy.runs.errors import UserError
from primacy.runs.normalisation import DMC, NORMALISERS, atari_bounds, key, normaliser
from primacy.runs.report_study import study
from primacy.runs.results import read_runs
from primacy.tests.support.report_runs import constant, write_run


def test_human_normalised_scores_as_published_with_bbf():
    """GameScoreAverage and GameScoreNormalized of google-research/bigger_better_faster."""
    published = {
        "alien": (1265.0, 0.15032102167606354),
        "bankheist": (127.69999694824219, 0.15360671281814575),
        "breakout": (192.66000366210938, 6.630555629730225),
        "pong": (6.980000019073486, 0.7841359972953796),
        "privateeye": (0.0, -0.00035803436185233295),
    }
    atari = normaliser("atari", list(published))
    for game, (score, expected) in published.items():
        assert atari.apply(game, score) == pytest.approx(expected, abs=2e-7)
    assert atari.gamma == 1


def test_the_table_has_26_games_with_a_range():
    assert len(atari_bounds()) == 26
    assert all(human > random for random, human in atari_bounds().values())


@pytest.mark.parametrize(
    "name",
    ["bank_heist", "bankheist", "BankHeist", "Bank Heist", "ALE/BankHeist-v5"]
    + ["atari-bank_heist"]
    + ["BankHeistNoFrameskip-v4", "BankHeist-v0", "bank-heist", "BankHeistDeterministic-v4"],
)
def test_names_of_one_game(name):
    assert key(name) == "bankheist"
    assert normaliser("auto", [name]).apply(name, 753.1) == pytest.approx(1)


def test_every_task_of_dm_control_is_known():
    suite = pytest.importorskip("dm_control.suite")
    assert {key(f"{domain}-{task}") for domain, task in suite.ALL_TASKS} == DMC


@pytest.mark.parametrize(
    ("tasks", "name"),
    [
        (["walker-run", "ball_in_cup-catch", "humanoid_CMU-run", "swimmer-swimmer9"], "dmc"),
        (["dm_control/cheetah-run-v0"], "dmc"),
        (["cartpole-swingup-pixels", "swimmer-swimmer6-pixels84", "walker-run"], "dmc"),
        (["walker-pixels"], "none"),
        (["Alien", "up_n_down"], "atari"),
        (["antmaze-large-play-v2"], "antmaze"),
        (["walker-run", "alien"], "none"),
        (["Hopper-v4"], "none"),
        (["Alien", "Asteroids"], "none"),
    ],
)
def test_auto_goes_by_the_names_of_tasks_and_says_so(tasks, name):
    found = normaliser("auto", tasks)
    assert found.name == name
    assert ("auto" in found.note) == (name != "none")
    assert name != "none" or f"No one known suite has {tasks[0]}" in found.note


def test_scores_and_gamma_of_the_other_suites():
    assert normaliser("dmc", ["x"]).apply("x", [0, 250]).tolist() == [0, 0.25]
    antmaze = normaliser("antmaze", ["x"])
    assert (antmaze.apply("x", [0.5]).tolist(), antmaze.gamma) == ([50], 100)
    assert normaliser("none", ["x"]).apply("x", [7.5]).tolist() == [7.5]


@pytest.mark.parametrize("columns", ["task,low,high", "game,random,human", "human,game,x,random"])
def test_an_own_table(tmp_path, columns):
    cells = {"task": "Door", "game": "Door", "low": "10", "random": "10", "high": "30"}
    cells |= {"human": "30", "x": "?"}
    line = ",".join(cells[column] for column in columns.split(","))
    (tmp_path / "own.csv").write_text(f"{columns}\n{line}\n")
    found = normaliser(str(tmp_path / "own.csv"), ["door"])
    assert found.apply("door", np.array([[10, 20], [30, 40]])).tolist() == [[0, 0.5], [1, 1.5]]
    with pytest.raises(UserError, match="has no scores of dor") as caught:
        normaliser(str(tmp_path / "own.csv"), ["dor"])
    assert "did you mean door?" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("task,low\na,1\n", "line 1 does not name the columns"),
        ("task,low,high\n", "names no task"),
        ("task,low,high\na,1\n", "line 2 is not a task and two numbers"),
        ("task,low,high\na,1,b\n", "line 2 is not a task and two numbers"),
        ("task,low,high\na,1,1\n", "line 2: a is there twice or has no range"),
        ("task,low,high\na,1,nan\n", "line 2: a is there twice or has no range"),
        ("task,low,high\na,1,2\nA,1,2\n", "line 3: A is there twice"),
    ],
)
def test_a_malformed_table(tmp_path, text, match):
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(UserError, match=match):
        normaliser(str(tmp_path / "own.csv"), ["a"])


GAMES = ["alien", "amidar", "assault", "asterix", "boxing"]


@pytest.mark.parametrize(
    ("name", "returns", "doubted"),
    [
        ("atari", dict.fromkeys(GAMES, [0.1, 19.9]), True),
        ("atari", dict.fromkeys(GAMES, [0.1, 20.0]), False),
        ("atari", dict.fromkeys(GAMES[:4], [0.1, 19.9]), False),
        ("dmc", {"walker-run": [0.2, 0.9]}, True),
        ("dmc", {"walker-run": [0.2, 1.9]}, False),
        ("dmc", {"walker-run": [0.0, 0.0]}, False),
        ("dmc", {"walker-run": [1200.0]}, True),
        ("antmaze", {"antmaze-umaze-v2": [0.9]}, False),
        ("antmaze", {"antmaze-umaze-v2": [90.0]}, True),
        ("none", {"x": [0.2]}, False),
    ],
)
def test_numbers_that_look_normalised_are_doubted(name, returns, doubted):
    doubt = NORMALISERS[name](list(returns)).doubt(returns)
    assert bool(doubt) == doubted
    assert not doubt or "--normalise none" in doubt


def test_the_report_says_that_numbers_look_normalised(tmp_path):
    write_run(tmp_path / "a", constant({0: 0.5, 1: 0.7}), [1, 2, 3, 4])
    notes = study(read_runs([tmp_path])).notes
    assert any("look normalised already" in note for note in notes)
    quiet = study(read_runs([tmp_path]), normalise="none").notes
    assert not any("look normalised already" in note for note in quiet)
    assert any("Scores are used as they are" in note for note in quiet)
