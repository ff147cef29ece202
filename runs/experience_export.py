"""A run's journal as Minari datasets."""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Space

from primacy.replay.episodes import Episode, episodes
from primacy.replay.frame_layout import FrameLayout
from primacy.replay.journal import Journal
from primacy.replay.layout import Layout
from primacy.runs.config import RunConfig, read, to_dict
from primacy.runs.environment import environment
from primacy.runs.errors import UserError
from primacy.runs.folder import commit, read_json
from primacy.runs.minari_datasets import KEY, load
from primacy.runs.randomness import Randomness

EXACT: dict[str, Any] = {"jpeg_encoding": False}
"""How frames are stored: otherwise as JPEG, which changes them."""


def export(
    run: Path, output: Path, seeds: Sequence[int] | None, first: int | None, one: bool
) -> list[Path]:
    """Write the journal of `run` below `output`; returns the folders of the datasets.

    Args:
        seeds: which ones (default: all).
        first: only so many transitions of each seed (default: all that the journal holds).
        one: one dataset, each episode of which names its seed, instead of one per seed.

    Raises:
        UserError: no minari, seeds or transitions that are not there, or datasets that are.
    """
    load()
    config = read(run)
    chosen = tuple(config.seeds if seeds is None else seeds)
    journal = Journal.open(run / "journal")
    steps = len(journal) if first is None else first
    _check(run, config, journal, chosen, steps)
    groups = {"seeds-v0": chosen} if one else {f"seed{seed}-v0": (seed,) for seed in chosen}
    folders = [output / config.task / name for name in groups]
    for folder in folders:
        if folder.exists():
            raise UserError(f"{folder} exists already", "choose another --output, or delete it")
    for folder, group in zip(folders, groups.values(), strict=True):
        _write(folder, run, config, journal, group, steps)
    return folders


def _check(
    run: Path, config: RunConfig, journal: Journal, seeds: Sequence[int], steps: int
) -> None:
    if missing := [seed for seed in seeds if seed not in config.seeds]:
        raise UserError(
            f"{run} has no seed {missing[0]}",
            f"its seeds are {' '.join(map(str, config.seeds))}",
        )
    if not 0 < steps <= len(journal):
        raise UserError(
            f"{run} holds {len(journal):,} transitions per seed, not {steps:,}",
            "lower --first, or let that run go on",
        )


def _write(
    folder: Path,
    run: Path,
    config: RunConfig,
    journal: Journal,
    seeds: Sequence[int],
    steps: int,
) -> None:
    """One dataset, which appears under its name when it is complete."""
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    # Absolute, for Minari measures its files by joining a relative folder to itself.
    part = folder.absolute().with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    labels: list[dict[str, Any]] = []

    def buffers() -> Iterator[EpisodeBuffer]:
        for label, episode in _labelled(config, journal, seeds, steps):
            labels.append(label)
            yield EpisodeBuffer(
                seed=label.pop("seed"),
                observations=episode.observations,  # pyright: ignore[reportArgumentType]
                actions=episode.actions,  # pyright: ignore[reportArgumentType]
                rewards=episode.rewards,  # pyright: ignore[reportArgumentType]
                terminations=episode.terminations,  # pyright: ignore[reportArgumentType]
                truncations=episode.truncations,  # pyright: ignore[reportArgumentType]
            )

    env = environment(config)
    spaces = _spaces(env, journal.layout)
    try:
        (part / "data").mkdir(parents=True)
        storage = MinariStorage.new(
            part / "data",
            observation_space=spaces[0],
            action_space=spaces[1],
            env_spec=env.spec,
            data_format="hdf5",
            **({} if isinstance(journal.layout, Layout) else EXACT),
        )
        storage.update_episodes(buffers())
        storage.update_episode_metadata(labels)
        identity = f"{config.task}/{folder.name}"
        storage.update_metadata(_about(identity, run, config, journal, seeds))
        part.rename(folder)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror or error}",
            "free some space, or choose another --output",
        ) from error
    finally:
        env.close()
        shutil.rmtree(part, ignore_errors=True)


def _spaces(env: gymnasium.Env, layout: Layout | FrameLayout) -> tuple[Space, Space]:
    """Those of the journal's numbers, or of the environment's frames."""
    if not isinstance(layout, Layout):
        return env.observation_space, env.action_space
    observation = Box(-np.inf, np.inf, (layout.observation_size,), np.float32)
    return observation, Box(-1.0, 1.0, (layout.action_size,), np.float32)


def _labelled(
    config: RunConfig, journal: Journal, seeds: Sequence[int], steps: int
) -> Iterator[tuple[dict[str, Any], Episode]]:
    """Every episode with what is said about it.

    `seed` is that of Minari, to reset the environment with; None where it is not known: in what was
    given to a run before its first env step, and where an episode is a life.
    """
    lives = getattr(config.algorithm, "life_ends", False)
    for seed in seeds:
        lane, number = journal.seeds.index(seed), 0
        for episode in episodes(_lane(journal, lane, steps), journal.layout):
            own = episode.start >= config.given_transitions
            known = own and not lives
            reset = Randomness((seed,)).integers("environment", number)[0] if known else None
            number += own
            label = {"run_seed": seed, "start": episode.start, "end": episode.end}
            yield {"seed": reset, **label}, episode


def _lane(journal: Journal, lane: int, steps: int) -> Iterable[np.ndarray]:
    return (rows[:, lane].copy() for rows in journal.chunks(0, steps))


def _about(
    identity: str, run: Path, config: RunConfig, journal: Journal, seeds: Sequence[int]
) -> dict[str, Any]:
    stored = read_json(run / "config.json")
    own = {
        "config": to_dict(config) | {"seeds": list(seeds)},
        "task": config.task,
        "action_repeat": config.action_repeat,
        "discount": config.algorithm.discount,
        "segment_steps": journal.segment_steps,
        "run": run.name,
        "commit": stored.get("commit") or commit(),
        "versions": stored.get("versions", {}),
    }
    return {
        "dataset_id": identity,
        "minari_version": version("minari"),
        "algorithm_name": config.agent,
        "description": f"Training experience of {config.agent} on {config.task}, in order: all "
        f"transitions of seed {' '.join(map(str, seeds))}, exploration included.",
        "requirements": [f"primacy=={version('primacy')}"],
        KEY: json.loads(json.dumps(own)),
    }
