"""`primacy report`: results in, one HTML page with its figures and tables out."""

import importlib
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from primacy.runs.bootstrap_choices import Band, Interval, Unit
from primacy.runs.errors import UserError
from primacy.runs.import_options import ImportOptions
from primacy.runs.report_request import Request

if TYPE_CHECKING:
    from primacy.runs.report_page import Report

PAGE = "index.html"

EXTRA = ("pandas", "vl_convert", "jinja2")

FILES = {"Aggregates": "aggregates", "Differences": "differences", "Tasks": "per_task"}
"""Table people read -> its name in OUTPUT/tables/, as Markdown and LaTeX."""


@dataclass(frozen=True)
class ReportOptions:
    """Report on run folders: learning curves, aggregates with intervals, diagnostics."""

    folders: tuple[Path, ...]
    """Run folders or other results (docs/import.md), or folders that hold them at any depth."""
    output: Path
    """Folder for index.html, report.md, CSV tables, tables/ (Markdown, LaTeX) and figures/ (SVG,
    PNG); made if it does not exist."""
    title: str = "Primacy report"
    """Heading of the page."""
    baseline: str = ""
    """Label of a condition to compare every other one with; by default conditions that differ only
    in remedies, in priming or in replay ratio are compared."""
    interval: Interval = "calibrated"
    """95% interval: calibrated covers 95% with few seeds too; percentile is rliable's."""
    resample: Unit = "runs"
    """What the intervals are about: new seeds on these tasks, other tasks, or both."""
    resamples: int = 2000
    """Bootstrap resamples; 50000 for numbers in a paper."""
    bootstrap_seed: int = 0
    """Seed of the bootstrap: the same runs and seed give the same report."""
    band: Band = "pointwise"
    """Bands of curves and profiles hold at each point by itself, or the whole curve at once."""
    request: Request = Request()
    watch: float = 0.0
    """Write the report again whenever runs below the folders have been evaluated, looking every so
    many seconds, until none is running; 0: write it once."""
    reading: ImportOptions = ImportOptions()


def run(options: ReportOptions) -> int:
    """Write the report and print where it is.

    Raises:
        UserError: no runs, malformed files, an unknown baseline, no [report] extra, or an output
            folder that cannot be written.
    """
    _check(options)
    _prepare(options.output)
    if options.watch:
        from primacy.runs.report_watch import watch

        return watch(options)
    report = make(options)
    save(report, options.output)
    tell(report, options.output)
    return 0


def make(options: ReportOptions) -> "Report":
    """Read the results and compute everything the report shows.

    Raises:
        UserError: no runs, malformed files, or an unknown baseline.
    """
    from primacy.runs.import_results import results
    from primacy.runs.report_figures import figures
    from primacy.runs.report_page import Report
    from primacy.runs.report_tables import numbers
    from primacy.runs.statistics import Bootstrap

    bootstrap = Bootstrap(
        options.interval,
        options.resamples,
        options.bootstrap_seed,
        options.resample,
        options.band,
    )
    read = results(options.folders, options.reading)
    found = numbers(read, bootstrap, options.baseline, options.request)
    return Report(options.title, read, found, figures(read, found, bootstrap), bootstrap)


def save(report: "Report", output: Path) -> None:
    """Write all files.

    Raises:
        UserError: one cannot be written.
    """
    try:
        _write(report, output)
    except OSError as error:
        raise _unwritable(output, error) from error


def save_page(report: "Report", output: Path) -> None:
    """Replace index.html as a whole: who reads it meanwhile sees the old page or the new one."""
    from primacy.runs.report_page import html

    half = output / ".index.html.part"
    half.write_text(html(report), encoding="utf-8")
    os.replace(half, output / PAGE)


def tell(report: "Report", output: Path) -> None:
    """Print the notes and where the page is."""
    for note in report.notes:
        print(f"note: {note}", file=sys.stderr)
    print(output / PAGE)


def _check(options: ReportOptions) -> None:
    if not options.folders:
        raise UserError("no folder to report on", "name at least one run folder")
    if options.resamples < 100:
        raise UserError(
            f"--resamples is {options.resamples}", "at least 100 are needed for a 95% interval"
        )
    if not 0 <= options.watch < math.inf:
        raise UserError(f"--watch is {options.watch}", "give a number of seconds, 0 to write once")
    for name in EXTRA:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(
                f"reports need the package {name}", "pip install 'primacy[report]'"
            ) from error


def _prepare(output: Path) -> None:
    """Find out that nothing can be written before all is computed."""
    try:
        for name in ("figures", "tables"):
            (output / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(output, error) from error


def _unwritable(output: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot write {error.filename or output}: {error.strerror}",
        "choose a folder you may write to with --output",
    )


def _write(report: "Report", output: Path) -> None:
    from primacy.runs.report_drawing import drawing
    from primacy.runs.report_page import report_markdown
    from primacy.runs.report_panels import styles
    from primacy.runs.report_worker import Workers

    looks = styles(report.study)
    drawn = [figure for section in report.figures.values() for figure in section]
    with Workers([drawing(figure, looks) for figure in drawn], output / "figures") as workers:
        _write_tables(report, output)
        (output / "report.md").write_text(report_markdown(report), encoding="utf-8")
        save_page(report, output)
        workers.wait()


def _write_tables(report: "Report", output: Path) -> None:
    from primacy.runs.report_formats import markdown, wide_tables, write_csv
    from primacy.runs.report_latex import latex_tables
    from primacy.runs.report_tables import COLUMNS

    for name, columns in COLUMNS.items():
        write_csv(output / f"{name}.csv", columns, getattr(report.numbers, name))
    for title, rows in wide_tables(report.numbers).items():
        path = output / "tables" / f"{FILES[title]}.md"
        path.write_text(markdown(rows, report.decimals(title)), encoding="utf-8")
    decimals = report.decimals("Tasks") - 1
    latex = latex_tables(report.numbers, report.method, report.words, decimals)
    for name, text in latex.items():
        (output / "tables" / f"{name}.tex").write_text(text, encoding="utf-8")
