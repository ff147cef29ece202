"""Forks: runs that share the history of another up to a kept checkpoint and differ from then on.

A fork's folder is complete in itself: the journal, the rows of the CSVs and the checkpoint up to
the fork are copied, so that the parent may be moved, deleted or go on.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from primacy.plasticity.remedies import describe
from primacy.replay.journal import Journal
from primacy.runs import checkpoint as checkpoints
from primacy.runs.assembly import Parts, assemble, remedies
from primacy.runs.checkpoint import Checkpoint
from primacy.runs.config import SCHEMA, RunConfig, read, to_dict
from primacy.runs.errors import UserError, naming
from primacy.runs.existing import check_origin
from primacy.runs.folder import RunFolder, read_json
from primacy.runs.state import chosen, learned
from primacy.runs.tables import COLUMNS, Tables, demand

FIXED = (
    "agent",
    "task",
    "action_repeat",
    "backend",
    "prime_updates",
    "prime_transitions",
    "given_transitions",
    "offline_data",
    "offline_updates",
    "normalize_observations",
)
"""Settings of the shared history: a fork cannot differ in them."""

AT_SWITCH = ("at_switch", "relearn_updates")
"""What lies between the offline phase and the first env step: fixed in forks after it."""

CONFIG, LOCK, LOG = "config.json", ".lock", "log.txt"
MEND = "free some space or mend the permissions, then repeat the command"


def fork(parent: Path, at: int, config: RunConfig, out: Path) -> None:
    """Make `out` a run of `config` that stands where `parent` stood at env step `at`.

    State of remedies that both have in common is taken over. Others start here: a tortoise where
    the hare is; an anchor of L2-init at the initial weights.

    Raises:
        UserError: no such checkpoint, settings that cannot differ, another architecture, or an
            `out` that is another run.
    """
    old = read(parent)
    found = kept(parent, at)
    lanes = _lanes(old, config, at)
    record = origin(parent, old, at, config)
    if (out / CONFIG).exists():
        check_origin(out, "fork", record)
        return
    data = {k: v for k, v in read_json(parent / CONFIG).items() if k == "offline_data"}
    with filling(out, config, {"fork": record, **data}) as folder:
        _fill(folder.path, parent, found, config, lanes)


def origin(parent: Path, old: RunConfig, at: int, config: RunConfig) -> dict[str, Any]:
    """What config.json says of where a run of `config` comes from: a run of the settings `old`."""
    return {
        "parent": str(parent.resolve()),
        "at": at,
        "seeds": list(config.seeds),
        "parent_config": to_dict(old),
    }


@contextmanager
def filling(out: Path, config: RunConfig, origin: dict[str, Any]) -> Iterator[RunFolder]:
    """A new run folder to fill, which is published as `out` at the end; where that fails, nothing
    is left of it."""
    part = begin(out)
    try:
        folder = RunFolder.open(part, to_dict(config), SCHEMA, origin)
        try:
            yield folder
        finally:
            folder.close()
        publish(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def begin(out: Path) -> Path:
    """Where a folder is filled before it is published; what an interrupted attempt left goes.

    Raises:
        UserError: an `out` that is not empty or is being made; another folder in the way.
    """
    check_empty(out)
    whole = out.resolve()  # Of `.` it is the name, too.
    part = whole.with_name(whole.name + ".part")
    if part.exists():
        # An attempt begins with its lock, and is no run that has been trained.
        if not (part / LOCK).exists() or (part / "status.json").exists():
            raise UserError(f"{part} is in the way", "move it away, or use another --out")
        try:
            with FileLock(part / LOCK, timeout=0):
                pass
        except Timeout:
            raise UserError(
                f"{out} is being made by another process", "wait for it, or use another --out"
            ) from None
        shutil.rmtree(part)
    return part


def publish(part: Path, out: Path) -> None:
    """Give a finished folder its name, in one step; the log of a sweep may lie there already."""
    check_empty(out)
    if out.exists() and out.samefile(os.curdir):
        _move_into(part, out)
        return
    whole = out.resolve()
    if out.exists():
        if (out / LOG).exists():
            os.replace(out / LOG, part / LOG)
        whole.rmdir()
    os.replace(part, whole)


def check_empty(out: Path) -> None:
    """Raises UserError where `out` is more than an empty folder, a sweep's log aside."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out} is a file", "use another --out")
    others = sorted(path.name for path in out.iterdir() if path.name != LOG)
    if others:
        raise UserError(f"{out} is not empty: it holds {others[0]}", "use another --out")


def _move_into(part: Path, out: Path) -> None:
    # The folder that the user's shell stands in must stay the same one. What has no config.json
    # is no run, so that moves last.
    for path in sorted(part.iterdir(), key=lambda path: path.name == CONFIG):
        os.replace(path, out / path.name)
    part.rmdir()


def kept(parent: Path, at: int) -> Checkpoint:
    """The checkpoint of an env step; raises UserError where it is not kept, or damaged."""
    steps = checkpoints.steps(parent / "checkpoints")
    if at not in steps:
        near = sorted(sorted(steps, key=lambda step: abs(step - at))[:3])
        raise UserError(
            f"{parent} keeps no checkpoint of env step {at:,}",
            f"the nearest kept are {', '.join(f'{step:,}' for step in near) or 'none'}; "
            "--keep-checkpoints every=N keeps more",
        )
    try:
        return checkpoints.read(parent / "checkpoints", at)
    except ValueError as error:
        raise UserError(
            f"checkpoint {at:,} of {parent} is damaged ({error})", "give another --at"
        ) from error


