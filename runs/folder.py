"""The run folder: who may write it, what configuration it belongs to, and what state the run is
in."""

import json
import os
import platform
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from primacy.runs.errors import UserError

PACKAGES = ("torch", "numpy", "gymnasium", "dm-control", "mujoco", "ale-py", "safetensors")
# What may differ between the first start of a run and a later one without changing a number of it.
FREE_FIELDS = frozenset({"label"})

LATER_FIELDS = {
    "backend": "",
    "offline_data": "",
    "reward_scale": 1.0,
    "reward_bias": 0.0,
    "at_switch": [],
    "relearn_updates": 0,
    "online_sampling": "append",
    "warmup_policy": "random",
    "normalize_observations": False,
    "priority": "loss",
}
"""Fields that folders of earlier versions lack, with what those versions did."""


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace a JSON file as a whole: a reader sees the old one or the new one."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(temporary, path)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that `write_json` wrote."""
    return json.loads(path.read_text())


def describe_machine() -> dict[str, Any]:
    """What a reader of the results needs to know about where they were made."""
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
    }


def versions() -> dict[str, str]:
    """The installed versions of the packages that decide the numbers."""
    found = {}
    for package in ("primacy", *PACKAGES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def commit() -> str:
    """The commit of the package's sources, with + where they were edited since; empty outside a
    checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip()


@dataclass
class RunFolder:
    """An open run folder, locked for this process."""

    path: Path
    lock: FileLock

    @classmethod
    def open(
        cls,
        path: Path,
        config: dict[str, Any],
        schema: int,
        origin: dict[str, Any] | None = None,
    ) -> "RunFolder":
        """Create or enter the folder of this configuration; `origin` says in a new one's
        config.json which other run it comes from.

        Raises UserError where it cannot be written, is in use, or belongs to another configuration.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path / ".lock")
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"{path} is in use by another process", "wait for it, stop it, or use another --out"
            ) from None
        except OSError as error:
            raise UserError(
                f"{path} cannot be written: {error.strerror or error}",
                "check the permissions and the space, or give another --out",
            ) from error
        folder = cls(path, lock)
        try:
            folder._adopt(config, schema, origin or {})
        except BaseException:
            lock.release()
            raise
        return folder

    def _adopt(self, config: dict[str, Any], schema: int, origin: dict[str, Any]) -> None:
        path = self.path / "config.json"
        if path.exists():
            self._compare(read_json(path), config)
            return
        content = {
            "schema": schema,
            "config": config,
            "command": " ".join(["primacy", *sys.argv[1:]]),
            "versions": versions(),
            "commit": commit(),
            "machine": describe_machine(),
            **origin,
        }
        try:
            write_json(path, content)
        except OSError as error:
            raise UserError(
                f"{path} cannot be written: {error.strerror or error}",
                "check the permissions and the space, or give another --out",
            ) from error

    def _compare(self, stored: dict[str, Any], config: dict[str, Any]) -> None:
        later = {name: value for name, value in LATER_FIELDS.items() if name in config}
        old = later | stored.get("config", {})
        names = sorted((old.keys() | config.keys()) - FREE_FIELDS)
        differ = [name for name in names if old.get(name) != config.get(name)]
        if differ:
            listing = "; ".join(
                f"{name}: {old.get(name)} there, {config.get(name)} here" for name in differ
            )
            raise UserError(
                f"{self.path} holds a run of another configuration ({listing})",
                "use another --out, or repeat the command with the settings of the folder",
            )
        was, now = stored.get("versions", {}), versions()
        moved = [name for name in PACKAGES if was.get(name) != now.get(name)]
        if moved:
            listing = "; ".join(f"{name} {was.get(name)} there, {now[name]} here" for name in moved)
            raise UserError(
                f"{self.path} was begun with other versions ({listing})",
                "install those versions to go on, or use another --out",
            )

    def write_status(self, state: str, counts: dict[str, int], error: str | None = None) -> None:
        """Replace status.json: running, finished, failed or interrupted."""
        write_json(
            self.path / "status.json",
            {
                "state": state,
                "error": error,
                **counts,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "heartbeat": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )

    def close(self) -> None:
        """Let another process have the folder."""
        self.lock.release()
