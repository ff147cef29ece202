"""Runs that are there already: whether they are finished, and whether they are those asked for."""

from pathlib import Path
from typing import Any

from primacy.runs.config import RunConfig, to_dict
from primacy.runs.errors import UserError
from primacy.runs.folder import check_config, differences, read_document
from primacy.runs.status import read_status


def finished(folder: Path, config: RunConfig) -> bool:
    """Whether a folder holds this run, trained to its end.

    Raises:
        UserError: a finished run of another configuration, or one whose config.json is lost.
    """
    if read_status(folder).get("state") != "finished":
        return False
    if not (folder / "config.json").exists():
        raise UserError(
            f"{folder} holds a finished run without its config.json",
            "restore the file, or use another --out",
        )
    check_run(folder, config)
    return True


def check_run(folder: Path, config: RunConfig) -> None:
    """Raises UserError where a folder holds a run of another configuration, finished or not, or one
    whose config.json is damaged."""
    try:
        stored = read_document(folder / "config.json")
    except (FileNotFoundError, NotADirectoryError):
        return
    asked = to_dict(config)
    if not asked["given_transitions"]:
        # Only the command that begins a run counts what a data set or a transplant gives.
        asked["given_transitions"] = stored["config"].get("given_transitions", 0)
    check_config(folder, stored, asked)


def check_origin(folder: Path, kind: str, record: dict[str, Any]) -> None:
    """Raises UserError unless the run in a folder began as this fork or transplant.

    The parent may have been moved: its settings are compared, where they were noted, and not its
    path.
    """
    stored = read_document(folder / "config.json").get(kind)
    whose = {"parent", "parent_config"}
    if stored is None or any(stored.get(key) != record[key] for key in record.keys() - whose):
        raise UserError(f"{folder} is not this {kind} but another run", "use another --out")
    asked = record["parent_config"]
    if listing := differences(stored.get("parent_config", asked), asked):
        raise UserError(
            f"{folder} is the {kind} of a run with other settings ({listing})",
            "use another --out, or name that run",
        )
