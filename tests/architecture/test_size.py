"""A file is read in one sitting, a function on one screen."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES = 400
FUNCTION_LINES = 60
FOLDERS = ("agents", "benchmarks", "envs", "plasticity", "replay", "runs", "tests")
FILES = sorted(
    path.relative_to(ROOT)
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)


def long_functions(source: str) -> list[str]:
    """Functions of `source` that are longer than a screen, as 'name: lines'."""
    return [
        f"{node.name}: {lines}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]


def test_a_function_longer_than_a_screen_is_found():
    body = "    pass\n" * FUNCTION_LINES
    assert long_functions(f"def f():\n{body}") == [f"f: {FUNCTION_LINES + 1}"]
    assert long_functions(f"def f():\n{body[:-9]}") == []


@pytest.mark.parametrize("file", FILES, ids=str)
def test_file_and_functions_are_short(file: Path):
    source = (ROOT / file).read_text()
    assert len(source.splitlines()) <= FILE_LINES
    assert long_functions(source) == []
