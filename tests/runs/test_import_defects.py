"""What is wrong with a file is one line with its place, and one line with what to do."""

import json

import numpy as np
import pytest

from primacy.runs.errors import UserError
from primacy.runs.import_options import ImportOptions
from primacy.runs.import_results import results
from primacy.tests.support.foreign_results import Curves, event_files, text_tree


def refused(path, match, **options):
    """The hint of the one-line refusal."""
    with pytest.raises(UserError, match=match) as caught:
        results([path], ImportOptions(**options))
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert "\n" not in caught.value.hint
    return caught.value.hint


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", r"0\.txt is empty"),
        ("\n \n", r"0\.txt is empty"),
        ("# step return\n", r"0\.txt holds no evaluation"),
        ("1000 1.0\n2000\n", r"0\.txt line 2: 1 entries, expected 2"),
        ("1000 1.0\n2000 1.0 3\n", r"0\.txt line 2: 3 entries, expected 2"),
        ("1000 1.0\n\n2000 nan\n", r"0\.txt line 3: return is nan, not a finite number"),
        ("1000 inf\n", r"0\.txt line 1: return is inf, not a finite number"),
        ("1000 fail\n", r"0\.txt line 1: return is 'fail', not a number"),
        ("1000.5 1\n", r"0\.txt line 1: step is 1000\.5, not a whole number"),
        ("-1 1\n", r"0\.txt line 1: step is -1, not a whole number"),
        ("1000 1\n1000 1\n", r"0\.txt line 2: seed 0 .* twice at step 1000 .*0\.txt line 1\)"),
        ("\xff", r"cannot read .*0\.txt: it is not UTF-8"),
    ],
)
def test_a_text_file(tmp_path, text, match):
    folder = tmp_path / "a/walker-run"
    folder.mkdir(parents=True)
    (folder / "0.txt").write_bytes(text.encode("latin-1"))
    refused(tmp_path, match)


HEADER = ",exp_name,env_name,seed,env_step,value\n"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", r"r\.csv is empty"),
        (HEADER, r"r\.csv holds no rows"),
        (HEADER + "0,a,walker-run,0,1000\n", r"r\.csv line 2: 5 entries, expected 6"),
        (HEADER + "0,a,walker-run,0,1000,nan\n", r"r\.csv line 2: score is nan"),
        (HEADER + "0,a,walker-run,0,1000,\n", r"r\.csv line 2: score is '', not a number"),
        (HEADER + "0,a,walker-run,s1,1000,1\n", r"r\.csv line 2: seed is 's1', not a number"),
        (HEADER + "0,a,walker-run,0,0.5,1\n", r"r\.csv line 2: step is 0\.5, not a whole"),
        (HEADER + "0,a,,0,1000,1\n", r"r\.csv line 2: the task is missing"),
        (HEADER + 2 * "0,a,walker-run,0,1000,1\n", r"r\.csv line 3: seed 0 .* twice .* line 2\)"),
        ("seed,seed\n0,1\n", r"r\.csv line 1 names 'seed' twice"),
        ("game,score\nalien,1\n", r"r\.csv: no column is known to hold the seed"),
    ],
)
def test_a_csv(tmp_path, text, match):
    (tmp_path / "r.csv").write_text(text)
    refused(tmp_path / "r.csv", match)


@pytest.mark.parametrize(
    ("options", "match", "hint"),
    [
        ({"columns": ("task=game",)}, "no column 'game'", "exp_name, env_name, seed"),
        ({"columns": ("game=env_name",)}, "names 'game', which is no field", "task, seed"),
        ({"columns": ("task",)}, "--columns task is not LEFT=RIGHT", "task=env_name"),
        ({"where": ("metric=a",)}, "no column 'metric'", "exp_name"),
        ({"where": ("seed=7",)}, "no row with seed=7", "seed is 0"),
        ({"pattern": "{}.csv"}, "does not name parts", "{condition}"),
        ({"pattern": "{seed}_{seed}.csv"}, "each once", "{condition}"),
        ({"pattern": "{task}_x.csv", "format": "csv"}, "no file in .* as .*r.csv shows", "--patt"),
        ({"format": "text-tree"}, "no file in", "--pattern"),
        ({"normalise": "atari"}, "no scores of walker-run", "--tasks"),
        ({"normalise": "nothing"}, "--normalise nothing is no table", "auto, atari"),
        ({"at": "soon"}, "--at soon is no step", "last"),
        ({"at": "5"}, "no run was evaluated at --at 5.*r.csv.* ends at 1,000", "--at last"),
        ({"last": 0}, "--last is 0", "at least 1"),
        ({"smooth": -1}, "--smooth is -1", "at least 1"),
        ({"reset_every": 5}, "--reset-every is for --since-reset", "both"),
        ({"since_reset": True, "last": 2}, "two different scores", "one"),
        ({"since_reset": True}, "needs resets", "--reset-every"),
        ({"conditions": ("a",), "tasks": ("walker-rum",)}, "called so", "walker-run"),
    ],
)
def test_options_that_do_not_fit(tmp_path, options, match, hint):
    (tmp_path / "r.csv").write_text(HEADER + "0,a,walker-run,0,1000,1\n")
    assert hint in refused(tmp_path, match, **options)


