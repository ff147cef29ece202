"""Transplants: a fresh run that begins with what another one has, its experience or its networks.

Do the data suffice, or is the network to blame? A fresh agent on the experience of an old one tells
(Nikishin et al. 2022, section 3); an old agent without its experience is the reverse.
"""

from pathlib import Path

from primacy.replay.frame_layout import FrameLayout
from primacy.replay.journal import Journal
from primacy.replay.layout import Layout
from primacy.runs import checkpoint as checkpoints
from primacy.runs.assembly import assemble
from primacy.runs.checkpoint import Checkpoint
from primacy.runs.config import RunConfig, read
from primacy.runs.errors import UserError
from primacy.runs.existing import check_origin
from primacy.runs.fork import copy_journal, filling, kept, origin, restore
from primacy.runs.state import learned
from primacy.runs.tables import Tables

AnyLayout = Layout | FrameLayout


def available(source: Path, first: int | None) -> int:
    """How many transitions per seed of `source` are taken: the `first` ones, or all.

    Raises UserError where it holds fewer.
    """
    held = len(Journal.open(source / "journal"))
    count = held if first is None else first
    if not 0 < count <= held:
        raise UserError(
            f"{source} holds {held:,} transitions per seed, not {count:,}",
            "lower --first, or let that run go on",
        )
    return count


def experience(source: Path, config: RunConfig, out: Path) -> None:
    """Make `out` a run of `config` with `config.given_transitions` of `source` in its replay.

    Raises:
        UserError: other sizes, or seeds that cannot be matched.
    """
    old = read(source)
    lanes = _lanes(old, config)
    journal = Journal.open(source / "journal")
    count = config.given_transitions
    record = origin(source, old, count, config) | {"what": "experience"}
    if (out / "config.json").exists():
        check_origin(out, "transplant", record)
        return
    with filling(out, config, {"transplant": record}) as folder:
        parts = assemble(config, lambda line: None)
        parts.lanes.close()
        _check_sizes(source, journal.layout, parts.layout)
        copy_journal(journal, folder.path / "journal", lanes, config.seeds, count)
        _note(folder.path, f"{count} transitions of {source.name}")


def networks(source: Path, config: RunConfig, at: int | None, out: Path) -> None:
    """Make `out` a run of `config` that begins with the agent of `source` and an empty replay.

    Args:
        at: env step of the checkpoint; None for the newest.

    Raises:
        UserError: no such checkpoint, another architecture, or seeds that cannot be matched.
    """
    old = read(source)
    lanes = _lanes(old, config)
    steps = checkpoints.steps(source / "checkpoints")
    found = kept(source, at if at is not None else max(steps, default=0))
    record = origin(source, old, found.env_step, config) | {"what": "networks"}
    if (out / "config.json").exists():
        check_origin(out, "transplant", record)
        return
    with filling(out, config, {"transplant": record}) as folder:
        parts = assemble(config, lambda line: None)
        parts.lanes.close()
        restore(parts, found, old, lanes)
        parts.agent.pop_metrics()  # Those of updates that are not this run's.
        rows = _note(folder.path, f"networks of {source.name} at {found.env_step}")
        numbers = {
            "gradient_step": 0,
            "episodes": [0] * len(lanes),
            "lengths": [0] * len(lanes),
            "frozen": [found.numbers["frozen"][lane] for lane in lanes],
            "claimed": -1,
            "rows": rows,
        }
        checkpoints.write(folder.path / "checkpoints", Checkpoint(0, learned(parts), numbers))


def _lanes(old: RunConfig, new: RunConfig) -> list[int]:
    """Which of the source's lanes each seed begins with: its own, or that in its place."""
    if set(new.seeds) <= set(old.seeds):
        return [old.seeds.index(seed) for seed in new.seeds]
    if len(new.seeds) == len(old.seeds):
        return list(range(len(new.seeds)))
    raise UserError(
        f"--seeds {' '.join(map(str, new.seeds))} cannot be matched with the source's "
        f"{' '.join(map(str, old.seeds))}",
        "give some of the source's seeds, or as many as it has",
    )


def _check_sizes(source: Path, theirs: AnyLayout, ours: AnyLayout) -> None:
    if theirs != ours:
        raise UserError(
            f"{source} has {theirs}, this task has {ours}",
            "transplant between runs of one task, or of tasks with equal sizes",
        )


def _note(part: Path, text: str) -> dict[str, int]:
    tables = Tables(part)
    tables.events.add(-1, 0, 0, "transplant", text)
    rows = tables.sync()
    tables.close()
    return rows
