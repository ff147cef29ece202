"""Checkpoints: what the journal lacks, written to a new name, synced, then published by one rename.

A checkpoint is a JSON file, ENV_STEP.json, and the safetensors file that it names, which is called
after its content: a checkpoint at the same env step as an older one never overwrites its tensors.
The JSON is written last and holds the tensors' SHA-256, so a checkpoint is whole or does not count.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from primacy.runs.durable import write_synced


@dataclass(frozen=True)
class Checkpoint:
    """The tensors and numbers of a run at one env step."""

    env_step: int
    tensors: dict[str, Tensor]
    numbers: dict[str, Any]


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Publish a checkpoint; raises OSError (disk full, read-only) with everything older
    untouched."""
    folder.mkdir(exist_ok=True)
    name = f"{checkpoint.env_step:010d}"
    plain = {key: value.detach().cpu().contiguous() for key, value in checkpoint.tensors.items()}
    content = save(plain)
    digest = hashlib.sha256(content).hexdigest()
    tensors = f"{name}-{digest[:8]}.safetensors"
    numbers = checkpoint.numbers
    record = {"env_step": checkpoint.env_step, "tensors": tensors, "sha256": digest}
    write_synced(folder / tensors, content)
    write_synced(folder / f"{name}.json", json.dumps(record | {"numbers": numbers}).encode())


def steps(folder: Path) -> list[int]:
    """The env steps of the checkpoints that were published, oldest first."""
    return sorted(int(path.stem) for path in folder.glob("*.json") if path.stem.isdigit())


def read(folder: Path, env_step: int) -> Checkpoint:
    """One checkpoint. Raises ValueError where it is damaged, OSError where it cannot be read."""
    path = _record(folder, env_step)
    try:
        record = json.loads(path.read_text())
        content = (folder / _tensors(record, path)).read_bytes()
        if hashlib.sha256(content).hexdigest() != record["sha256"]:
            raise ValueError("its tensors do not match their checksum")
        return Checkpoint(env_step, load(content), record["numbers"])
    except FileNotFoundError as error:
        raise ValueError(f"{error.filename} is missing") from error
    except (KeyError, TypeError, json.JSONDecodeError, SafetensorError) as error:
        raise ValueError(str(error)) from error


def _record(folder: Path, env_step: int) -> Path:
    return folder / f"{env_step:010d}.json"


def _tensors(record: dict[str, Any], path: Path) -> str:
    # Older checkpoints do not name their tensors.
    return record.get("tensors", path.with_suffix(".safetensors").name)


def newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest good checkpoint, and a line for each newer one that is damaged."""
    damaged = []
    for env_step in reversed(steps(folder)):
        try:
            return read(folder, env_step), damaged
        except ValueError as error:
            damaged.append(f"checkpoint {env_step} is damaged ({error})")
    return None, damaged


def prune(folder: Path, keep_every: int) -> None:
    """Delete all but the newest two and those at multiples of `keep_every` env steps (0: none),
    and tensors that no checkpoint names."""
    # The JSON goes first: without it the tensors no longer count as a checkpoint.
    for env_step in steps(folder)[:-2]:
        if not (keep_every and env_step % keep_every == 0):
            _record(folder, env_step).unlink()
    _sweep(folder)


def drop_after(folder: Path, env_step: int) -> None:
    """Delete the checkpoints (damaged ones) that lie after the one a run goes on from."""
    for later in [step for step in steps(folder) if step > env_step]:
        _record(folder, later).unlink()
    _sweep(folder)


def _sweep(folder: Path) -> None:
    """Tensors without a checkpoint are left where a process was killed between two writes."""
    named = set[str]()
    for path in (_record(folder, env_step) for env_step in steps(folder)):
        try:
            named.add(_tensors(json.loads(path.read_text()), path))
        except (AttributeError, json.JSONDecodeError):
            return  # Whose tensors are whose is not known.
    for path in folder.glob("*.safetensors*"):
        if path.name not in named:
            path.unlink(missing_ok=True)
