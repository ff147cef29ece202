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

from primacy.runs.durable import write_synced
from primacy.runs.errors import UserError, refusing

PACKAGES = ("torch", "numpy", "gymnasium", "dm-control", "mujoco", "ale-py", "safetensors")
PLACE = "check the permissions and the space, or give another --out"
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
    """Replace a JSON file as a whole: a reader, also one after a power cut, sees the old one or the
    new one."""
    write_synced(path, (json.dumps(content, indent=2) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that `write_json` wrote.

    Raises FileNotFoundError or NotADirectoryError where there is none, UserError where it is
    damaged.
    """
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(content, dict):
        raise _damaged(path, "it is not a JSON object")
    return content


def read_document(path: Path) -> dict[str, Any]:
    """A config.json, with the configuration under "config". Raises as `read_json` does."""
    content = read_json(path)
    if not isinstance(content.get("config"), dict):
        raise _damaged(path, "it holds no configuration")
    return content


def _damaged(path: Path, what: str) -> UserError:
    return UserError(
        f"{path} cannot be read: {what}",
        "restore the file from a copy, or start anew in another folder",
    )


def describe_machine() -> dict[str, Any]:
    """What a reader of the results needs to know about where they were made."""
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "gpu": _gpu(),
    }


def _gpu() -> str:
    """The GPU that PyTorch would use, if any; what reads results does without PyTorch."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch and torch.cuda.is_available() else ""


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
    checkout and where git cannot be run."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    # `describe --dirty` would write the checkout's index, and leave it locked where it is killed.
    named = _git(root, "describe", "--always", "--abbrev=12")
    edited = _git(root, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    return f"{named}+" if named and edited else named


def _git(root: Path, *arguments: str) -> str:
    try:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def differences(stored: dict[str, Any], config: dict[str, Any]) -> str:
    """In what a configuration that was stored, maybe by an earlier version, differs from another;
    empty where in nothing that alters a run."""
    later = {name: value for name, value in LATER_FIELDS.items() if name in config}
    old = later | stored
    names = sorted((old.keys() | config.keys()) - FREE_FIELDS)
    return "; ".join(
        f"{name}: {old.get(name)} there, {config.get(name)} here"
        for name in names
        if old.get(name) != config.get(name)
    )


def check_config(path: Path, stored: dict[str, Any], config: dict[str, Any]) -> None:
    """Raises UserError unless the folder with this config.json holds a run of `config`."""
    if listing := differences(stored["config"], config):
        raise UserError(
            f"{path} holds a run of another configuration ({listing})",
            "use another --out, or repeat the command with the settings of the folder",
        )


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
        with refusing(path, PLACE):
            path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path / ".lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise UserError(
                    f"{path} is in use by another process",
                    "wait for it, stop it, or use another --out",
                ) from None
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
            self._compare(read_document(path), config)
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
        with refusing(path, PLACE):
            write_json(path, content)

    def _compare(self, stored: dict[str, Any], config: dict[str, Any]) -> None:
        check_config(self.path, stored, config)
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
