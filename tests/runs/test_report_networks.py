"""Diagnostics against return, before and after interventions, cost: against plain arithmetic."""

import numpy as np
import pytest
from scipy import stats

from primacy.runs.errors import UserError
from primacy.runs.exposure import Row
from primacy.runs.report_costs import costs
from primacy.runs.report_figures import figures
from primacy.runs.report_interventions import changes, drawn, summary
from primacy.runs.report_relations import correlation, feature_layer, relations
from primacy.runs.report_study import study
from primacy.runs.report_tables import numbers
from primacy.runs.results import read_runs
from primacy.runs.statistics import Bootstrap
from primacy.runs.tables import COLUMNS
from primacy.tests.support.report_runs import constant, write_run

STEPS = [1, 2, 3, 4]
RESET = ["reset:every=2"]


def experiment(folder):
    (found,) = study(read_runs([folder])).experiments
    return found


def rows(seed, values, layer="critic.1", metric="erank"):
    return [(seed, t, "critic", layer, metric, v) for t, v in zip(STEPS, values, strict=True)]


def append(folder, name, *lines):
    path = folder / f"{name}.csv"
    text = path.read_text() if path.exists() else COLUMNS[name].replace(" ", ",") + "\n"
    path.write_text(text + "".join(f"{line}\n" for line in lines))


def test_a_diagnostic_meets_the_return_of_the_same_agent(tmp_path):
    returns = {seed: [0.0, 0.0, 100.0 * seed, 100.0 * seed] for seed in range(6)}
    measured = [row for seed in range(6) for row in rows(seed, [seed, seed, 9, 9 + seed**2])]
    write_run(tmp_path / "a", returns, STEPS, diagnostics=measured)
    (one,) = relations(experiment(tmp_path))
    assert (one.network, one.layer, one.metric) == ("critic", "critic.1", "erank")
    found = {int(r["seed"]): (r["x"], r["y"]) for r in one.table.to_dict("records")}
    assert found[4] == pytest.approx((np.mean([4, 4, 9, 25]), np.mean([0, 0, 0.4, 0.4])))
    assert one.across == pytest.approx(1.0)


def test_correlations_across_and_within_conditions_are_spearmans(tmp_path):
    noise = np.random.default_rng(0)
    for name, remedies in (("a", []), ("b", RESET)):
        returns = constant({s: float(noise.uniform(0, 900)) for s in range(7)})
        level = float(noise.uniform())
        measured = [r for s in range(7) for r in rows(s, [level + noise.uniform()] * 4)]
        write_run(tmp_path / name, returns, STEPS, diagnostics=measured, remedies=remedies)
    (one,) = relations(experiment(tmp_path))
    table = one.table
    assert one.across == pytest.approx(stats.spearmanr(table["x"], table["y"])[0])
    ranked = [
        [stats.rankdata(part[name]) for name in ("x", "y")]
        for _, part in table.groupby("condition")
    ]
    assert one.within == pytest.approx(np.mean([np.corrcoef(x, y)[0, 1] for x, y in ranked]))
    assert np.isnan(correlation(table[table["seed"] < 2], ["task"]))


def test_the_layer_that_feeds_the_heads():
    assert feature_layer(["critic.0", "critic.1", "critic.q"]) == "critic.1"
    assert feature_layer([""]) == ""
    assert feature_layer(["torso", "head"]) == "head"


def test_before_and_after_are_of_the_same_agent_and_time(tmp_path):
    folder = write_run(tmp_path / "a", constant({0: 1, 1: 2}), STEPS, remedies=RESET, resets=[2])
    name = "critic,critic.1,weight_norm"
    lines = [f"{seed},2,8,before,{name},{10 + seed}" for seed in (0, 1)]
    lines += [f"{seed},2,8,after,{name},{4 + 3 * seed}" for seed in (0, 1)]
    lines += [f"0,3,8,before,{name},99", f"7,2,8,before,{name},1", f"7,2,8,after,{name},1"]
    lines += [f"0,4,8,before,{name},nan", f"0,4,8,after,{name},1", f"1,2,8,interval,{name},1"]
    lines += ["0,2,8,before,critic,,grad_norm,3", "0,2,8,after,critic,,grad_norm,5"]
    append(folder, "plasticity", *lines)
    found = experiment(tmp_path)
    norm, gradient = changes(found)
    pairs = norm.table.sort_values("seed")[["before", "after"]].to_numpy().tolist()
    assert pairs == [[10, 4], [11, 7]]
    assert [one.metric for one in drawn([norm, gradient])] == ["weight_norm"]
    row = next(iter(summary(found, [norm])))
    assert (row["before"], row["after"], row["change"]) == (10.5, 5.5, -5.0)
    assert (row["low"], row["high"], row["measured"], row["tasks"]) == (-5.5, -4.5, 2, 1)