def test_one_seed_in_two_files(tmp_path):
    for folder in ("x", "y"):
        text_tree(tmp_path / folder, [Curves("a", "walker-run", [1], {0: [1.0]})])
    pattern = "{condition}/{task}/{seed}.txt"
    refused(
        tmp_path,
        r"seed 0 of 'a' on walker-run is in two folders: .*x/a.* and .*y/a",
        pattern=pattern,
    )


def test_seeds_without_a_shared_step(tmp_path):
    curves = [
        Curves("a", "walker-run", [1], {0: [1.0]}),
        Curves("a", "walker-run", [2], {1: [1.0]}),
    ]
    refused(text_tree(tmp_path, curves), "share no evaluation step")


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.array([[1.0, np.nan]]), r"row 0, checkpoint 1: return is nan"),
        (np.zeros((2, 2, 2)), r"float64 \[2, 2, 2\], not numbers \[seeds, checkpoints\]"),
        (np.zeros((0, 3)), r"\[0, 3\]"),
        (np.array(["a"]), r"not numbers"),
    ],
)
def test_an_array(tmp_path, array, match):
    np.save(tmp_path / "SPR_alien.npy", array)
    refused(tmp_path, match, steps="1000")


@pytest.mark.parametrize("steps", ["", "x", "1:2:3", "5:5", "1,2", "1000:1500"])
def test_steps_that_do_not_fit(tmp_path, steps):
    np.save(tmp_path / "SPR_alien.npy", np.zeros((2, 4)))
    assert "FIRST:LAST" in refused(tmp_path, "steps", steps=steps)


def test_files_that_are_no_arrays(tmp_path):
    (tmp_path / "SPR_alien.npy").write_bytes(b"no array")
    refused(tmp_path, "cannot read .*SPR_alien.npy")
    (tmp_path / "SPR_alien.npy").rename(tmp_path / "SPR_door.npy")
    assert "--pattern" in refused(tmp_path, "no file in .* is CONDITION_TASK.npy")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"Alien": [1, 2', r"s\.json line 1 is not JSON"),
        ("[]", r"neither a dictionary nor a list, or empty"),
        ("3", r"neither a dictionary nor a list"),
        ('{"Alien": 3}', r"s, Alien is not a list of scores"),
        ('{"Alien": []}', r"s, Alien is not a list of scores"),
        ('{"Alien": [1, NaN]}', r"s, Alien: the score of seed 1 is nan"),
        ('{"Alien": [1, null]}', r"s, Alien: the score of seed 1 is None, not a number"),
        ('{"Alien": [[1, 2], [1]]}', r"s, Alien: seeds have \[1, 2\] scores"),
        ('[{"game": "Alien", "run": 0, "score": "x"}]', r"record 0: score is 'x'"),
        ('[{"game": "Alien", "run": 0, "score": 1}, {}]', r"record 1: not a record"),
        (json.dumps([{"game": "Alien", "run": 0, "score": 1}] * 2), r"record 1: seed 0 .* twice"),
    ],
)
def test_a_json_file(tmp_path, text, match):
    (tmp_path / "s.json").write_text(text)
    refused(tmp_path, match)


def test_event_files(tmp_path):
    pytest.importorskip("tensorboard", reason="writing event files needs tensorboard")
    event_files(tmp_path / "1", [Curves("a", "walker-run", [1, 1], {0: [1.0, 2.0]})], "r")
    refused(tmp_path / "1", r"walker-run/0, r at step 1: seed 0 .* twice", tag="r")
    event_files(tmp_path / "2", [Curves("a", "walker-run", [1], {0: [np.nan]})], "r")
    refused(tmp_path / "2", r"r at step 1: the value is nan", tag="r")
    event_files(tmp_path / "3", [Curves("a", "walker-run", [], {0: []})], "r")
    refused(tmp_path / "3", r"0 has no scalar 'r'", tag="r")


def test_nothing_and_too_much(tmp_path):
    refused(tmp_path / "nowhere", "cannot read .*nowhere: no such file")
    assert "docs/import.md" in refused(tmp_path, "no run in")
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "a.csv").write_text("")
    assert "--format csv" in refused(tmp_path, "holds files of csv and json")
