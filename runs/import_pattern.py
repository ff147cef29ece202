"""What the path of a file says: which condition, task and seed it is of."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from primacy.runs.errors import UserError
from primacy.runs.import_rows import Source

FIELDS = ("condition", "task", "seed")

Names = dict[str, str]
"""Field -> what a path says of it."""


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern with named fields as an expression for the end of a path.

    A field stands for a part of one folder's or file's name, as short as possible; {seed} for
    digits.

    Raises:
        UserError: a field twice, an unnamed one, or neither condition nor task among them.
    """
    names = re.findall(r"\{(\w*)\}", pattern)
    if not set(names) & set(FIELDS) or len(set(names)) < len(names) or "" in names:
        raise UserError(
            f"--pattern {pattern} does not name parts of a path, each once",
            'write for example --pattern "{condition}/{task}/{seed}.txt"',
        )
    parts = re.split(r"\{(\w+)\}", pattern.strip("/"))
    text = "".join(
        (rf"(?P<{part}>\d+)" if part == "seed" else f"(?P<{part}>[^/]+?)")
        if at % 2
        else re.escape(part)
        for at, part in enumerate(parts)
    )
    return re.compile(rf"(?:^|.*/){text}$")


def by_levels(path: Path, root: Path, fields: Sequence[str]) -> Names | None:
    """The last levels of a path as `fields`; the condition is all levels between it and the root.

    None where a seed is no number.
    """
    inside = path.relative_to(root) if path != root else Path(path.name)
    parts = list(inside.parts)
    if len(parts) < len(fields):
        above = path.resolve().parts[1:]
        parts = list(above[len(above) - len(fields) :])
    tail = [Path(parts[-1]).stem if fields[-1] == "seed" else parts[-1]]
    levels = [*parts[:-1], *tail]
    cut = len(levels) - len(fields) + 1
    names = dict(zip(fields, ["/".join(levels[:cut]), *levels[cut:]], strict=True))
    return names if names.get("seed", "0").isdecimal() else None


def locate(
    source: Source, paths: Sequence[Path], default: Callable[[Path], Names | None], shape: str
) -> list[tuple[Path, Names]]:
    """Each path with what it says, by --pattern or by `default`; the others are noted.

    Raises:
        UserError: no path fits. `shape` is what the default expects, in words.
    """
    pattern = source.options.pattern
    expression = compile_pattern(pattern) if pattern else None
    found, odd = [], []
    for path in paths:
        match = expression.match(path.resolve().as_posix()) if expression else None
        names = (match.groupdict() if match else None) if expression else default(path)
        if names is None:
            odd.append(path)
        else:
            found.append((path, names))
    if not found:
        example = f", as {odd[0]} shows" if odd else ""
        raise UserError(
            f"no file in {source.root} is {pattern or shape}{example}",
            'name the parts of its path: --pattern "{condition}/{task}/{seed}.txt"',
        )
    if odd:
        source.notes.append(
            f"{source.root}: {len(odd)} file{'s' * (len(odd) > 1)} left out, not "
            f"{pattern or shape}: {', '.join(str(path) for path in odd[:3])}"
            f"{', ...' if len(odd) > 3 else '.'}"
        )
    return found
