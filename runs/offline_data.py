"""Runs that begin with a data set: its transitions are the given ones of every seed, in the run's
journal, and the file is not needed any more."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from primacy.replay.journal import Journal
from primacy.replay.layout import Layout
from primacy.runs.config import RunConfig
from primacy.runs.errors import UserError
from primacy.runs.folder import read_json
from primacy.runs.fork import filling
from primacy.runs.offline_source import digest, local, source
from primacy.runs.spaces import spaces_of

KEY = "offline_data"
"""Where config.json has rows, transitions, SHA-256 and statistics of the file."""


def complete(config: RunConfig, out: Path, say: Callable[[str], None] = print) -> RunConfig:
    """`config` with the number of transitions that its data set gives.

    Where `out` is no run yet it becomes one at env step 0 with these transitions in its journal;
    `say` gets their statistics. Without `offline_data` nothing happens.

    Raises:
        DataFault: data that are missing, torn or of another task.
        UserError: data that changed since the run began; more transitions than replay holds.
    """
    if not config.offline_data:
        return config
    stored = out / "config.json"
    if stored.exists():
        return _again(config, out, read_json(stored))
    spaces = spaces_of(config)
    layout = Layout(spaces.observation[0], spaces.actions)
    path, hashed, data = source(config.offline_data, layout, say)
    if config.given_transitions not in (0, len(data)):
        raise UserError(
            f"--given-transitions {config.given_transitions}, and {path} has {len(data)}",
            "leave --given-transitions out: the data decide it",
        )
    if len(data) > config.replay_capacity:
        raise UserError(
            f"{path} has {len(data):,} transitions, replay holds {config.replay_capacity:,}",
            f"give --replay-capacity {len(data) + config.env_steps}",
        )
    whole = replace(config, given_transitions=len(data))
    record = {"transitions": len(data), "sha256": hashed, **asdict(data.statistics)}
    with filling(out, whole, {KEY: record}) as folder:
        _fill(folder.path, whole, data.rows(layout), layout)
    return whole


def _again(config: RunConfig, out: Path, document: dict[str, Any]) -> RunConfig:
    """The configuration of a run that goes on; a file that is still there must be the same one."""
    began = document.get(KEY)
    given = document["config"].get("given_transitions", 0)
    if began is None or document["config"].get("offline_data") != config.offline_data:
        return replace(config, given_transitions=given)  # Opening the folder says what differs.
    path = local(config.offline_data)
    if path.exists() and (found := digest(path)) != began["sha256"]:
        raise UserError(
            f"{path} has changed since {out} began: SHA-256 {found}, not {began['sha256']}",
            "put the old file back or move this one away to go on, or use another --out",
        )
    return replace(config, given_transitions=given)


def _fill(part: Path, config: RunConfig, rows: np.ndarray, layout: Layout) -> None:
    journal = Journal(part / "journal", layout, config.seeds)
    try:
        shape = (len(config.seeds), layout.width)
        for row in rows:
            journal.append(np.broadcast_to(row, shape))
        journal.sync()
    finally:
        journal.close()
