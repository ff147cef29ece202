"""Minari datasets as a run folder, whose journal can be transplanted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from primacy.envs.suites import SUITES
from primacy.replay.journal import SEGMENT_STEPS, Journal
from primacy.runs.config import RunConfig, from_dict
from primacy.runs.errors import UserError, refusing
from primacy.runs.folder import RunFolder
from primacy.runs.fork import check_empty, filling
from primacy.runs.minari_datasets import Dataset, find, load
from primacy.runs.settings import drq, drq_eps, sac
from primacy.runs.spaces import spaces_of
from primacy.runs.tables import Tables
from primacy.runs.transplant import AnyLayout

FRAMES = {"atari": drq_eps, "dmc-pixels": drq}
"""Suites seen in frames -> the settings of an agent that could have made such experience; SAC's are
those of the others."""


@dataclass(frozen=True)
class Lane:
    """Where the transitions of a seed come from."""

    seed: int
    dataset: Dataset
    run_seed: int | None
    """Only episodes of this one; None: all of the dataset."""

    @property
    def held(self) -> int:
        """Transitions."""
        return sum(
            int(label["total_steps"])
            for label in self.dataset.labels
            if self.run_seed is None or label.get("run_seed") == self.run_seed
        )


def import_experience(
    paths: tuple[Path, ...],
    out: Path,
    *,
    seeds: Sequence[int] | None = None,
    first: int | None = None,
    task: str | None = None,
    action_repeat: int | None = None,
) -> int:
    """Make `out` a run at env step 0 to which the transitions of datasets were given.

    Args:
        seeds: which ones of an exported run (default: all); of another dataset, the seeds that get
            a copy each (default: 0).
        first: only so many transitions of each seed (default: all).
        task: for datasets that `primacy export` did not write, with its `action_repeat` (default:
            the published one).

    Returns:
        Transitions per seed.

    Raises:
        UserError: no minari; datasets that are damaged, foreign or do not belong together; an `out`
            that is not an empty folder or cannot be written.
    """
    load()
    with refusing(out, "give another --out", "used"):
        check_empty(out)
    datasets = [Dataset(path) for path in find(paths)]
    lanes = _lanes(datasets, seeds)
    layout = _layout(datasets)
    count = _count(lanes, first)
    config = _config(datasets, lanes, task, action_repeat)
    config = replace(config, given_transitions=count)
    _check_sizes(config, datasets[0], layout)
    record = {"datasets": [dataset.identity for dataset in datasets]}
    with (
        refusing(out, "check the permissions and the space, or give another --out"),
        filling(out, config, {"import": record}) as folder,
    ):
        _fill(folder, config, datasets, lanes, layout)
    return count


def _fill(
    folder: RunFolder,
    config: RunConfig,
    datasets: Sequence[Dataset],
    lanes: Sequence[Lane],
    layout: AnyLayout,
) -> None:
    segment_steps = datasets[0].about.get("segment_steps", SEGMENT_STEPS)
    journal = Journal(folder.path / "journal", layout, config.seeds, segment_steps)
    count = config.given_transitions
    try:
        for rows in islice(zip(*(_rows(lane, layout) for lane in lanes), strict=False), count):
            journal.append(np.stack(rows))
        journal.close()
        tables = Tables(folder.path)
        tables.events.add(-1, 0, 0, "import", f"{count} transitions")
        tables.close()
        folder.write_status("imported", {"env_step": 0, "env_steps": 0, "gradient_step": 0})
    finally:
        journal.close()


def _lanes(datasets: Sequence[Dataset], seeds: Sequence[int] | None) -> list[Lane]:
    ours = [bool(dataset.about) for dataset in datasets]
    if not any(ours):
        if len(datasets) > 1:
            raise UserError(
                f"{datasets[1].path} does not say which seed it is of",
                "import datasets that `primacy export` did not write one at a time",
            )
        return [Lane(seed, datasets[0], None) for seed in seeds or (0,)]
    if not all(ours):
        other = datasets[ours.index(False)]
        raise UserError(
            f"{other.path} was not written by `primacy export`, others were", "import it alone"
        )
    found: dict[int, Lane] = {}
    for dataset in datasets:
        for seed in dict.fromkeys(int(label["run_seed"]) for label in dataset.labels):
            if seed in found:
                raise UserError(
                    f"seed {seed} is in {found[seed].dataset.path} and in {dataset.path}",
                    "name the datasets of one run, each once",
                )
            found[seed] = Lane(seed, dataset, seed)
    wanted = sorted(found, key=_order(datasets[0])) if seeds is None else list(seeds)
    if missing := [seed for seed in wanted if seed not in found]:
        raise UserError(
            f"no dataset has seed {missing[0]}", f"there are {' '.join(map(str, sorted(found)))}"
        )
    return [found[seed] for seed in wanted]


def _order(dataset: Dataset) -> Any:
    seeds = dataset.about["config"]["seeds"]
    return lambda seed: (seeds.index(seed) if seed in seeds else len(seeds), seed)


def _layout(datasets: Sequence[Dataset]) -> AnyLayout:
    first = datasets[0]
    for other in datasets[1:]:
        if other.layout != first.layout:
            raise UserError(
                f"{other.path} has {other.layout}, {first.path} {first.layout}",
                "import datasets of one run together",
            )
    return first.layout


def _count(lanes: Sequence[Lane], first: int | None) -> int:
    held = {lane.seed: lane.held for lane in lanes}
    least = min(held.values())
    if first is None and len(set(held.values())) > 1:
        listing = ", ".join(f"seed {seed}: {count:,}" for seed, count in held.items())
        raise UserError(
            f"seeds hold different numbers of transitions ({listing})", f"give --first {least}"
        )
    count = least if first is None else first
    if not 0 < count <= least:
        raise UserError(f"each seed has {least:,} transitions, not {count:,}", "lower --first")
    return count


def _config(
    datasets: Sequence[Dataset], lanes: Sequence[Lane], task: str | None, action_repeat: int | None
) -> RunConfig:
    """The settings of the exported run, or the published ones for the task that was named."""
    seeds = tuple(lane.seed for lane in lanes)
    about = datasets[0].about
    if not about:
        if task is None:
            raise UserError(
                f"{datasets[0].path} was not written by `primacy export` and names no task",
                "give --task, and --action-repeat if it is not 1",
            )
        seen = [names for names in FRAMES if task in SUITES[names][0]()]
        published = FRAMES[seen[0]](task) if seen else sac(task)
        repeat = published.action_repeat if action_repeat is None else action_repeat
        return replace(published, seeds=seeds, action_repeat=repeat)
    for other in datasets[1:]:
        same = ("task", "action_repeat", "segment_steps")
        if differ := [name for name in same if other.about.get(name) != about[name]]:
            raise UserError(
                f"{other.path} has another {differ[0].replace('_', ' ')} than {datasets[0].path}",
                "import datasets of one run together",
            )
    if task is not None and task != about["task"]:
        raise UserError(f"{datasets[0].path} is of {about['task']}, not {task}", "leave --task out")
    plain = {"offline_data": "", "at_switch": (), "relearn_updates": 0}
    return replace(from_dict(about["config"]), seeds=seeds, offline_updates=0, **plain)


def _check_sizes(config: RunConfig, dataset: Dataset, layout: AnyLayout) -> None:
    spaces = spaces_of(config)
    ours = spaces.layout
    if ours != layout:
        raise UserError(
            f"{dataset.path} has {layout}, {config.task} has {ours}",
            "name the task of the dataset with --task",
        )
    if dataset.choices not in (None, spaces.actions):
        raise UserError(
            f"{dataset.path} has {dataset.choices} actions, {config.task} has {spaces.actions}",
            "name the task of the dataset with --task",
        )


def _rows(lane: Lane, layout: AnyLayout) -> Iterator[np.ndarray]:
    found = (episode.rows(layout) for episode in lane.dataset.episodes(lane.run_seed))
    return chain.from_iterable(found)