def test_runs_without_interventions_have_no_before_and_after(tmp_path):
    folder = write_run(tmp_path / "a", constant({0: 1}), STEPS)
    assert changes(experiment(tmp_path)) == []
    (folder / "plasticity.csv").unlink()
    assert changes(experiment(tmp_path)) == []
    assert relations(experiment(tmp_path)) == []


def test_the_cost_of_a_continued_run_is_the_sum_of_its_parts(tmp_path):
    folder = write_run(tmp_path / "a", constant({0: 1, 1: 2}), STEPS)
    assert list(costs(experiment(tmp_path))) == []
    append(
        folder,
        "timing",
        "10,100,50.0,20,1,25,2,1,1",
        "20,200,100.0,40,2,50,4,2,2",
        "30,300,30.0,10,1,15,1,1,1",
        "40,400,60.0,20,2,30,2,2,2",
    )
    with (folder / "timing.csv").open("a") as file:
        file.write("50,500,7")
    (row,) = costs(experiment(tmp_path))
    assert row["seconds"] == 160
    assert (row["update"], row["environment"]) == (80, 60)
    assert (row["gradient_steps"], row["env_steps"], row["seeds"]) == (400, 40, 2)
    assert row["gradient_steps_per_second"] == 2.5


def exposed(folder, seeds, numbers):
    """An exposure.csv with two groups of 10 transitions; `numbers` are mean, least and greatest."""
    lines = [
        f"{seed},{1 + 10 * g},{10 + 10 * g},{19 - 10 * g},{10 - 10 * g},10,{8 - 2 * g}.5,"
        + ",".join(map(str, numbers(seed, g)))
        for seed in seeds
        for g in range(2)
    ]
    (folder / "exposure.csv").write_text("\n".join([",".join(Row._fields), *lines, ""]))


def test_exposure_is_drawn_where_it_was_counted(tmp_path):
    for name, remedies in (("a", []), ("b", RESET)):
        write_run(tmp_path / name, constant(dict.fromkeys(range(3), 5.0)), STEPS, remedies=remedies)
    read = study(read_runs([tmp_path]))
    bootstrap = Bootstrap(resamples=100)
    assert figures(read, numbers(read, bootstrap), bootstrap)["diagnostics"] == []
    exposed(tmp_path / "b", range(4), lambda seed, g: (10 * seed + g, seed, 90 + seed))
    (figure,) = figures(read, numbers(read, bootstrap), bootstrap)["diagnostics"]
    (group,) = figure.groups
    assert figure.name == "exposure-walker-stand"
    assert [c.remedies for c in group.conditions] == [tuple(RESET)]
    counted, expected = (panel["data"]["values"].splitlines()[1:] for panel in group.panels)
    name = group.conditions[0].name
    # Seed 3 has no evaluations: it is no part of the report.
    assert counted == [f"{name},5.5,10,0,92", f"{name},15.5,11,0,92"]
    assert expected == [f"{name},5.5,8.5,8.5,8.5", f"{name},15.5,6.5,6.5,6.5"]


def test_a_malformed_exposure_is_refused(tmp_path):
    run = write_run(tmp_path / "a", constant(dict.fromkeys(range(3), 5.0)), STEPS)
    (run / "exposure.csv").write_text("seed,expected\n")
    read = study(read_runs([tmp_path]))
    bootstrap = Bootstrap(resamples=100)
    with pytest.raises(UserError, match=r"exposure\.csv lacks the columns"):
        figures(read, numbers(read, bootstrap), bootstrap)
