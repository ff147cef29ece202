"""The arrows between rooms, and what must load without torch."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TORCH_FREE = next(
    contract["source_modules"]
    for contract in PROJECT["tool"]["importlinter"]["contracts"]
    if "torch" in contract.get("forbidden_modules", ())
)


def loaded_modules(statements: str) -> set[str]:
    """Modules a fresh interpreter holds after `statements`."""
    code = f"{statements}\nimport sys\nprint('\\n'.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_the_arrows_between_rooms_hold():
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_module_of_the_report_is_under_the_torch_free_contract():
    names = {path.stem for path in (ROOT / "runs").glob("report*.py")}
    names |= {path.stem for path in (ROOT / "runs").glob("import_*.py")}
    names |= {"normalisation", "scoring", "statistics", "results", "status", "tables", "errors"}
    names |= {"aggregates", "comparisons", "curves", "estimates", "inference", "intervals"}
    names |= {"compare", "exposure", "exposure_command", "philox", "resampling", "scores"}
    names |= {"offline_online", "published", "shares"}
    assert set(TORCH_FREE) == {f"primacy.runs.{name}" for name in names}


@pytest.mark.parametrize("module", ["primacy", *TORCH_FREE])
def test_importing_loads_no_torch(module: str):
    modules = loaded_modules(f"import {module}")
    assert module in modules
    assert "torch" not in modules


def test_the_help_of_the_command_line_loads_no_torch():
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "primacy.runs", "--help"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "sweep" in result.stdout
    assert "report" in result.stdout
    loaded = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "primacy" in loaded
    assert "torch" not in loaded
