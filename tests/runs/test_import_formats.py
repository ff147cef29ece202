"""Every layout of public results gives the evaluations that were written."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from primacy.runs.errors import UserError
from primacy.runs.import_options import FormatName, ImportOptions
from primacy.runs.import_results import FORMATS, results
from primacy.tests.support.foreign_results import (
    Curves,
    arrays,
    event_files,
    long_csv,
    score_file,
    text_tree,
)
from primacy.tests.support.report_runs import constant, write_run

STEPS = [1000, 2000, 3000]
TWO = [
    Curves("base", "walker-run", STEPS, {0: [1.5, 2.5, 3.5], 1: [4.0, 5.0, 6.0]}),
    Curves("base", "hopper-hop", STEPS, {0: [7.0, 8.0, 9.0], 3: [1.0, 2.0, 3.25]}),
    Curves("reset_32", "walker-run", STEPS, {0: [11.0, 12.0, 13.0], 1: [14.0, 15.0, 16.0]}),
]
SIMBA = "exp_name env_name seed env_step value"


def read(*paths: Path, **options):
    return results(paths, ImportOptions(**options))


def found(study):
    """(condition, task) -> (steps, {seed: returns})."""
    return {
        (c.label, task): (
            curve.env_steps.tolist(),
            dict(zip(curve.seeds, curve.returns.tolist(), strict=True)),
        )
        for c in study.conditions
        for task, curve in c.curves.items()
    }


def written(curves):
    return {(c.condition, c.task): (list(c.steps), dict(c.returns)) for c in curves}


def test_the_registry_and_the_option_name_the_same_formats():
    assert {"auto", *FORMATS} == set(FormatName.__args__)


def test_a_text_tree(tmp_path):
    assert found(read(text_tree(tmp_path / "curves", TWO))) == written(TWO)


def test_conditions_are_all_levels_above_the_task(tmp_path):
    text_tree(tmp_path / "curves/drq", TWO[:1])
    text_tree(tmp_path / "curves/sac", TWO[:1])
    assert set(found(read(tmp_path / "curves"))) == {
        ("drq/base", "walker-run"),
        ("sac/base", "walker-run"),
    }
    below = read(tmp_path / "curves/drq/base")
    assert set(found(below)) == {("base", "walker-run")}
    one = read(tmp_path / "curves/drq/base/walker-run/1.txt")
    assert found(one) == {("base", "walker-run"): (STEPS, {1: [4.0, 5.0, 6.0]})}


def test_lines_as_numpy_writes_them(tmp_path):
    folder = tmp_path / "a/walker-run"
    folder.mkdir(parents=True)
    array = np.array([[2000, 1.25], [1000, 3.0]])
    np.savetxt(folder / "0.txt", array, fmt=["%d", "%.1f"], header="step return")
    assert found(read(tmp_path)) == {("a", "walker-run"): ([1000, 2000], {0: [3.0, 1.2]})}


def test_a_pattern_takes_the_task_out_of_a_long_name(tmp_path):
    for condition, task in (("sac", "walker-run"), ("sac_b", "ball_in_cup-catch")):
        folder = tmp_path / f"exp_{condition}_env_name_{task}_max_steps_1e6_utd_32"
        folder.mkdir()
        (folder / "7.txt").write_text("1000 5.0\n")
    (tmp_path / "README.txt").write_text("not a run")
    pattern = "exp_{condition}_env_name_{task}_max_steps_{rest}/{seed}.txt"
    study = read(tmp_path, pattern=pattern)
    assert found(study) == {
        ("sac", "walker-run"): ([1000], {7: [5.0]}),
        ("sac_b", "ball_in_cup-catch"): ([1000], {7: [5.0]}),
    }
    assert any("1 file left out" in note and "README.txt" in note for note in study.notes)


def test_a_pattern_for_other_file_names_and_no_condition(tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/walker-run_seed4.log").write_text("1000, 5.0\n")
    study = read(tmp_path / "ours", pattern="{task}_seed{seed}.log")
    assert found(study) == {("ours", "walker-run"): ([1000], {4: [5.0]})}


def test_a_long_csv_by_its_usual_names(tmp_path):
    assert found(read(long_csv(tmp_path / "r.csv", TWO, SIMBA))) == written(TWO)


def test_a_long_csv_by_any_names_and_a_metric(tmp_path):
    path = long_csv(tmp_path / "a.csv", TWO, "Who What Nr When HowMuch", metric="avg_return")
    more = long_csv(tmp_path / "b.csv", TWO, "Who What Nr When HowMuch", metric="length")
    path.write_text(path.read_text() + "\n".join(more.read_text().splitlines()[1:]) + "\n")
    more.unlink()
    names = ("condition=Who", "task=What", "seed=Nr", "step=When", "score=HowMuch")
    study = read(path, columns=names, where=("metric=avg_return",))
    assert found(study) == written(TWO)
    with pytest.raises(UserError, match=r"a\.csv line 20: seed 0 .* twice") as caught:
        read(path, columns=names)
    assert caught.value.hint == "choose rows with --where: metric is avg_return or length"


def test_a_csv_of_final_scores_per_condition(tmp_path):
    for name, shift in (("RR2_BBF", 0), ("RR8_BBF", 100)):
        rows = [f"{110 + i},{7779 + i},alien,{shift + i}.5" for i in range(3)]
        (tmp_path / f"{name}.csv").write_text(
            "\n".join([",seed,game,GameScoreAverage", *rows, "9,1,asteroids,2.0"]) + "\n"
        )
    study = read(tmp_path, columns=("score=GameScoreAverage",), tasks=("atari",))
    assert [c.finals["alien"] for c in study.conditions] == [
        {7779 + i: shift + i + 0.5 for i in range(3)} for shift in (0, 100)
    ]
    assert study.experiments[0].tasks == ("alien",)


def test_the_tasks_of_one_suite_are_taken_out_of_more(tmp_path):
    curves = [TWO[0], TWO[0]._replace(task="h1-pole-v0"), TWO[0]._replace(task="dog_trot")]
    tree = text_tree(tmp_path, curves)
    assert read(tree).experiments[0].normaliser.name == "none"
    study = read(tree, tasks=("dmc",))
    assert set(study.experiments[0].tasks) == {"walker-run", "dog_trot"}
    assert study.experiments[0].normaliser.name == "dmc"


def test_a_csv_per_run_with_the_rest_in_its_path(tmp_path):
    for seed in (0, 1):
        path = tmp_path / f"sac/walker-run/{seed}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"step,return\n1000,{seed}.5\n")
    study = read(tmp_path, pattern="{condition}/{task}/{seed}.csv", format="csv")
    assert found(study) == {("sac", "walker-run"): ([1000], {0: [0.5], 1: [1.5]})}


def test_arrays_with_steps(tmp_path):
    curves = [
        Curves("SPR+resets", "bank_heist", STEPS, {0: [1.0, 2.0, 3.0], 1: [4.0, 5.0, 6.0]}),
        Curves("SPR", "bank_heist", STEPS, {0: [1.0, 2.0, 3.0]}),
    ]
    arrays(tmp_path / "spr", curves)
    for steps in ("1000", "1000:3000", "1e3,2e3,3e3"):
        assert found(read(tmp_path / "spr", steps=steps)) == written(curves)


def test_arrays_in_folders_and_by_pattern(tmp_path):
    (tmp_path / "ours").mkdir()
    np.save(tmp_path / "ours/ms_pacman.npy", np.array([5, 6]))
    study = read(tmp_path)
    assert found(study) == {("ours", "ms_pacman"): ([0], {0: [5.0], 1: [6.0]})}
    np.save(tmp_path / "ours/x--door.npy", np.array([[5.0, 6.0]]))
    (tmp_path / "ours/ms_pacman.npy").unlink()
    study = read(tmp_path, pattern="{condition}--{task}.npy", steps="10")
    assert found(study) == {("x", "door"): ([10, 20], {0: [5.0, 6.0]})}


def test_a_field_is_as_short_as_possible(tmp_path):
    np.save(tmp_path / "x_open_the_door.npy", np.array([5.0]))
    study = read(tmp_path, pattern="{condition}_{task}.npy")
    assert set(found(study)) == {("x", "open_the_door")}


def test_dictionaries_and_records(tmp_path):
    scores = {"Alien": [1.0, 2.0], "Pong": [3.0, 4.0]}
    expected = {("a", "Alien"): ([0], {0: [1.0], 1: [2.0]}), ("a", "Pong"): ([0], {0: [3], 1: [4]})}
    assert found(read(score_file(tmp_path / "1/a.json", scores))) == expected
    assert found(read(score_file(tmp_path / "2/all.json", {"a": scores}))) == expected
    records = [
        {"agent": "a", "game": game, "run": run, "score": score}
        for game, of_game in scores.items()
        for run, score in enumerate(of_game)
    ]
    assert found(read(score_file(tmp_path / "3/all.json", records))) == expected
    study = read(tmp_path / "1/a.json", steps="100000")
    assert study.experiments[0].steps == {"Alien": 100000, "Pong": 100000}


def test_event_files(tmp_path):
    pytest.importorskip("tensorboard", reason="writing event files needs tensorboard")
    event_files(tmp_path, TWO, "eval/return")
    assert found(read(tmp_path, tag="eval/return")) == written(TWO)
    with pytest.raises(UserError, match="holds 2 scalars") as caught:
        read(tmp_path)
    assert "--tag: eval/return, loss" in caught.value.hint
    with pytest.raises(UserError, match="no scalar 'return'"):
        read(tmp_path, tag="return")


def test_long_event_files_are_read_whole(tmp_path):
    pytest.importorskip("tensorboard", reason="writing event files needs tensorboard")
    steps = list(range(1, 12_001))
    event_files(tmp_path, [Curves("a", "walker-run", steps, {0: [1.0] * len(steps)})], "r")
    assert found(read(tmp_path, tag="r"))["a", "walker-run"][0] == steps


def test_event_files_without_tensorboard(tmp_path, monkeypatch):
    folder = tmp_path / "a/walker-run/0"
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "tensorboard.backend.event_processing", None)
    with pytest.raises(UserError, match="need the package tensorboard") as caught:
        read(tmp_path)
    assert caught.value.hint == "pip install 'primacy[tensorboard]'"


def test_run_folders_beside_results_of_others(tmp_path):
    write_run(tmp_path / "ours/a", constant({0: 10, 1: 20}, 3), STEPS)
    write_run(tmp_path / "ours/b", constant({0: 30}, 3), STEPS, remedies=["reset:every=1000"])
    text_tree(tmp_path / "theirs", [Curves("sac", "walker_stand", STEPS, {0: [1.0, 2.0, 3.0]})])
    study = read(tmp_path / "ours", tmp_path / "theirs")
    (experiment,) = study.experiments
    assert [(c.label, c.imported) for c in experiment.conditions] == [
        ("no reset", False),
        ("reset", False),
        ("sac", True),
    ]
    assert {task for c in experiment.conditions for task in c.finals} == {"walker-stand"}


def test_conditions_on_different_tasks_stay_apart(tmp_path):
    curves = [
        Curves("a", "walker-run", STEPS, {0: [1.0, 2.0, 3.0]}),
        Curves("b", "hopper-hop", STEPS, {0: [1.0, 2.0, 3.0]}),
    ]
    assert set(found(read(text_tree(tmp_path, curves)))) == {
        ("a", "walker-run"),
        ("b", "hopper-hop"),
    }


def test_paths_that_overlap_are_read_once(tmp_path):
    text_tree(tmp_path, TWO)
    assert found(read(tmp_path, tmp_path / "base", tmp_path)) == written(TWO)


def test_names_are_chosen_and_changed(tmp_path):
    tree = text_tree(tmp_path, TWO)
    study = read(tree, rename=("reset_32=resets", "walker-run=run"), tasks=("run",))
    assert set(found(study)) == {("base", "run"), ("resets", "run")}
    study = read(tree, conditions=("reset_32", "base"), tasks=("walker_run",))
    assert [c.label for c in study.conditions] == ["reset_32", "base"]
    merged = [TWO[0], TWO[2]._replace(returns={5: [0.0, 1.0, 2.0]})]
    study = read(text_tree(tmp_path / "2", merged), rename=("reset_32=base",))
    assert found(study)["base", "walker-run"][1].keys() == {0, 1, 5}


def test_own_conditions_are_chosen_by_their_labels(tmp_path):
    for name, remedies in (("a", []), ("b", ["reset:every=1"]), ("c", ["l2:strength=1"])):
        write_run(tmp_path / name, constant({0: 10}, 3), STEPS, remedies=remedies)
    study = read(tmp_path, conditions=("no remedy", "l2"))
    assert [c.label for c in study.conditions] == ["no remedy", "l2"]
    study = read(tmp_path, rename=("l2=decay",))
    assert {c.label for c in study.conditions} == {"no remedy", "reset", "decay"}


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"tasks": ("walker-rum",)}, "walker-run"),
        ({"conditions": ("bass",)}, "base"),
        ({"rename": ("reset32=a",)}, "reset_32"),
    ],
)
def test_a_name_that_nothing_has_is_refused(tmp_path, options, hint):
    with pytest.raises(UserError, match="nothing in the results is called so") as caught:
        read(text_tree(tmp_path, TWO), **options)
    assert hint in caught.value.hint


names = st.text("ab1_-.", min_size=1, max_size=6).filter(lambda n: n[0] not in ".-" and n != "1")
numbers = st.floats(-1e6, 1e6)


@st.composite
def any_curves(draw):
    steps = sorted(draw(st.sets(st.integers(0, 10**9), min_size=1, max_size=4)))
    seeds = draw(st.sets(st.integers(0, 99), min_size=1, max_size=3))
    conditions = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    tasks = draw(st.lists(names, min_size=1, max_size=2, unique=True))
    return [
        Curves(c, t, steps, {s: [draw(numbers) for _ in steps] for s in sorted(seeds)})
        for c in conditions
        for t in tasks
    ]


@given(curves=any_curves())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
def test_what_is_written_is_read(curves, tmp_path_factory):
    root = tmp_path_factory.mktemp("any")
    assert found(read(text_tree(root / "tree", curves))) == written(curves)
    assert found(read(long_csv(root / "r.csv", curves, SIMBA))) == written(curves)
