"""Reading run folders: what is merged, compared, named, left out and refused."""

import json

import pytest

from primacy.runs import results
from primacy.runs.errors import UserError
from primacy.runs.report_labels import labels
from primacy.runs.report_study import study
from primacy.runs.results import read_runs
from primacy.runs.tables import COLUMNS
from primacy.tests.support.report_runs import constant, demo, write_run

STEPS = [100, 200, 300, 400]
RESET = ["reset:every=200"]


def read(folder):
    return study(read_runs([folder]))


def only(folder):
    """The one condition of a study, on the default task."""
    (condition,) = read(folder).conditions
    return condition.curves["walker-stand"]


def test_columns_are_those_runs_write():
    assert set(results.EVALUATION_COLUMNS) <= set(COLUMNS["evaluations"].split())
    assert set(results.TRAINING_COLUMNS) <= set(COLUMNS["training"].split())
    assert set(results.DIAGNOSTIC_COLUMNS) <= set(COLUMNS["plasticity"].split())
    assert set(results.EVENT_COLUMNS) <= set(COLUMNS["events"].split())


def test_seeds_of_one_configuration_are_merged_over_folders(tmp_path):
    write_run(tmp_path / "a", constant({0: 10, 1: 20}), STEPS)
    write_run(tmp_path / "deep/er/b", constant({5: 30}), STEPS, device="cuda", threads=4)
    curve = only(tmp_path)
    assert curve.seeds == (0, 1, 5)
    assert curve.at(400) == {0: 10, 1: 20, 5: 30}
    assert curve.frames.tolist() == [400, 800, 1200, 1600]


def test_a_seed_twice_names_both_folders(tmp_path):
    write_run(tmp_path / "first", constant({0: 1, 1: 2}), STEPS)
    write_run(tmp_path / "second", constant({1: 2}), STEPS)
    with pytest.raises(UserError, match=r"seed 1 .*first and .*second") as caught:
        read(tmp_path)
    assert "--label" in caught.value.hint


def test_a_folder_given_twice_is_read_once(tmp_path):
    write_run(tmp_path / "a", constant({0: 1}), STEPS)
    assert len(read_runs([tmp_path, tmp_path / "a", tmp_path])) == 1


def test_scores_are_taken_at_the_last_step_all_share(tmp_path):
    write_run(tmp_path / "a", {0: [1, 2, 3, 4], 1: [5, 6, 7, 8]}, STEPS)
    short = {0: [10, 20, 30], 1: [40, 50, 60]}
    write_run(tmp_path / "b", short, STEPS, replay_ratio="2", state="running")
    (experiment,) = read(tmp_path).experiments
    assert experiment.steps == {"walker-stand": 300}
    first, second = (condition.curves["walker-stand"] for condition in experiment.conditions)
    assert first.at(300) == {0: 3, 1: 7}
    assert second.last_four(300) == {0: 20, 1: 50}
    assert first.last_four(400) == {0: 2.5, 1: 6.5}
    notes = " ".join(read(tmp_path).notes)
    assert "b (walker-stand) is not finished: running, evaluated to 300 of 8,000" in notes
    assert "taken at env step 300" in notes


def test_steps_are_aligned_by_value(tmp_path):
    write_run(tmp_path / "a", {0: [1, 2, 3, 4]}, STEPS)
    write_run(tmp_path / "b", {1: [20, 40, 60]}, [200, 400, 600])
    curve = only(tmp_path)
    assert curve.env_steps.tolist() == [200, 400]
    assert curve.returns.tolist() == [[2, 4], [20, 40]]


def test_no_shared_step_is_refused(tmp_path):
    write_run(tmp_path / "a", {0: [1]}, [100])
    write_run(tmp_path / "b", {0: [1]}, [150], replay_ratio="2")
    with pytest.raises(UserError, match="share no evaluation step"):
        read(tmp_path)


