"""The real `d4rl` package as the simulator of an AntMaze task, on a current MuJoCo.

d4rl imports `mujoco_py`, the bindings of MuJoCo 2.1.0, which no longer install. A stand-in with the
few calls that d4rl makes takes their place. docs/antmaze.md says how to install d4rl.
"""

# MuJoCo's names come from compiled modules without types.
# pyright: reportAttributeAccessIssue=false

import contextlib
import importlib
import io
import os
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import mujoco
import numpy as np

from primacy.envs.antmaze_model import as_in_mujoco_210, forward_as_in_mujoco_210
from primacy.envs.faults import Unsupported


class MjSimState(NamedTuple):
    """A state as mujoco_py names it."""

    time: float
    qpos: np.ndarray  # [15]
    qvel: np.ndarray  # [14]
    act: Any
    udd_state: Any


class _Data:
    """MjData with the one accessor of mujoco_py that d4rl calls."""

    def __init__(self, data: mujoco.MjData) -> None:
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def get_body_xpos(self, name: str) -> np.ndarray:
        """Position of a body [3], in metres."""
        return self._data.body(name).xpos


class MjSim:
    """A model and its state, stepped in place, as mujoco_py's class of this name."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self.model = model
        self._data = mujoco.MjData(model)
        self.data = _Data(self._data)
        self.forward()

    def reset(self) -> None:
        """To the model's initial state."""
        mujoco.mj_resetData(self.model, self._data)

    def forward(self) -> None:
        """Compute what follows from positions and velocities."""
        forward_as_in_mujoco_210(self.model, self._data)

    def step(self) -> None:
        """One simulator step."""
        mujoco.mj_step(self.model, self._data)

    def get_state(self) -> MjSimState:
        """Copies of time, positions and velocities."""
        data = self._data
        return MjSimState(data.time, data.qpos.copy(), data.qvel.copy(), None, {})

    def set_state(self, state: MjSimState) -> None:
        """Write time, positions and velocities; nothing is computed from them yet."""
        self._data.time = state.time
        self._data.qpos[:] = state.qpos
        self._data.qvel[:] = state.qvel


def load_model_from_path(path: str) -> mujoco.MjModel:
    """The model in a file of d4rl's, corrected to be that of MuJoCo 2.1.0."""
    model = mujoco.MjModel.from_xml_path(path)
    as_in_mujoco_210(model)
    return model


def stand_in() -> ModuleType:
    """A module to put in the place of mujoco_py."""
    module: Any = ModuleType("mujoco_py")
    module.get_version = lambda: "2.1.0"
    module.load_model_from_path = load_model_from_path
    module.MjSim = MjSim
    module.MjSimState = MjSimState
    return module


class D4RL:
    """One task of d4rl, driven as antmaze.Simulator demands."""

    def __init__(self, task: str) -> None:
        """Raises Unsupported where d4rl, or a version of gym that it works with, is missing."""
        gym = import_gym()
        with _quiet():
            self._env: Any = gym.make(task)
        self._ant: Any = self._env.unwrapped.wrapped_env
        self._sim: Any = self._ant.sim

    @property
    def goal(self) -> np.ndarray:
        """Where the goal of this episode lies, (x, y) in metres."""
        return np.asarray(self._ant.target_goal)

    @property
    def data(self) -> mujoco.MjData:
        """The simulator's state."""
        return self._sim._data

    def reset(self, generator: np.random.Generator) -> np.ndarray:
        """Begin an episode as d4rl draws it: the observation, float64 [29].

        d4rl takes starts from its own stream and goals from NumPy's global one; both are seeded
        here, and the global one is afterwards what it was.
        """
        start, goal = generator.integers(2**31, size=2).tolist()
        before = np.random.get_state()
        np.random.seed(goal)
        try:
            with _quiet():
                self._ant.seed(start)
                return np.array(self._env.reset(), dtype=np.float64)
        finally:
            np.random.set_state(before)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool]:
        """One control step of 0.1 s: observation float64 [29], reward, terminated."""
        with _quiet():
            observation, reward, done, info = self._env.step(action)
        terminated = bool(done) and not info.get("TimeLimit.truncated", False)
        return np.array(observation, dtype=np.float64), float(reward), terminated


def import_gym() -> Any:
    """The module `gym` with d4rl's tasks in it. Raises Unsupported where that cannot be had."""
    sys.modules.setdefault("mujoco_py", stand_in())
    os.environ.setdefault("D4RL_SUPPRESS_IMPORT_ERROR", "1")
    try:
        with _quiet():
            gym = importlib.import_module("gym")
            importlib.import_module("d4rl.locomotion")
    except ImportError as error:
        raise Unsupported(
            f"backend d4rl: {error}",
            "pip install h5py tqdm, then pip install --no-deps d4rl gym==0.23.1 gym-notices",
        ) from error
    if gym.__version__ != "0.23.1":
        raise Unsupported(
            f"backend d4rl needs gym 0.23.1, not {gym.__version__}",
            "pip install --no-deps gym==0.23.1",
        )
    return gym


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """d4rl prints each goal, and gym its own end of life; neither is of use to anyone here."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
