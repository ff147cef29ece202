"""What a report gives on request: other axes, thresholds, p-values, pooled runs, bands."""

import csv
import json
import re

import numpy as np
import pytest

from primacy.runs.cli import main
from primacy.runs.report_figures import figures
from primacy.runs.report_request import Request
from primacy.runs.report_study import study
from primacy.runs.report_tables import numbers
from primacy.runs.results import read_runs
from primacy.runs.statistics import (
    Bootstrap,
    Scores,
    estimate,
    permutation_p_value,
    steps_to_threshold,
)
from primacy.tests.support.foreign_results import score_file
from primacy.tests.support.report_runs import write_csv, write_run

HOW = Bootstrap(resamples=200)
RESET = ["reset:every=150"]


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read(root):
    return study(read_runs([root]))


def spread(*means):
    """Three seeds around the mean of each evaluation."""
    return {s: [m + 10.0 * (s - 1) for m in means] for s in range(3)}


@pytest.fixture
def place(tmp_path):
    """Two tasks of different action repeats, evaluated at equal frames, without and with resets."""
    for task, repeat in (("walker-run", 4), ("hopper-hop", 2)):
        steps = [1600 // repeat, 3200 // repeat, 4800 // repeat]
        for name, means in (("none", (100, 200, 300)), ("reset", (150, 400, 600))):
            fired = {"remedies": RESET, "resets": [steps[0] + 100]} if name == "reset" else {}
            folder = tmp_path / "runs" / name / task
            write_run(folder, spread(*means), steps, task=task, action_repeat=repeat, **fired)
    return tmp_path / "runs"


def test_curves_over_frames(place):
    found = numbers(read(place), HOW, request=Request("frames"))
    for label, means in (("no reset", (0.1, 0.2, 0.3)), ("reset", (0.15, 0.4, 0.6))):
        own = [row for row in found.sample_efficiency if row["condition"] == label]
        assert [row["frame"] for row in own] == [1600, 3200, 4800]
        assert [row["value"] for row in own] == pytest.approx(means)
        assert {row["env_step"] for row in own} == {""}
    # By env steps the two tasks share 800 alone, which is no curve.
    assert numbers(read(place), HOW).sample_efficiency == []


def test_a_task_is_drawn_over_frames_with_its_marks(place):
    looked = read(place)
    found = figures(looked, numbers(looked, HOW, request=Request("frames")), HOW)
    group = next(g for g in found["overview"][0].groups if g.title == "hopper-hop")
    (panel,) = group.panels
    text = json.dumps(panel)
    assert "frames (simulator steps)" in text
    points = list(csv.DictReader(panel["data"]["values"].splitlines()))
    assert sorted({float(point["x"]) for point in points}) == [1600, 3200, 4800]
    # The reset at env step 900 is at frame 1,800.
    assert "1800" in panel["layer"][-1]["data"]["values"]


def test_hours_are_read_off_the_clock_and_averaged_over_runs(tmp_path):
    for name, seconds, seed in (("a", (1800, 3600), 0), ("b", (3600, 1800), 1)):
        folder = write_run(tmp_path / name, {seed: [1.0, 2.0]}, [100, 200])
        # The clock of a run that was continued starts anew.
        write_csv(
            folder / "timing.csv",
            ((t, t, s, *[1] * 6) for t, s in zip((100, 200), seconds, strict=True)),
        )
    looked = read(tmp_path)
    found = figures(looked, numbers(looked, HOW, request=Request("hours")), HOW)
    (panel,) = found["overview"][0].groups[0].panels
    points = list(csv.DictReader(panel["data"]["values"].splitlines()))
    assert [float(point["x"]) for point in points] == [0.75, 1.25]


def test_results_that_do_not_tell_their_frames_are_refused(tmp_path, capsys):
    path = score_file(tmp_path / "iql.json", {"antmaze-umaze-v2": [0.5, 0.75, 1.0]})
    out = tmp_path / "report"
    assert main(["report", str(path), "--output", str(out), "--x", "frames"]) == 2
    first, second = capsys.readouterr().err.strip().splitlines()
    assert first == "error: 'iql' on antmaze-umaze-v2 does not tell its frames"
    assert "--x" in second


def test_steps_to_a_threshold(place):
    request = Request("frames", threshold=(0.35, 0.9))
    found = numbers(read(place), HOW, request=request).thresholds
    at = {(row["condition"], row["threshold"]): row for row in found}
    assert at["reset", 0.35]["value"] == 3200
    assert at["no reset", 0.35]["value"] == np.inf
    assert at["reset", 0.9]["low"] == np.inf
    runs = [m + 0.01 * (s - 1) for s in range(3) for m in (0.15, 0.4, 0.6)]
    table = {s: runs[3 * s : 3 * s + 3] for s in range(3)}
    scores = Scores.of({"walker-run": table, "hopper-hop": table})
    expected = steps_to_threshold(scores, [1600, 3200, 4800], 0.35, "iqm", HOW)
    row = at["reset", 0.35]
    assert [row["low"], row["high"]] == [expected.low[0], expected.high[0]]
    assert (row["aggregate"], row["unit"]) == ("iqm", "frame")


def test_p_values_are_those_of_the_statistics_and_only_on_request(place):
    found = numbers(read(place), HOW, request=Request(p_values=True)).differences
    before, after = (
        Scores.of({t: {s: m + 0.01 * (s - 1) for s in range(3)} for t in ("a", "b")})
        for m in (0.3, 0.6)
    )
    for row in found:
        if row["aggregate"] != "auc":
            expected = permutation_p_value(after, before, row["aggregate"], HOW)[0]
            assert row["p_value"] == pytest.approx(expected)
    assert all(np.isnan(row["p_value"]) for row in numbers(read(place), HOW).differences)


def uneven(root):
    """The check of uneven seeds: balanced 7.3125, pooled 4."""
    for task, scores in (("a", (0, 1, 2, 3)), ("b", (10, 20))):
        write_run(root / task, {s: [float(v)] for s, v in enumerate(scores)}, [100], task=task)
    return root


@pytest.mark.parametrize(("options", "value"), [((), 7.3125), (("--pool",), 4.0)])
def test_pooled_runs(tmp_path, capsys, options, value):
    out = tmp_path / "report"
    arguments = [str(uneven(tmp_path / "runs")), "--normalise", "none", "--output", str(out)]
    assert main(["report", *arguments, *options]) == 0
    found = {row["aggregate"]: float(row["value"]) for row in rows(out / "aggregates.csv")}
    assert found["iqm"] == pytest.approx(value)
    assert found["mean"] == pytest.approx(8.25)
    said = capsys.readouterr().err
    assert "has 2 to 4 seeds a task: its IQM is 7.312 with every task" in said
    pooled = "Every run counts equally in the IQM and in profiles"
    assert (pooled in said) == bool(options)
    assert ((out / "index.html").read_text().count(pooled) > 1) == bool(options)
    assert (pooled in (out / "tables/aggregates.tex").read_text()) == bool(options)


def test_a_simultaneous_band(tmp_path):
    generator = np.random.default_rng(0)
    returns = {s: (500 + 50 * generator.standard_normal(20)).tolist() for s in range(5)}
    write_run(tmp_path / "a", returns, list(range(100, 2001, 100)))
    how = Bootstrap(resamples=500, band="simultaneous")
    wide, usual = (numbers(read(tmp_path), h).curves for h in (how, Bootstrap(resamples=500)))
    expected = estimate(Scores.of({"walker-stand": returns}), ("mean",), how)["mean"]
    assert [row["low"] for row in wide] == pytest.approx(expected.low.tolist())
    assert all(
        a["low"] < b["low"] < b["high"] < a["high"] for a, b in zip(wide, usual, strict=True)
    )
    assert {row["interval"] for row in wide} == {"simultaneous calibrated"}


def test_everything_at_once_from_the_command_line(place, tmp_path):
    out = tmp_path / "report"
    asked = "--x frames --threshold 0.35 0.9 --p-values --pool --band simultaneous --resamples 200"
    assert main(["report", str(place), "--output", str(out), *asked.split()]) == 0
    page = (out / "index.html").read_text()
    body = re.sub(r"<[^>]*>", "", page[page.index("<main>") : page.index("</main>")])
    for words in (
        "How long to a threshold",
        "never [never, never]",
        "Two-sided p-values of no difference",
        "Bands are simultaneous",
        "The IQM over all tasks at each frame.",
    ):
        assert words in body
    assert {row["unit"] for row in rows(out / "thresholds.csv")} == {"frame"}
    markdown = (out / "report.md").read_text()
    assert "## Thresholds" in markdown
    assert "## P-values" in markdown
