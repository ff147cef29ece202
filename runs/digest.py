"""One number for what a run has become: equal for a run that was interrupted and one that never
was."""

import hashlib
from pathlib import Path

from primacy.replay.journal import digest as journal_digest
from primacy.runs import checkpoint as checkpoints
from primacy.runs.config import read
from primacy.runs.errors import UserError

TABLES = ("evaluations", "plasticity")


def digest(folder: Path) -> str:
    """SHA-256 over parameters, optimiser and remedy state, replay content, evaluations.csv and
    plasticity.csv."""
    config = read(folder)
    found, _ = checkpoints.newest(folder / "checkpoints")
    if found is None:
        raise UserError(f"{folder} has no checkpoint yet", "let the run go on until it has one")
    held = config.given_transitions + found.env_step
    total = hashlib.sha256()
    for name in sorted(found.tensors):
        total.update(name.encode())
        total.update(found.tensors[name].numpy().tobytes())
    total.update(journal_digest(folder / "journal", held).encode())
    for table in TABLES:
        length = found.numbers["rows"][table]
        total.update((folder / f"{table}.csv").read_bytes()[:length])
    return total.hexdigest()
