"""`primacy export` and `primacy import-experience`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from primacy.runs.arguments import parse
from primacy.runs.errors import UserError


@dataclass(frozen=True)
class ExportOptions:
    """A run's experience as Minari datasets: OUTPUT/TASK/seedN-v0, one per seed.

    MINARI_DATASETS_PATH=OUTPUT lets Minari find them by these names.
    """

    run: tyro.conf.Positional[Path]
    """Run folder."""
    output: Path
    """Folder of the datasets."""
    seeds: tuple[int, ...] | None = None
    """Some of the run's seeds (default: all)."""
    first: int | None = None
    """Only the first so many transitions of each seed (default: all)."""
    one: bool = False
    """One dataset TASK/seeds-v0, whose episodes name their seed (run_seed)."""


@dataclass(frozen=True)
class ImportExperienceOptions:
    """Minari datasets as a run folder at env step 0, for `primacy transplant`."""

    datasets: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of datasets: what `primacy export` wrote, or one of another origin."""
    out: Path
    """Run folder to make."""
    seeds: tuple[int, ...] | None = None
    """Some of the exported seeds (default: all); of another dataset, seeds that get a copy each
    (default: 0)."""
    first: int | None = None
    """Only the first so many transitions of each seed (default: all)."""
    task: str | None = None
    """Task, where the dataset is not of `primacy export`."""
    action_repeat: int | None = None
    """Simulator frames per env step, where the dataset is not of `primacy export` (default: the
    published ones: 1, 4 on Atari, those of the study for tasks in pixels)."""


def _check_seeds(seeds: Sequence[int] | None) -> None:
    if seeds is not None and (not seeds or len(set(seeds)) < len(seeds)):
        raise UserError(
            f"--seeds {' '.join(map(str, seeds))}: each seed once, and at least one",
            "give different seeds, or leave --seeds out",
        )


def export(arguments: Sequence[str]) -> int:
    """Write the datasets and print where they are."""
    from primacy.runs.experience_export import export as write

    options = parse(ExportOptions, "primacy export", arguments)
    _check_seeds(options.seeds)
    written = write(options.run, options.output, options.seeds, options.first, options.one)
    print("\n".join(map(str, written)))
    return 0


def import_experience(arguments: Sequence[str]) -> int:
    """Make the run folder and print how much it holds."""
    from primacy.runs import experience_import

    options = parse(ImportExperienceOptions, "primacy import-experience", arguments)
    _check_seeds(options.seeds)
    count = experience_import.import_experience(
        options.datasets,
        options.out,
        seeds=options.seeds,
        first=options.first,
        task=options.task,
        action_repeat=options.action_repeat,
    )
    print(f"{options.out}: {count:,} transitions per seed, for `primacy transplant {options.out}`")
    return 0
