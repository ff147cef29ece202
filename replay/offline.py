"""Offline data: transitions from D4RL's HDF5 files, and from HDF5 or NPZ files with the same keys.

    observations [N, O], actions [N, A], rewards [N], terminals [N], timeouts [N]

Row i + 1 of a file is what row i led to, so the last row of an episode that was cut off, and of the
file, has no next observation and is left out: the rules of d4rl.qlearning_dataset (Fu et al. 2020).
Rewards stay as they are; scale and bias belong to the sampling of an agent.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from primacy.replay.layout import Layout

REQUIRED = ("observations", "actions", "rewards", "terminals")
FLAT = ("rewards", "terminals", "timeouts")
OPTIONAL = ("timeouts", "next_observations")
SLACK = 1e-3
"""Actions may leave [-1, 1] by so much."""
MARGIN = 1e-5
"""Actions are clipped to +-(1 - MARGIN), as IQL and RLPD do: a tanh policy never takes 1."""
GAP = 1e-6
"""A next observation that differs by more from the row that follows it ends a trajectory."""
JUMP = 1.0
"""An (x, y) that changes by more in a step, in metres, is another episode's in AntMaze."""


class DataFault(ValueError):
    """A data set cannot be read or used: str() says what is wrong, `hint` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Statistics:
    """What a file holds, counted on load."""

    rows: int
    transitions: int
    trajectories: int
    terminals: int
    timeouts: int
    successes: int
    """Rows with a reward above 0."""
    unrewarded_terminals: int
    """Terminals with a reward of 0 or less: in old files a time-out may be marked so."""
    jumps: int
    """Transitions, not terminal, that move by more than JUMP in the first two numbers."""
    reward_low: float
    reward_high: float
    clipped: int
    """Actions (numbers, not rows) beyond +-(1 - MARGIN)."""

    def text(self) -> str:
        """These figures in lines for people, with a warning where one of them is suspicious."""
        lines = [
            f"{self.rows:,} rows -> {self.transitions:,} transitions in "
            f"{self.trajectories:,} trajectories",
            f"{self.terminals:,} terminal, {self.timeouts:,} timed out, "
            f"{self.successes:,} with reward above 0 (rewards {self.reward_low:g} to "
            f"{self.reward_high:g}), {self.clipped:,} action numbers clipped",
        ]
        if not self.successes:
            lines.append("warning: no row has a reward above 0")
        if self.unrewarded_terminals:
            lines.append(
                f"warning: {self.unrewarded_terminals:,} terminal rows have no reward: "
                "time-outs may be marked as terminals"
            )
        if self.jumps:
            lines.append(
                f"warning: {self.jumps:,} transitions jump by more than {JUMP:g} m: ends of "
                "episodes may be unmarked"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class Dataset:
    """N transitions in the order of their file; rewards are raw."""

    observation: np.ndarray  # float32 [N, O]
    action: np.ndarray  # float32 [N, A], clipped to +-(1 - MARGIN)
    reward: np.ndarray  # float32 [N]
    terminated: np.ndarray  # bool [N]
    truncated: np.ndarray  # bool [N]: the last of a trajectory, and not terminated
    next_observation: np.ndarray  # float32 [N, O]
    statistics: Statistics

    def __len__(self) -> int:
        """N."""
        return len(self.reward)

    @property
    def mask(self) -> np.ndarray:
        """What bootstrapping is multiplied by, float32 [N]: 1 - terminated."""
        return 1.0 - self.terminated.astype(np.float32)

    @property
    def done(self) -> np.ndarray:
        """The last of each trajectory, bool [N]; used to split, never to stop bootstrapping."""
        return self.terminated | self.truncated

    def rows(self, layout: Layout) -> np.ndarray:
        """All transitions packed for a replay buffer, float32 [N, width]."""
        return layout.pack(
            self.observation,
            self.action,
            self.reward,
            self.terminated,
            self.truncated,
            self.next_observation,
        )


def load(
    path: Path | str,
    observation_size: int | None = None,
    action_size: int | None = None,
    episode_length: int | None = None,
    say: Callable[[str], None] | None = None,
) -> Dataset:
    """The transitions of a file; `say` gets its statistics as text.

    `episode_length` in env steps serves files without timeouts: so many rows without a terminal
    are an episode. (d4rl counts the first row after a terminal twice, and cuts one row early.)

    Raises DataFault, with the path in it, for a file that is missing, of another kind or torn, and
    for what `transitions` refuses.
    """
    path = Path(path)
    try:
        found = transitions(read(path), observation_size, action_size, episode_length)
    except DataFault as fault:
        message = str(fault) if str(path) in str(fault) else f"{path}: {fault}"
        raise DataFault(message, fault.hint) from fault
    if say is not None:
        say(f"{path}: {found.statistics.text()}")
    return found


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file that are needed here, by key, as they are. Raises DataFault."""
    if not path.is_file():
        raise DataFault(f"{path}: no such file", "give the path of an .hdf5 or .npz file")
    with path.open("rb") as file:
        start = file.read(8)
    for magic, reader in READERS.items():
        if start.startswith(magic):
            with _faults_of(path):
                return reader(path)
    raise DataFault(
        f"{path} is neither HDF5 nor NPZ", "give one of D4RL's .hdf5 files, or an .npz of its keys"
    )


@contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise DataFault(
            f"{path} is torn or damaged: {str(error).splitlines()[0]}",
            "fetch or write the file again: it was not complete",
        ) from error


def _read_hdf5(path: Path) -> dict[str, np.ndarray]:
    try:
        import h5py
    except ImportError as error:
        raise DataFault(
            f"{path} is HDF5, and h5py is not installed", "pip install 'primacy[offline]'"
        ) from error
    with h5py.File(path, "r") as file:
        found: dict[str, np.ndarray] = {}
        for key in (*REQUIRED, *OPTIONAL):
            part: Any = file.get(key)
            if isinstance(part, h5py.Dataset):
                found[key] = part[()]
        return found


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        # NumPy leaves a file that it opened itself open when the archive is torn.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {key: file[key] for key in (*REQUIRED, *OPTIONAL) if key in file}
    except ValueError as error:  # of an array of objects, or of a header that makes no sense
        raise DataFault(
            f"{path} holds an array that is not of numbers: {error}",
            "write arrays of float32 or bool",
        ) from error


READERS: dict[bytes, Callable[[Path], dict[str, np.ndarray]]] = {
    b"\x89HDF\r\n\x1a\n": _read_hdf5,
    b"PK": _read_npz,
}
"""First bytes of a file -> what reads it."""


def transitions(
    arrays: Mapping[str, np.ndarray],
    observation_size: int | None = None,
    action_size: int | None = None,
    episode_length: int | None = None,
) -> Dataset:
    """Transitions from the arrays of a file.

    Raises DataFault for a missing key, shapes that do not fit one another or the sizes asked for,
    numbers that are not finite, flags other than 0 and 1, and actions beyond [-1, 1].
    """
    parts = _checked(arrays, observation_size, action_size)
    terminal = parts["terminals"] != 0
    timeout = parts["timeouts"] != 0 if "timeouts" in parts else _counted(terminal, episode_length)
    observation = parts["observations"]
    if "next_observations" in parts:
        kept, following = np.ones(len(terminal), dtype=bool), parts["next_observations"]
    else:
        kept, following = ~timeout, np.roll(observation, -1, axis=0)
        kept[-1] = False
    if not kept.any():
        raise DataFault(
            "no row has a successor: all are time-outs", "timeouts must mark last rows only"
        )
    here, there, ended = observation[kept], following[kept], terminal[kept]
    gap = np.linalg.norm(here[1:] - there[:-1], axis=-1) > GAP
    truncated = (np.append(gap, True) | (timeout[kept])) & ~ended
    limit = np.float32(1.0 - MARGIN)
    action = parts["actions"]
    moved = np.linalg.norm(there[:, :2] - here[:, :2], axis=-1)
    statistics = Statistics(
        rows=len(terminal),
        transitions=len(here),
        trajectories=int((truncated | ended).sum()),
        terminals=int(terminal.sum()),
        timeouts=int(timeout.sum()),
        successes=int((parts["rewards"] > 0).sum()),
        unrewarded_terminals=int((terminal & (parts["rewards"] <= 0)).sum()),
        jumps=int((~ended & (moved > JUMP)).sum()),
        reward_low=float(parts["rewards"].min()),
        reward_high=float(parts["rewards"].max()),
        clipped=int((np.abs(action) > limit).sum()),
    )
    action = action[kept].clip(-limit, limit)
    return Dataset(here, action, parts["rewards"][kept], ended, truncated, there, statistics)


