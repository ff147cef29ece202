r"""The tables of a report in LaTeX, for \usepackage{booktabs}.

Nothing is in bold: whether one condition is better than another is what the interval of their
difference says, not which of two numbers is larger, nor whether two intervals overlap.
"""

import math
from collections.abc import Sequence

from primacy.runs.report_formats import Interval, shown, wide_tables
from primacy.runs.report_tables import Numbers, Row

TASK_NOTE = "In brackets: 95% t intervals over seeds. Nothing is in bold."

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "[": "{[}",
    "*": "{*}",
    "\n": " ",
    "\r": " ",
}


def escaped(text: str) -> str:
    """`text` so that LaTeX shows it as it is and stays in its cell."""
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def latex_tables(numbers: Numbers, note: str, words: str, decimals: int) -> dict[str, str]:
    """File name without suffix -> a whole table environment.

    Args:
        note: how intervals were made.
        words: what a normalised score is.
        decimals: of a return.
    """
    tables, note = wide_tables(numbers), f"In brackets: {note}. Nothing is in bold."
    return {
        "aggregates": latex(tables["Aggregates"], f"Aggregates of {words}. {note}", 3),
        "differences": latex(
            tables["Differences"], f"Differences, a minus b, of {words}. {note}", 3
        ),
        "per_task": latex(_by_task(numbers), f"Mean return of each task. {TASK_NOTE}", decimals),
    }


def _by_task(numbers: Numbers) -> list[Row]:
    """A row per task and a column per condition, as papers print them."""
    conditions = dict.fromkeys(row["condition"] for row in numbers.per_task)
    tasks: dict[str, Row] = {}
    for row in numbers.per_task:
        nothing = dict.fromkeys(conditions, "")
        cells = tasks.setdefault(row["task"], {"task": row["task"], **nothing, "env step": ""})
        cells[row["condition"]] = Interval(row["mean"], row["low"], row["high"])
        cells["env step"] = row["step"]
    return list(tasks.values())


def latex(rows: Sequence[Row], caption: str, digits: int) -> str:
    """Rows with equal headings as a table with booktabs' rules; numbers with their intervals."""
    if not rows:
        return "% no rows\n"
    words = [all(isinstance(row[column], str) for row in rows) for column in rows[0]]
    sides = "".join("l" if only else "r" for only in words)
    body = [" & ".join(_cell(value, digits) for value in row.values()) for row in rows]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(caption)}}}",
        rf"\begin{{tabular}}{{{sides}}}",
        r"\toprule",
        " & ".join(escaped(column) for column in rows[0]) + r" \\",
        r"\midrule",
        *(rf"{line} \\" for line in body),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _cell(value: object, digits: int) -> str:
    if isinstance(value, Interval) and math.isnan(value.value):
        return "--"
    if isinstance(value, Interval | float):
        # LaTeX sets a hyphen unless told that it is a minus.
        return f"${shown(value, digits)}$"
    return escaped(shown(value))
