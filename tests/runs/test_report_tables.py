"""Tables to paste, areas under curves, and the order in which figures are drawn."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primacy.runs.report_formats import Interval, wide_tables
from primacy.runs.report_latex import SPECIAL, escaped, latex, latex_tables
from primacy.runs.report_study import study
from primacy.runs.report_tables import areas, numbers
from primacy.runs.report_worker import Workers, shares
from primacy.runs.results import read_runs
from primacy.runs.statistics import Bootstrap
from primacy.tests.support.report_runs import constant, write_run

RESET = ["reset:every=100"]
HOW = Bootstrap(resamples=200)


def two_tasks(root, steps=(100, 200)):
    for task, level in (("walker_a", 1), ("walker-b", 2)):
        for remedies in ([], RESET):
            gain = 100 * level + 50 * len(remedies)
            returns = {s: [gain + s, gain + 2 * s][: len(steps)] for s in range(3)}
            folder = root / f"{task}{len(remedies)}"
            write_run(folder, returns, list(steps), task=task, remedies=remedies)
    return study(read_runs([root]))


def test_latex_has_a_row_per_task_and_a_column_per_condition(tmp_path):
    found = numbers(two_tasks(tmp_path), HOW)
    text = latex_tables(found, "method", "score", 0)["per_task"]
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")].splitlines()[1:]
    assert [line.split(" & ")[0] for line in body] == ["walker-b", r"walker\_a"]
    assert all(line.count(" & ") == 3 and line.endswith(r" \\") for line in body)
    row = next(r for r in found.per_task if (r["task"], r["condition"]) == ("walker_a", "reset"))
    assert f"${row['mean']:.0f} [{row['low']:.0f}, {row['high']:.0f}]$" in text
    assert "textbf" not in text


def test_latex_says_how_and_has_equal_columns_everywhere(tmp_path):
    for text in latex_tables(
        numbers(two_tasks(tmp_path), HOW), "100% of_method", "score", 0
    ).values():
        (columns,) = re.findall(r"\\begin{tabular}{(\w+)}", text)
        for line in text.splitlines():
            if line.endswith(r" \\"):
                assert line.count(" & ") == len(columns) - 1
        assert text.count(r"\toprule") == text.count(r"\midrule") == 1
    assert (
        r"100\% of\_method"
        in latex_tables(numbers(two_tasks(tmp_path), HOW), "100% of_method", "score", 0)[
            "aggregates"
        ]
    )


@given(st.text(alphabet=st.sampled_from([*SPECIAL, "a", " "])))
def test_escaped_text_can_be_read_back_and_holds_no_command(text):
    safe = escaped(text)
    bare = re.sub(r"\\[&%$#_{}]|\\text[a-z]+{}|\\char34{}|{[\[*]}", "", safe)
    assert not set(bare) & set('\\{}$&#%_~^<>|"[*\n\r')
    back = {shown: letter for letter, shown in SPECIAL.items() if letter not in "\n\r"}
    parts = re.split(
        "(" + "|".join(map(re.escape, sorted(back, key=len, reverse=True))) + ")", safe
    )
    assert "".join(back.get(part, part) for part in parts) == re.sub("[\n\r]", " ", text)


def test_a_column_of_numbers_is_to_the_right_whatever_its_first_row():
    found = latex([{"task": "a", "x": ""}, {"task": "b", "x": Interval(1.0, 0.0, 2.0)}], "", 1)
    assert r"\begin{tabular}{lr}" in found


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on the path")
def test_latex_sets_every_letter_without_a_complaint(tmp_path):
    name = "".join(letter for letter in SPECIAL if letter not in "\n\r")
    table = latex([{name: name, "x": Interval(-1.0, -2.0, float("nan"))}], name, 1)
    (tmp_path / "page.tex").write_text(
        "\n".join(
            (
                r"\documentclass{article}\usepackage{booktabs}\begin{document}",
                table,
                r"\end{document}",
            )
        )
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert found.returncode == 0, found.stdout.decode()[-2000:]


def test_the_area_is_over_the_steps_all_conditions_share(tmp_path):
    write_run(tmp_path / "a", {s: [0.0, 100.0, 400.0] for s in range(3)}, [100, 200, 400])
    returns = {s: [50.0, 0.0, 100.0, 400.0] for s in range(3)}
    write_run(tmp_path / "b", returns, [50, 100, 200, 400], remedies=RESET)
    (experiment,) = study(read_runs([tmp_path])).experiments
    expected = (100 * 50 + 200 * 250) / 300 / 1000
    for condition in experiment.conditions:
        found = areas(experiment, condition)
        assert found is not None
        assert found.values[:, 0] == pytest.approx([expected] * 3)


def test_one_evaluation_has_no_area(tmp_path):
    write_run(tmp_path / "a", constant({0: 1, 1: 2, 2: 3}, 1), [100])
    found = numbers(study(read_runs([tmp_path])), HOW)
    assert {row["aggregate"] for row in found.aggregates} == {
        "iqm",
        "median",
        "mean",
        "optimality_gap",
    }
    assert "area under the curve" not in wide_tables(found)["Aggregates"][0]


def test_sample_efficiency_ends_at_the_iqm_of_the_table(tmp_path):
    found = numbers(two_tasks(tmp_path), HOW)
    last = {r["condition"]: r["value"] for r in found.sample_efficiency if r["env_step"] == 200}
    iqm = {r["condition"]: r["value"] for r in found.aggregates if r["aggregate"] == "iqm"}
    assert last == pytest.approx(iqm)
    profile = [r for r in found.profiles if r["condition"] == "reset"]
    assert (profile[0]["threshold"], profile[0]["value"]) == (0, 1)
    assert np.all(np.diff([r["value"] for r in profile]) <= 0)


def test_work_is_shared_and_nothing_is_drawn_twice():
    drawings = [(str(size), "x" * size, 1.0) for size in (1, 9, 5, 4, 2)]
    found = shares(drawings, 2)
    assert sorted(one for share in found for one in share) == sorted(drawings)
    assert sorted(sum(len(text) for _, text, _ in share) for share in found) == [10, 11]
    assert shares(drawings[:1], 4) == [drawings[:1]]


def test_a_figure_that_cannot_be_drawn_or_written_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="could not be drawn"):
        Workers([("bad", '{"mark": 3}', 1.0)], tmp_path).wait()
    (tmp_path / "full.svg").mkdir()
    chart = '{"mark": "point", "data": {"values": []}}'
    with pytest.raises(OSError, match=r"full\.svg"):
        Workers([("full", chart, 1.0)], tmp_path).wait()