def _checked(
    arrays: Mapping[str, np.ndarray], observation_size: int | None, action_size: int | None
) -> dict[str, np.ndarray]:
    """The arrays as float32, flat ones [N], once all that can be wrong with them is ruled out."""
    missing = [key for key in REQUIRED if key not in arrays]
    if missing:
        held = ", ".join(arrays) or "none of the keys"
        raise DataFault(
            f"no {' and no '.join(missing)} in it (it holds {held})",
            f"a data set has the keys {', '.join(REQUIRED)} and timeouts",
        )
    parts = {key: _numbers(key, arrays[key]) for key in (*REQUIRED, *OPTIONAL) if key in arrays}
    count = len(parts["observations"]) if parts["observations"].ndim else 0
    own = parts["observations"].shape[-1] if parts["observations"].ndim else None
    sizes = {"observations": observation_size, "actions": action_size}
    sizes["next_observations"] = observation_size or own
    for key, part in parts.items():
        size = sizes.get(key)
        wanted = f"({count},)" if key in FLAT else f"({count}, {size or 'any'})"
        sound = part.ndim == (1 if key in FLAT else 2) and len(part) == count
        if not sound or (size is not None and part.shape[1] != size):
            raise DataFault(
                f"{key} have the shape {part.shape}, not {wanted}",
                "the file belongs to another task, or its arrays to different runs",
            )
    if count < 2:
        raise DataFault(f"{count} rows are too few", "a transition takes two rows")
    for key, part in parts.items():
        if not np.isfinite(part).all():
            row = np.argwhere(~np.isfinite(part))[0, 0]
            raise DataFault(f"{key} are not finite in row {row}", "leave that episode out")
    for key in ("terminals", "timeouts"):
        if key in parts and not np.isin(parts[key], (0.0, 1.0)).all():
            raise DataFault(f"{key} are other than 0 and 1", "flags are bool, or 0.0 and 1.0")
    largest = float(np.abs(parts["actions"]).max())
    if largest > 1.0 + SLACK:
        raise DataFault(
            f"actions reach {largest:g}, beyond [-1, 1]", "divide them by the range of the motors"
        )
    return parts


def _numbers(key: str, part: np.ndarray) -> np.ndarray:
    part = np.asarray(part)
    if part.dtype.kind not in "biuf":
        raise DataFault(f"{key} are of type {part.dtype}", "write arrays of float32 or bool")
    # Old files keep a column.
    if key in FLAT and part.ndim == 2 and part.shape[1] == 1:
        part = part[:, 0]
    with np.errstate(over="ignore"):
        return part.astype(np.float32)


def _counted(terminal: np.ndarray, episode_length: int | None) -> np.ndarray:
    """Time-outs of a file without any, bool [N]: each `episode_length` rows without a terminal."""
    if episode_length is None:
        raise DataFault(
            "no timeouts in it, so the ends of its episodes are unknown",
            "say how long an episode is (episode_length), or add timeouts",
        )
    rows = np.arange(len(terminal))
    after = np.where(np.roll(terminal, 1), rows, 0)
    after[0] = 0
    begun = np.maximum.accumulate(after)
    return (rows - begun) % episode_length == episode_length - 1
