"""The sentences of a report: true, complete, and honest where the numbers do not decide."""

import pytest

from primacy.runs.errors import UserError
from primacy.runs.report_study import study
from primacy.runs.report_tables import numbers
from primacy.runs.report_words import caveats, findings, value_findings
from primacy.runs.results import read_runs
from primacy.runs.statistics import Bootstrap
from primacy.tests.support.report_runs import constant, write_run

STEPS = [100, 200]
RESET = ["reset:every=100"]
LOW, HIGH = {0: 100.0, 1: 110.0, 2: 120.0}, {0: 500.0, 1: 510.0, 2: 520.0}


def run(root, name, returns, **config):
    write_run(root / name, constant(returns, 2), STEPS, **config)


def said(root, baseline=""):
    first, more = findings(numbers(study(read_runs([root])), Bootstrap(), baseline))
    return first, more


def test_a_remedy_that_helps_at_one_replay_ratio_and_hurts_at_another(tmp_path):
    run(tmp_path, "a", LOW, replay_ratio="32")
    run(tmp_path, "b", HIGH, replay_ratio="32", remedies=RESET)
    run(tmp_path, "c", HIGH, replay_ratio="4")
    run(tmp_path, "d", LOW, replay_ratio="4", remedies=RESET)
    first, more = said(tmp_path)
    assert first[0].startswith(
        "On walker-stand at replay ratio 4, adding reset lowers the mean return from 510 to 110 "
        "(difference -400 ["
    )
    assert first[0].endswith("], 3 seeds, env step 200).")
    assert first[1].startswith("On walker-stand at replay ratio 32, adding reset raises the mean")
    assert "without remedies, raising the replay ratio from 4 to 32 lowers" in more[0]
    assert "with reset, raising the replay ratio from 4 to 32 raises" in more[1]


def test_priming_against_control(tmp_path):
    primed = {"prime_updates": 30000, "prime_transitions": 125}
    run(tmp_path, "a", HIGH)
    run(tmp_path, "b", LOW, **primed)
    run(tmp_path, "c", HIGH, **primed, remedies=RESET)
    first, more = said(tmp_path)
    assert first[0].startswith(
        "On walker-stand without remedies, heavy priming (30,000 updates on the first 125 "
        "transitions) lowers the mean return from 510 to 110"
    )
    assert first[1].startswith("On walker-stand after heavy priming, adding reset raises")
    assert more == []


def test_an_undecided_difference_is_not_called_a_gain(tmp_path):
    run(tmp_path, "a", {0: 100, 1: 200, 2: 300})
    run(tmp_path, "b", {0: 110, 1: 210, 2: 310}, remedies=RESET)
    ((sentence,), _) = said(tmp_path)
    assert "adding reset moves the mean return from 200 to 210" in sentence
    assert "includes 0" in sentence


def test_two_seeds_have_no_interval(tmp_path):
    run(tmp_path, "a", {0: 100, 1: 200})
    run(tmp_path, "b", {0: 300, 1: 400}, remedies=RESET)
    ((sentence,), _) = said(tmp_path)
    assert "difference +200, too few seeds for an interval, 2 seeds" in sentence
    found = numbers(study(read_runs([tmp_path])), Bootstrap())
    assert "no reset, reset: 2 seeds in walker-stand: no interval." in found.notes


def test_several_tasks_are_compared_by_iqm_on_shared_tasks(tmp_path):
    for task in ("walker-stand", "walker-walk"):
        run(tmp_path, f"a-{task}", LOW, task=task)
        run(tmp_path, f"b-{task}", HIGH, task=task, remedies=RESET)
    run(tmp_path, "a-more", HIGH, task="walker-run")
    ((sentence,), _) = said(tmp_path)
    assert sentence.startswith(
        "Over 2 tasks, adding reset raises the IQM of return / 1000 from 0.110 to 0.510"
    )


def test_a_baseline_is_compared_with_all_others(tmp_path):
    run(tmp_path, "a", LOW, batch_size=32)
    run(tmp_path, "b", HIGH, batch_size=64)
    run(tmp_path, "c", LOW, batch_size=128, label="big | one")
    assert said(tmp_path) == ([], [])
    first, _ = said(tmp_path, "batch size 32")
    assert len(first) == 2
    assert "batch size 64 instead of batch size 32 raises" in first[0]
    with pytest.raises(UserError, match="no condition is called 'nothing'") as caught:
        said(tmp_path, "nothing")
    assert "big | one" in caught.value.hint


def test_mean_q_above_what_any_state_can_be_worth_is_named(tmp_path):
    for name, q, remedies in (("a", 300.0, []), ("b", 5e6, RESET)):
        mean_q = {seed: [1.0, q] for seed in LOW}
        write_run(tmp_path / name, constant(LOW, 2), STEPS, mean_q=mean_q, remedies=remedies)
    (sentence,) = value_findings(study(read_runs([tmp_path])))
    assert sentence == (
        "On walker-stand mean Q exceeds its cap of 400, which no state can be worth: "
        "reset (to 5.0e+06 at env step 200)."
    )


def test_mean_q_below_its_cap_and_unmeasured(tmp_path):
    run(tmp_path, "a", LOW)
    assert value_findings(study(read_runs([tmp_path]))) == []
    write_run(tmp_path / "b", constant({5: 1}, 2), STEPS, mean_q={5: [1, 2]}, action_repeat=8)
    (sentence,) = value_findings(study(read_runs([tmp_path / "b"])))
    assert "stays below its cap of 800" in sentence


def test_caveats_speak_of_few_seeds_and_few_tasks(tmp_path):
    run(tmp_path, "a", LOW)
    text = " ".join(caveats(study(read_runs([tmp_path])), Bootstrap("percentile")))
    assert "3 seeds: a plain 95% percentile interval covers about 85%" in text
    assert "fewer than 5 tasks" in text
    assert "fresh seeds" in text
    assert "Calibrated intervals are" not in text
    run(tmp_path, "b", {seed: 1.0 for seed in range(3, 8)})
    text = " ".join(caveats(study(read_runs([tmp_path])), Bootstrap()))
    assert "3 seeds" not in text
    assert "Calibrated intervals are" in text
