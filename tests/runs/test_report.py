"""The report as files: one page that needs nothing, and tables that say the same as the page."""

import csv
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primacy.runs import report as command
from primacy.runs.errors import UserError
from primacy.runs.report import ReportOptions
from primacy.runs.report_tables import COLUMNS
from primacy.runs.statistics import AGGREGATES
from primacy.tests.support.report_runs import DIAGNOSTICS, constant, demo, write_run

NASTY = "</script><img src=x onerror=alert(1)> & | \"q\" 'r'"


def rows(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def make(folder: Path, output: Path, **options: Any) -> Path:
    defaults: dict[str, Any] = {"resamples": 500}
    assert command.run(ReportOptions((folder,), output, **defaults | options)) == 0
    return output


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """The report of the demonstration's folders."""
    root = tmp_path_factory.mktemp("demo")
    return make(demo(root / "runs", DIAGNOSTICS[::8]), root / "report", title="Demo")


@pytest.fixture(scope="module")
def page(reported):
    return (reported / "index.html").read_text()


class Page(HTMLParser):
    """What a page would load, its ids, and the machine-readable numbers of its tables."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.numbers, self.tags = [], [], {}, []
        self._table = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append(tag)
        loading = [values[name] for name in ("src", "srcset", "data", "poster") if name in values]
        self.loads += loading + ([values["href"]] if tag == "link" else [])
        self.links += [values["href"]] if tag == "a" else []
        self._table = values["id"] if tag == "table" and "id" in values else self._table
        if tag == "data":
            self.numbers.setdefault(self._table, []).append(values["value"])


def charts(text):
    match = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)
    assert match
    return json.loads(match.group(1))["charts"]


def test_files(reported):
    names = {path.name for path in reported.iterdir()}
    assert names == {"index.html", "report.md", "figures", "tables"} | {f"{n}.csv" for n in COLUMNS}
    pasted = {path.name for path in (reported / "tables").iterdir()}
    tables = ("aggregates", "differences", "per_task")
    assert pasted == {f"{name}.{kind}" for name in tables for kind in ("md", "tex")}
    drawn = {path.stem for path in (reported / "figures").glob("*.svg")}
    assert drawn == {path.stem for path in (reported / "figures").glob("*.png")}
    expected = {"overview", "aggregates", "differences", "profiles", "improvement", "replay-ratio"}
    assert expected | {"relations", "diagnostics-walker-stand-actor"} <= drawn
    assert not list((reported / "figures").glob("*.jsonl"))
    assert (reported / "figures" / "overview.png").read_bytes().startswith(b"\x89PNG")


def test_aggregates_have_exactly_the_agreed_columns(reported):
    header = (reported / "aggregates.csv").read_text().splitlines()[0]
    assert header == "condition,aggregate,value,low,high,tasks,seeds,step,interval"
    found = rows(reported / "aggregates.csv")
    assert len(found) == 7 * 5
    assert {row["aggregate"] for row in found} == {*AGGREGATES, "auc"}
    assert {row["interval"] for row in found} == {"calibrated"}
    assert {(row["tasks"], row["seeds"]) for row in found} == {("1", "3")}
    assert {row["step"] for row in found} == {"4000", "8000"}


def test_aggregates_are_of_the_returns_in_the_run_folders(reported):
    returns = rows(reported.parent / "runs/ablation/reset-32/evaluations.csv")
    last = [float(row["return_mean"]) / 1000 for row in returns if row["env_step"] == "8000"]
    found = {
        row["aggregate"]: float(row["value"])
        for row in rows(reported / "aggregates.csv")
        if row["condition"] == "replay ratio 32 + reset"
    }
    assert found["mean"] == pytest.approx(np.mean(last), abs=1e-12)
    assert found["optimality_gap"] == pytest.approx(1 - np.mean(last), abs=1e-12)


@pytest.mark.parametrize("name", ["aggregates", "differences"])
def test_numbers_of_the_page_are_those_of_the_csv(reported, page, name):
    shown = Page(page).numbers[name]
    written = rows(reported / f"{name}.csv")
    if name == "aggregates":
        assert shown == [row[end] for row in written for end in ("value", "low", "high")]
        return
    for at, row in enumerate(written):
        one = shown[18 * (at // 5) + 3 * (at % 5) :][:3]
        assert one == [row["value"], row["low"], row["high"]]
        chance = shown[18 * (at // 5) + 15 :][:3]
        assert chance == [row[f"p_improvement{end}"] for end in ("", "_low", "_high")]


def test_numbers_of_the_markdown_are_those_of_the_csv(reported):
    text = (reported / "report.md").read_text()
    for row in rows(reported / "aggregates.csv"):
        value, low, high = (float(row[end]) for end in ("value", "low", "high"))
        assert f"{value:.3f} [{low:.3f}, {high:.3f}]" in text


def test_the_page_loads_nothing(page):
    found = Page(page)
    assert found.loads == []
    assert "link" not in found.tags
    assert "iframe" not in found.tags
    assert all(not re.match(r"[a-z]+:|//", link) for link in found.links)
    styles = re.findall(r"<style>(.*?)</style>", page, re.S)
    assert styles
    assert not re.search(r"@import|url\(", "".join(styles))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy.group(1).startswith("default-src 'none'; ")
    assert "http" not in policy.group(1)


def test_the_page_is_small_and_draws_every_figure(reported, page):
    assert len(page.encode()) < 3_000_000
    drawn = charts(page)
    assert set(re.findall(r'class="chart" id="([^"]*)"', page)) == set(drawn)
    assert all("$schema" not in chart for chart in drawn.values())
    for link in Page(page).links:
        assert (reported / link).exists()


def test_what_the_first_screen_says(page):
    body = page[page.index("<main>") :]
    first = body.index("adding reset raises the mean return")
    curves, q = body.index('id="chart-0"'), body.index('id="chart-1"')
    assert first < curves < q < body.index("<h2>")
    drawn = charts(page)
    assert "return (0 to 1000)" in json.dumps(drawn["chart-0"])
    assert "env steps (after action repeat 4)" in json.dumps(drawn["chart-1"])
    assert "cap 400 = largest reward / (1 - discount)" in json.dumps(drawn["chart-1"])
    said = "3 seeds, env step 8,000, replay ratio 4 and 32, 95% calibrated intervals, 500 resamples"
    assert f"walker-stand: {said}" in body[q : body.index("<h2>")]


def test_the_command_of_each_run_is_told(page):
    assert "primacy train --task walker-stand --out reset-32" in page


def test_names_from_data_are_escaped(tmp_path):
    write_run(tmp_path / "runs/a", constant({0: 1, 1: 2, 2: 3}), [1, 2, 3, 4], label=NASTY)
    write_run(
        tmp_path / "runs/b",
        constant({0: 1, 1: 2, 2: 3}),
        [1, 2, 3, 4],
        remedies=[f"reset:{NASTY}"],
        diagnostics=[(0, 1, NASTY, NASTY, NASTY, 1.0)],
        agent=NASTY,
    )
    output = make(tmp_path / "runs", tmp_path / "report", title=NASTY)
    text = (output / "index.html").read_text()
    parsed = Page(text)
    assert "img" not in parsed.tags
    assert parsed.tags.count("script") == 3
    assert parsed.loads == []
    assert NASTY in json.dumps(charts(text), ensure_ascii=False).replace('\\\\\\"', '"')
    markdown = (output / "report.md").read_text()
    assert "<img" not in markdown
    tables = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {7 + 1, 9 + 1}
    assert {row["condition"] for row in rows(output / "aggregates.csv")} >= {NASTY}
    latex = (output / "tables" / "per_task.tex").read_text()
    assert r"\textless{}/script\textgreater{}" in latex
    assert r"onerror=alert(1)\textgreater{} \& \textbar{}" in latex


def test_the_same_runs_and_seed_give_the_same_report(tmp_path):
    returns = constant({0: 1, 1: 2.1, 2: 5.3, 3: 7.7, 4: 9})
    write_run(tmp_path / "a", returns, [1, 2, 3, 4])
    once, again = (make(tmp_path / "a", tmp_path / name) for name in ("once", "again"))
    other = make(tmp_path / "a", tmp_path / "other", bootstrap_seed=1)
    for name in ("aggregates.csv", "curves.csv", "index.html", "report.md"):
        assert (again / name).read_bytes() == (once / name).read_bytes()
        assert (other / name).read_bytes() != (once / name).read_bytes()


def test_notes_are_on_the_page_and_on_the_terminal(tmp_path, capsys):
    write_run(tmp_path / "a", constant({0: 1, 1: 2}), [1, 2, 3, 4], state="interrupted")
    output = make(tmp_path / "a", tmp_path / "report")
    shown = capsys.readouterr()
    for text in ("is not finished: interrupted", "2 seeds in walker-stand: no interval"):
        assert text in shown.err
        assert text in (output / "index.html").read_text()
        assert text in (output / "report.md").read_text()
    assert shown.out.strip() == str(output / "index.html")
    assert all(row["low"] == row["high"] == "" for row in rows(output / "aggregates.csv"))


def test_an_output_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write .*file") as caught:
        command.run(ReportOptions((tmp_path,), tmp_path / "file" / "report"))
    assert "--output" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "message"),
    [({"resamples": 10}, "--resamples is 10"), ({"baseline": "x"}, "no condition is called 'x'")],
)
def test_wrong_options_are_refused(tmp_path, options, message):
    write_run(tmp_path / "a", constant({0: 1}), [1, 2, 3, 4])
    with pytest.raises(UserError, match=message):
        command.run(ReportOptions((tmp_path / "a",), tmp_path / "report", **options))


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="no folder"):
        command.run(ReportOptions((), tmp_path))


def test_a_missing_extra_names_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(UserError, match="need the package vl_convert") as caught:
        command.run(ReportOptions((tmp_path,), tmp_path / "report"))
    assert caught.value.hint == "pip install 'primacy[report]'"


def test_import_is_light():
    code = (
        "import sys, primacy.runs.report;"
        "unwanted = ('torch', 'pandas', 'vl_convert', 'jinja2', 'numpy');"
        "print([m for m in unwanted if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_whole_report_needs_no_torch(tmp_path):
    write_run(tmp_path / "a", constant({0: 1, 1: 2, 2: 3}), [1, 2, 3, 4])
    code = (
        "import sys; from pathlib import Path; from primacy.runs.report import *;"
        "run(ReportOptions((Path(sys.argv[1]),), Path(sys.argv[2])));"
        "sys.exit('torch' in sys.modules)"
    )
    arguments = [sys.executable, "-c", code, tmp_path / "a", tmp_path / "report"]
    subprocess.run(arguments, check=True, capture_output=True)