def test_runs_without_evaluations_and_frozen_seeds_are_left_out_and_named(tmp_path):
    write_run(tmp_path / "new", {}, STEPS, state="running", replay_ratio="2")
    returns = {0: [1, 2, 3, 4], 1: [5, 6]}
    write_run(tmp_path / "a", returns, STEPS, events=[(1, 250, "frozen")])
    found = read(tmp_path)
    (condition,) = found.conditions
    assert condition.curves["walker-stand"].seeds == (0,)
    assert found.experiments[0].steps == {"walker-stand": 400}
    assert any("new" in note and "no evaluation yet" in note for note in found.notes)
    assert any("seed 1 left out" in note and "favours" in note for note in found.notes)


def test_nothing_evaluated_is_refused(tmp_path):
    write_run(tmp_path / "a", {}, STEPS)
    with pytest.raises(UserError, match="no run was evaluated yet"):
        read(tmp_path)


def test_the_demonstration_is_two_experiments_of_seven_conditions(tmp_path):
    found = read(demo(tmp_path))
    walker, cartpole = found.experiments
    assert [c.label for c in cartpole.conditions] == ["control", "primed", "primed + reset"]
    assert [c.label for c in walker.conditions] == [
        "replay ratio 4",
        "replay ratio 4 + reset",
        "replay ratio 32",
        "replay ratio 32 + reset",
    ]
    assert walker.steps == {"walker-stand": 8000}


def test_tasks_under_the_same_conditions_are_one_experiment(tmp_path):
    for task, repeat in (("walker-stand", 4), ("cartpole-swingup", 8)):
        for remedies in ([], RESET):
            folder = tmp_path / task / str(len(remedies))
            config = {"task": task, "action_repeat": repeat, "remedies": remedies}
            write_run(folder, constant({0: 1, 1: 2}), STEPS, **config)
    (experiment,) = read(tmp_path).experiments
    assert experiment.title == "2 tasks"
    assert [c.label for c in experiment.conditions] == ["no reset", "reset"]
    assert all(set(c.curves) == set(experiment.tasks) for c in experiment.conditions)


def test_priming_on_nothing_is_no_difference(tmp_path):
    write_run(tmp_path / "a", constant({0: 1}), STEPS, prime_transitions=100)
    write_run(tmp_path / "b", constant({1: 1}), STEPS, prime_transitions=125)
    assert only(tmp_path).seeds == (0, 1)


def test_a_task_missing_from_a_condition_is_said(tmp_path):
    write_run(tmp_path / "a", constant({0: 1}), STEPS)
    write_run(tmp_path / "b", constant({0: 1}), STEPS, remedies=RESET)
    write_run(tmp_path / "c", constant({0: 1}), STEPS, task="walker-walk")
    found = read(tmp_path)
    assert len(found.experiments) == 1
    assert any(note.startswith("walker-walk was not run under: reset.") for note in found.notes)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([{"remedies": []}, {"remedies": RESET}], ["no reset", "reset"]),
        (
            [{"remedies": []}, {"remedies": RESET}, {"remedies": ["l2:strength=1"]}],
            ["no remedy", "reset", "l2"],
        ),
        (
            [{"remedies": ["reset:every=1"]}, {"remedies": ["reset:every=2"]}],
            ["reset:every=1", "reset:every=2"],
        ),
        (
            [{"remedies": ["reset:every=1", "l2"], "replay_ratio": "1/2"}],
            ["replay ratio 1/2 + reset + l2"],
        ),
        (
            [{"replay_ratio": "4", "remedies": [], "prime_updates": 30000}],
            ["primed, replay ratio 4"],
        ),
        (
            [{"replay_ratio": "1", "remedies": []}, {"replay_ratio": "32", "remedies": RESET}],
            ["replay ratio 1", "replay ratio 32 + reset"],
        ),
        (
            [{"prime_updates": 0}, {"prime_updates": 10}, {"prime_updates": 2000}],
            ["control", "primed 10 updates", "primed 2,000 updates"],
        ),
        (
            [{"hidden_sizes": [64, 64], "crelu": True}, {"hidden_sizes": [256], "crelu": True}],
            ["hidden sizes 64x64", "hidden sizes 256"],
        ),
        (
            # What follows from the agent is not said; what varies within one is.
            [
                {"agent": "iql", "expectile": 0.9, "batch_size": 64, "replay_ratio": "1"},
                {"agent": "rlpd", "critics": 10, "batch_size": 64, "replay_ratio": "20"},
                {"agent": "rlpd", "critics": 10, "batch_size": 32, "replay_ratio": "20"},
            ],
            [
                "agent iql, batch size 64, replay ratio 1",
                "agent rlpd, batch size 64, replay ratio 20",
                "agent rlpd, batch size 32, replay ratio 20",
            ],
        ),
        (
            [{"label": "ours", "batch_size": 1}, {"label": "", "batch_size": 2}],
            ["ours", "batch size 2"],
        ),
        (
            [{"label": "same", "batch_size": 1}, {"label": "same", "batch_size": 2}],
            ["same (batch size 1)", "same (batch size 2)"],
        ),
    ],
)
def test_labels_are_made_of_what_differs(conditions, expected):
    assert labels(conditions) == expected


