"""Minari, loaded on demand, and what its datasets must be for us to read them.

Minari (Farama Foundation) keeps offline datasets as episodes in HDF5 beside a metadata.json.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, Space

from primacy.replay.episodes import Episode
from primacy.replay.frame_layout import FrameLayout
from primacy.replay.layout import Layout
from primacy.runs.errors import UserError

KEY = "primacy"
"""Under it, a dataset's metadata.json holds what a run folder needs and Minari has no word for."""

METADATA = "metadata.json"

DAMAGE = (OSError, ValueError, LookupError, TypeError, AssertionError, AttributeError, RuntimeError)
DAMAGE = (*DAMAGE, ImportError, gymnasium.error.Error)
"""What Minari and h5py raise for damaged datasets, which they use without looking at them."""


def load() -> Any:
    """The package minari. Raises UserError where it, or its HDF5 storage, is not installed."""
    try:
        import h5py  # noqa: F401
        import minari
    except ImportError as error:
        raise UserError(
            f"experience is exchanged by the package minari: {error}",
            "pip install 'primacy[minari]'",
        ) from error
    return minari


def find(paths: tuple[Path, ...]) -> list[Path]:
    """The data folders of all datasets at or below `paths`. Raises UserError where one has none."""
    found = []
    for path in paths:
        below = sorted(file.parent for file in path.rglob(METADATA)) if path.is_dir() else []
        if not below:
            raise UserError(
                f"{path} holds no Minari dataset: there is no {METADATA} in or below it",
                "give a folder of `primacy export`, or a dataset's own (~/.minari/datasets/ID)",
            )
        found += below
    return list(dict.fromkeys(found))


class Dataset:
    """A dataset that can become a journal: observations [O] and actions [A] in [-1, 1], or frames
    uint8 and such actions or choices."""

    def __init__(self, path: Path) -> None:
        """Raises UserError for a damaged dataset, and for spaces that no journal can hold."""
        minari = load()
        self.path = path
        with self._faults():
            self._data = minari.MinariDataset(path)
            self.identity: str = self._data.id
            self.about: dict[str, Any] = self._data.storage.metadata.get(KEY, {})
            self.labels: list[dict[str, Any]] = list(
                self._data.storage.get_episode_metadata(range(self._data.total_episodes))
            )
            self.steps = sum(int(label["total_steps"]) for label in self.labels)
            promised = int(self._data.total_steps)
        if self.steps != promised or not promised:
            raise self._refuse(f"holds {self.steps:,} of {promised:,} steps", "copy it again")
        known = {"config", "task", "action_repeat", "segment_steps"} <= self.about.keys()
        if self.about and not (known and all("run_seed" in label for label in self.labels)):
            raise self._refuse("lacks what `primacy export` wrote about it", "export it again")
        self.layout = self._layout(self._data.observation_space, self._data.action_space)

    @property
    def choices(self) -> int | None:
        """How many actions there are to choose from; None for actions that are numbers."""
        space = self._data.action_space
        return int(space.n) if isinstance(space, Discrete) else None

    def _layout(self, observation: Space, action: Space) -> Layout | FrameLayout:
        if isinstance(observation, Box) and observation.dtype == np.uint8:
            if len(observation.shape) not in (2, 3):
                raise self._refuse(
                    f"has frames of {observation.shape}", "a frame is [H, W] or [C, H, W]"
                )
            acted = None if isinstance(action, Discrete) else self._acted(action)
            return FrameLayout(observation.shape, acted)
        return Layout(_size(self, "observations", observation), self._acted(action))

    def _acted(self, space: Space) -> int:
        size = _size(self, "actions", space)
        if isinstance(space, Box) and not (np.all(space.low == -1) and np.all(space.high == 1)):
            raise self._refuse("has actions outside [-1, 1]", "rescale its actions to [-1, 1]")
        return size

    def episodes(self, seed: int | None = None) -> Iterator[Episode]:
        """Its episodes in order, of one run seed or all, in the numbers of a journal.

        Raises UserError for numbers that are not finite and for parts that do not fit together.
        """
        start = 0
        for number, label in enumerate(self.labels):
            if seed is not None and label.get("run_seed") != seed:
                continue
            with self._faults():
                found = next(iter(self._data.storage.get_episodes([number])))
            episode = self._episode(number, found, start)
            start += len(episode)
            yield episode

    def _episode(self, number: int, found: dict[str, Any], start: int) -> Episode:
        steps, layout = int(self.labels[number]["total_steps"]), self.layout
        seen, acted, look, act = _numbers(layout)
        with np.errstate(over="ignore"):
            episode = Episode(
                start,
                np.asarray(found["observations"], dtype=look),
                np.asarray(found["actions"], dtype=act),
                np.asarray(found["rewards"], dtype=np.float32),
                np.asarray(found["terminations"], dtype=bool),
                np.asarray(found["truncations"], dtype=bool),
            )
        shapes = (
            (episode.observations, (steps + 1, *seen)),
            (episode.actions, (steps, *acted)),
            *((part, (steps,)) for part in (episode.rewards, episode.terminations)),
            (episode.truncations, (steps,)),
        )
        if any(part.shape != shape for part, shape in shapes):
            raise self._refuse(
                f"has parts of unequal length in episode {number}", "it is damaged: copy it again"
            )
        parts = (episode.observations, episode.actions, episode.rewards)
        if not all(np.isfinite(part).all() for part in parts):
            raise self._refuse(
                f"has numbers that are not finite in episode {number}", "leave that episode out"
            )
        if (episode.terminations | episode.truncations)[:-1].any():
            raise self._refuse(
                f"goes on after the end of episode {number}", "split it where episodes end"
            )
        return episode

    def _refuse(self, what: str, hint: str) -> UserError:
        return UserError(f"{self.path} {what}", hint)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except DAMAGE as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise self._refuse(
                f"cannot be read as a Minari dataset: {reason}", "copy or download it again"
            ) from error


def _numbers(layout: Layout | FrameLayout) -> tuple[tuple[int, ...], tuple[int, ...], type, type]:
    """Shapes of an observation and an action, and the types of their numbers."""
    if isinstance(layout, Layout):
        return (layout.observation_size,), (layout.action_size,), np.float32, np.float32
    if layout.action_size is None:
        return layout.frame, (), np.uint8, np.int64
    return layout.frame, (layout.action_size,), np.uint8, np.float32


def _size(dataset: Dataset, what: str, space: Space) -> int:
    """Numbers in a flat space of floats. Raises UserError for any other."""
    if isinstance(space, Box) and len(space.shape) == 1 and space.dtype in (np.float32, np.float64):
        return space.shape[0]
    raise UserError(
        f"{dataset.path} has {what} of {type(space).__name__}{space.shape or ''}, "
        "not flat vectors of floats",
        "only such datasets and those of frames uint8 become a journal; flatten dictionaries first",
    )
