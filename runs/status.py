"""`primacy status`: how far the runs in a folder are, from their status.json files alone."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from primacy.runs.arguments import parse
from primacy.runs.errors import UserError


def find_runs(folder: Path) -> list[Path]:
    """All run folders in or below a folder, by name. Raises UserError where there is none."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", "give a run folder or a folder of runs")
    runs = sorted(path.parent for path in folder.rglob("config.json"))
    if not runs:
        raise UserError(f"{folder} holds no run", "give the --out folder of a train or a sweep")
    return runs


def read_status(run: Path) -> dict:
    """The content of status.json; state "not started" without one, "unreadable" where it is
    damaged."""
    try:
        found = json.loads((run / "status.json").read_text())
    except FileNotFoundError:
        return {"state": "not started"}
    except (OSError, ValueError):
        found = None
    return found if isinstance(found, dict) and "state" in found else {"state": "unreadable"}


def _row(folder: Path, run: Path) -> list[str]:
    status = read_status(run)
    name = str(run.relative_to(folder)) if run != folder else run.name
    steps = f"{status.get('env_step', 0):,} / {status.get('env_steps', 0):,}"
    age = ""
    if "heartbeat" in status:
        heartbeat = datetime.fromisoformat(status["heartbeat"])
        age = f"{(datetime.now(UTC) - heartbeat).total_seconds():,.0f} s ago"
    gradient_steps = f"{status.get('gradient_step', 0):,}"
    return [name, status["state"], steps, gradient_steps, age, status.get("error") or ""]


def status(arguments: Sequence[str]) -> int:
    """Print a table of the runs in a folder."""

    def command(folder: tyro.conf.Positional[Path]) -> Path:
        """How far the runs in a folder are.

        Args:
            folder: A run folder, or a folder of runs.
        """
        return folder

    folder = parse(command, "primacy status", arguments)
    table = Table("run", "state", "env steps", "gradient steps", "heartbeat", "error")
    for run in find_runs(folder):
        table.add_row(*_row(folder, run))
    # Names of folders are no markup, whatever they hold: lr[low], x[/red], :x:.
    Console(markup=False, emoji=False).print(table)
    return 0