def evaluations(*lines):
    return "\n".join([",".join(COLUMNS["evaluations"].split()), *lines]) + "\n"


GOOD = "0,100,400,400,1,5.0,0,5,5,250,5,"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (evaluations(GOOD, "0,200,800"), r"line 3: 3 entries, expected 12"),
        (evaluations(GOOD, ""), r"line 3: 0 entries"),
        (evaluations(GOOD.replace("5.0", "nan")), r"line 2: return_mean is nan"),
        (evaluations(GOOD.replace("5.0", "inf")), r"line 2: return_mean is inf"),
        (evaluations(GOOD, GOOD.replace("5.0", "five")), r"line 3: return_mean is 'five', not a n"),
        (evaluations(GOOD.replace("5.0", "")), r"line 2: return_mean is ''"),
        (evaluations(GOOD, GOOD), r"line 3: seed 0 was evaluated twice at env step 100"),
        ("seed,env_step\n0,100\n", r"lacks the columns gradient_step, frame, return_mean"),
        ("\xff", "UTF-8"),
    ],
)
def test_a_malformed_table_is_one_line_with_file_and_line(tmp_path, text, message):
    folder = write_run(tmp_path / "a", constant({0: 1}), STEPS)
    (folder / "evaluations.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path)
    assert "evaluations.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_last_line_being_written_is_left_for_next_time(tmp_path):
    folder = write_run(tmp_path / "a", {0: [1, 2, 3, 4]}, STEPS, state="running")
    with (folder / "evaluations.csv").open("a") as file:
        file.write("0,500,20")
    assert only(tmp_path).env_steps.tolist() == STEPS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"config": {"task"', "line 1 is not JSON"),
        ("[]", "not a JSON object"),
        (json.dumps({"config": {"seeds": [0]}}), "does not name a task"),
    ],
)
def test_a_malformed_configuration_is_refused(tmp_path, text, message):
    folder = write_run(tmp_path / "a", constant({0: 1}), STEPS)
    (folder / "config.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_folder_that_cannot_be_read_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=f"cannot read .*{name}"):
        read_runs([tmp_path / name])


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(UserError, match="no run in") as caught:
        read_runs([tmp_path])
    assert "config.json" in caught.value.hint


def test_journals_and_checkpoints_are_not_searched(tmp_path):
    write_run(tmp_path / "a", constant({0: 1}), STEPS)
    write_run(tmp_path / "a/checkpoints/copy", constant({0: 1}), STEPS)
    assert len(read_runs([tmp_path])) == 1


def test_diagnostics_are_summarised_over_seeds_and_mean_q_comes_from_training(tmp_path):
    rows = [(seed, 100, "actor", "actor.0", "dormant_share", seed / 10) for seed in range(3)]
    rows += [(0, 200, "actor", "actor.0", "dormant_share", "nan")]
    mean_q = {seed: [seed, 10.0 * seed] for seed in range(3)}
    write_run(tmp_path / "a", constant({0: 1, 1: 1, 2: 1}), STEPS, diagnostics=rows, mean_q=mean_q)
    (condition,) = read(tmp_path).conditions
    courses = condition.courses["walker-stand"]
    dormant = courses["actor", "actor.0", "dormant_share"]
    assert [part.tolist() for part in dormant] == [[100], [0.1], [0], [0.2]]
    assert courses["critic", "", "mean_q"].median.tolist() == [1, 10]