def _lanes(old: RunConfig, new: RunConfig, at: int) -> list[int]:
    """The parent's lanes that the fork goes on with; refuses settings that cannot differ."""
    fixed = (*FIXED, *AT_SWITCH) if at else FIXED
    differ = [name for name in fixed if getattr(old, name) != getattr(new, name)]
    if differ:
        name = differ[0]
        raise UserError(
            f"a fork has the {name.replace('_', ' ')} of its parent, {getattr(old, name)}, "
            f"not {getattr(new, name)}",
            "leave that option out, or start a run of its own with `primacy train`",
        )
    if new.env_steps <= at:
        raise UserError(
            f"--env-steps {new.env_steps} ends before the fork, at env step {at}",
            "raise --env-steps, or fork earlier",
        )
    lanes = [old.seeds.index(seed) for seed in new.seeds if seed in old.seeds]
    if len(lanes) < len(new.seeds) or lanes != sorted(lanes):
        raise UserError(
            f"--seeds {' '.join(map(str, new.seeds))}: the parent has "
            f"{' '.join(map(str, old.seeds))}, in this order",
            "give some of the parent's seeds, or leave --seeds out",
        )
    return lanes


def _fill(
    part: Path, parent: Path, found: Checkpoint, config: RunConfig, lanes: Sequence[int]
) -> None:
    parts = assemble(config, lambda line: None)
    parts.lanes.close()
    restore(parts, found, read(parent), lanes)
    journal = Journal.open(parent / "journal")
    held = config.given_transitions + found.env_step
    copy_journal(journal, part / "journal", lanes, config.seeds, held)
    rows = copy_tables(parent, part, found.numbers["rows"], config.seeds)
    tables = Tables(part)
    gradient_step = found.numbers["gradient_step"]
    detail = f"{parent.name} at {found.env_step}"
    tables.events.add(-1, found.env_step, gradient_step, "fork", detail)
    rows["events"] = tables.events.sync()
    tables.close()
    numbers = found.numbers | {"rows": rows}
    for name in ("episodes", "lengths", "frozen"):
        numbers[name] = [found.numbers[name][lane] for lane in lanes]
    tensors = learned(parts) | chosen(found.tensors, lanes)
    checkpoints.write(part / "checkpoints", Checkpoint(found.env_step, tensors, numbers))


def copy_journal(
    source: Journal, folder: Path, lanes: Sequence[int], seeds: Sequence[int], until: int
) -> None:
    """The first `until` transitions of some lanes as a journal of its own."""
    target = Journal(folder, source.layout, seeds, source.segment_steps)
    for rows in source.chunks(0, until):
        for row in rows[:, list(lanes)]:
            target.append(row)
    target.sync()
    target.close()


def copy_tables(
    source: Path, target: Path, lengths: dict[str, int], seeds: Sequence[int]
) -> dict[str, int]:
    """The rows of `seeds` among the first bytes of each CSV; returns the lengths in bytes.

    Raises UserError where bytes are gone.
    """
    wanted = {str(seed).encode() for seed in (*seeds, -1)}
    found = {}
    for name, length in lengths.items():
        path = source / f"{name}.csv"
        whole = path.read_bytes() if path.exists() else b""
        demand(path, len(whole), length)
        header, *lines = whole[:length].splitlines(keepends=True)
        if COLUMNS[name].startswith("seed "):
            lines = [line for line in lines if line.partition(b",")[0] in wanted]
        content = b"".join([header, *lines])
        with naming(target / f"{name}.csv"):
            (target / f"{name}.csv").write_bytes(content)
        found[name] = len(content)
    return found


def restore(parts: Parts, found: Checkpoint, old: RunConfig, lanes: Sequence[int]) -> None:
    """Agent and remedies as they were, in the lanes that go on."""
    own = parts.agent.state()
    theirs = {k[6:]: v for k, v in found.tensors.items() if k.startswith("agent/")}
    for name, value in own.items():
        _take(name, value, theirs.get(name), lanes)
    if unused := sorted(theirs.keys() - own.keys()):
        raise _other_architecture(unused[0])
    everything = torch.ones(len(lanes), dtype=torch.bool, device=parts.agent.alive.device)
    changed = {
        name: everything
        for network in parts.chain.networks.values()
        for name, _, _, _ in network.parameters()
    }
    known = {describe(remedy): index for index, remedy in enumerate(remedies(old))}
    for remedy, state in zip(parts.chain.remedies, parts.chain.state, strict=True):
        before = known.get(describe(remedy))
        if before is not None:
            for name, value in state.items():
                _take(name, value, found.tensors.get(f"chain/{before}/{name}"), lanes)
        elif hasattr(remedy, "follow"):
            remedy.follow(parts.chain.networks, state, changed, False)


def _take(name: str, value: Tensor, source: Tensor | None, lanes: Sequence[int]) -> None:
    """Copy some lanes of a tensor; all of agents and remedies have a leading seed axis."""
    if source is None or source.shape[1:] != value.shape[1:]:
        raise _other_architecture(name)
    value.copy_(source[list(lanes)])


def _other_architecture(name: str) -> UserError:
    return UserError(
        f"a fork keeps the architecture of its parent: {name} differs",
        "leave --hidden-sizes, --critics and build-time remedies (crelu, layer-norm) as they were",
    )
