"""The page in a real browser: what a reader does with it, and that it asks nobody for anything."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from primacy.runs import report as command
from primacy.runs.report import ReportOptions
from primacy.tests.support.browser import Browser, browser, executable
from primacy.tests.support.report_runs import DIAGNOSTICS, demo

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium on the path")

CHART = "document.getElementById('chart-0')"
SCRIPT = """
window.lines = (colour) => [...document.querySelectorAll('#chart-0 .mark-line path')]
  .filter((path) => path.getAttribute('stroke') === colour && path.getAttribute('d')).length;
window.button = (label) => [...document.querySelectorAll('button[data-condition]')]
  .find((one) => one.textContent.trim() === label);
window.column = (table, at) => [...document.querySelectorAll(`#${table} tbody tr`)]
  .map((row) => row.cells[at].querySelector('data')?.value ?? row.cells[at].textContent);
true
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    runs = demo(root / "runs", DIAGNOSTICS[::8])
    assert command.run(ReportOptions((runs,), root / "report", resamples=500)) == 0
    return root / "report" / "index.html"


@pytest.fixture(scope="module")
def tab(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        found.open(page)
        found.run(SCRIPT)
        yield found


def test_a_click_on_the_legend_hides_a_condition_and_another_shows_it(tab):
    orange = "lines('#D55E00')"
    assert tab.run(orange) == 2
    label = "button('replay ratio 32 + reset')"
    tab.click(label)
    tab.wait(f"{orange} === 1")
    assert tab.run(f"{label}.getAttribute('aria-pressed')") == "false"
    tab.click(label)
    tab.wait(f"{orange} === 2")


def test_a_hidden_condition_is_hidden_in_every_figure(tab):
    tab.run("document.querySelector('.figure.aggregates').scrollIntoView()")
    names = "[...document.querySelectorAll('.figure.aggregates text')].map((e) => e.textContent)"
    tab.wait(f"{names}.includes('primed')")
    tab.click("button('primed')")
    tab.wait(f"!{names}.includes('primed')")
    assert tab.run(f"{names}.includes('primed + reset')")
    tab.click("button('primed')")
    tab.wait(f"{names}.includes('primed')")


def test_hovering_shows_the_value_of_the_table(tab, page):
    tab.move(*tab.place(f"{CHART}.querySelector('.mark-symbol path')"))
    tooltip = "document.getElementById('vg-tooltip-element')"
    tab.wait(f"{tooltip}?.classList.contains('visible')")
    cells = tab.run(
        f"Object.fromEntries([...{tooltip}.querySelectorAll('tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent.replace(/:?$/, ''))))"
    )
    rows = list(csv.DictReader((page.parent / "curves.csv").open(newline="")))
    (row,) = [
        row
        for row in rows
        if row["condition"] == cells["condition"]
        and row["task"] == "walker-stand"
        and f"{int(row['env_step']):,}" == cells["env step"]
    ]
    assert float(cells["mean return"].replace(",", "")) == pytest.approx(
        float(row["mean"]), rel=1e-3
    )


def test_a_heading_sorts_by_number_and_says_so(tab):
    heading = "document.querySelectorAll('#tasks th button')[2]"
    state = f"{heading}.closest('th').getAttribute('aria-sort')"
    before = [float(value) for value in tab.run("column('tasks', 2)")]
    assert tab.run(state) == "none"
    assert before != sorted(before)
    tab.click(heading)
    assert [float(value) for value in tab.run("column('tasks', 2)")] == sorted(before)
    assert tab.run(state) == "ascending"
    tab.run(f"{heading}.focus()")
    tab.press("Enter")
    assert [float(v) for v in tab.run("column('tasks', 2)")] == sorted(before, reverse=True)
    assert tab.run(state) == "descending"
    tab.click("document.querySelectorAll('#tasks th button')[0]")
    assert tab.run("column('tasks', 0)") == sorted(tab.run("column('tasks', 0)"))
    assert tab.run(state) == "none"


def test_the_table_of_a_figure_holds_what_it_draws(tab, page):
    fold = "document.querySelector('details.numbers')"
    tab.click(f"{fold}.querySelector('summary')")
    tab.wait(f"{fold}.querySelector('table')")
    text = "map((cell) => cell.textContent)"
    head = tab.run(f"[...{fold}.querySelector('table').tHead.rows[0].cells].{text}")
    assert head == ["condition", "env step", "mean return", "low", "high"]
    count = tab.run(f"{fold}.querySelector('table').tBodies[0].rows.length")
    rows = list(csv.DictReader((page.parent / "curves.csv").open(newline="")))
    assert count == sum(row["task"] == "walker-stand" for row in rows)
    first = tab.run(f"[...{fold}.querySelector('tbody tr').cells].{text}")
    assert first[0] == rows[0]["condition"]
    assert float(first[2]) == pytest.approx(float(rows[0]["mean"]), rel=1e-3)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_window(tab, page, width, dark):
    tab.open(page, width, dark=dark)
    tab.run("document.querySelectorAll('details:not(.numbers)').forEach((e) => { e.open = true; })")
    tab.run("document.querySelectorAll('.chart').forEach(draw)")
    tab.wait("[...views.values()].every(Boolean)")
    assert tab.run("document.documentElement.scrollWidth") == width
    paper = tab.run("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")


def test_printed_charts_shrink_to_their_places(page, tmp_path):
    beyond = (
        "[...document.querySelectorAll('.chart svg')].filter((svg) => "
        "svg.getBoundingClientRect().width > svg.parentElement.clientWidth + 1).length"
    )
    with browser(tmp_path) as found:
        found.open(page)
        found.call("Emulation.setEmulatedMedia", media="print")
        # Paper is narrower than the window, and nothing tells the charts.
        found.run("document.body.style.maxWidth = '600px'")
        assert found.run(beyond) == 0


def test_no_request_leaves_the_page_and_nothing_fails(tab, page):
    # The last test of the file: the tab has by now done all that the others asked of it.
    asked = [address for address in tab.requests() if not address.startswith("data:")]
    assert set(asked) == {page.as_uri()}
    assert tab.complaints() == []
