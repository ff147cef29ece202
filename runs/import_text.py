"""Text trees CONDITION/TASK/SEED.txt with lines "step return", as rl_with_resets and the jaxrl
family leave them."""

from collections.abc import Iterator
from pathlib import Path

from primacy.runs.errors import UserError
from primacy.runs.import_pattern import FIELDS, by_levels, locate
from primacy.runs.import_rows import Row, Source, files_below, number, read_text, runs_of, whole
from primacy.runs.results import Run

SHAPE = "CONDITION/TASK/SEED.txt"


def recognises(root: Path) -> bool:
    """Whether there are text files named by a seed."""
    return bool(files_below(root, _numbered))


def _numbered(path: Path) -> bool:
    return path.suffix == ".txt" and path.stem.isdecimal()


def read(source: Source) -> list[Run]:
    """One run per file.

    Raises:
        UserError: no such file, or a malformed one, with its line.
    """
    asked = source.options.pattern
    paths = files_below(source.root, (lambda _: True) if asked else (lambda p: p.suffix == ".txt"))
    runs = []
    for path, names in locate(
        source, paths, lambda path: by_levels(path, source.root, FIELDS), SHAPE
    ):
        if "seed" not in names or "task" not in names:
            raise UserError(
                f"--pattern {asked} names no task or no seed", f"for example {{task}} in {SHAPE}"
            )
        taken = source.selection.take(names.get("condition", source.root.name), names["task"])
        if taken:
            runs += runs_of(_rows(path, *taken, int(names["seed"])), path, "text-tree")
    return runs


def _rows(path: Path, condition: str, task: str, seed: int) -> Iterator[Row]:
    found = False
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        entries = text.split("#")[0].replace(",", " ").split()
        if not entries:
            continue
        place = f"{path} line {line}"
        if len(entries) != 2:
            raise UserError(
                f"{place}: {len(entries)} entries, expected 2: step and return",
                "mend or remove that line",
            )
        found = True
        step, value = whole(entries[0], "step", place), number(entries[1], "return", place)
        yield Row(condition, task, seed, step, value, place)
    if not found:
        raise UserError(f"{path} holds no evaluation", "remove it, or repeat that run")
