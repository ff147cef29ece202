"""Reference states of AntMaze from MuJoCo 2.1.0 itself, under the real d4rl: the tests' data.

    python benchmarks/antmaze_reference.py mujoco210 tests/data/antmaze_mujoco210.npz

The binaries are those of DeepMind's release, which the wheel of free-mujoco-py carries. Beside a
working installation of primacy (numpy, h5py, tqdm), with gcc:

    pip download --no-deps --ignore-requires-python free-mujoco-py==2.1.6
    unzip free_mujoco_py-2.1.6-*.whl 'mujoco_py/binaries/linux/mujoco210/*'
    mv mujoco_py/binaries/linux/mujoco210 .
    pip install --target d4rl_site --no-deps d4rl==1.1 gym==0.23.1 gym-notices
    PYTHONPATH=d4rl_site python benchmarks/antmaze_reference.py mujoco210 OUTPUT

d4rl's own Python code makes the model, resets, steps and rewards. In the place of mujoco_py, which
no longer builds without effort, a few lines of C hand the arrays of libmujoco210nogl.so to NumPy.
Written per maze: K windows of L control steps, states float64 before each step and after the last
(qpos [K, L + 1, 15], qvel and qacc_warmstart [K, L + 1, 14]) and actions [K, L, 8] in [-1, 1]; and
initial states as they were written (raw_*) and as MuJoCo holds them after its forward pass (set_*).
"""

import argparse
import contextlib
import ctypes
import io
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from primacy.envs import antmaze_d4rl

SHIM = r"""
#include "mujoco.h"
mjModel* load(const char* path, char* error, int size) { return mj_loadXML(path, 0, error, size); }
mjData* make(const mjModel* m) { return mj_makeData(m); }
int version(void) { return mj_version(); }
void reset(const mjModel* m, mjData* d) { mj_resetData(m, d); }
void forward(const mjModel* m, mjData* d) { mj_forward(m, d); }
void step(const mjModel* m, mjData* d) { mj_step(m, d); }
int torso(const mjModel* m) { return mj_name2id(m, mjOBJ_BODY, "torso"); }
int sizes(const mjModel* m, int i) { int n[] = {m->nq, m->nv, m->nu, m->nbody}; return n[i]; }
double timestep(const mjModel* m) { return m->opt.timestep; }
double* array(const mjModel* m, mjData* d, int i) {
  double* a[] = {d->qpos, d->qvel, d->qacc_warmstart, d->ctrl, d->cfrc_ext, d->xpos,
                 m->actuator_ctrlrange, m->body_mass, m->body_inertia};
  return a[i];
}
"""
MAZES = {"umaze": "antmaze-umaze-v2", "medium": "antmaze-medium-play-v2"}
MAZES |= {"large": "antmaze-large-play-v2"}
WINDOWS = (0, 60, 150)
"""Control steps of an episode at which a window begins."""
AT_WALLS = ((-1.05, 0.0, -2.0, 0.0), (0.3, -1.05, 0.0, -1.5), (-1.0, -1.0, -1.0, -1.5))
"""Starts (x, y) beside walls, in metres, with speeds (x, y) towards them."""
STEPS = 33


def library(mujoco210: Path) -> ctypes.CDLL:
    """The shim over MuJoCo 2.1.0, compiled into a temporary folder."""
    folder = Path(tempfile.mkdtemp())
    (folder / "shim.c").write_text(SHIM)
    binaries = (mujoco210 / "bin").resolve()
    command = ["gcc", "-O1", "-shared", "-fPIC", "-o", str(folder / "shim.so")]
    command += [str(folder / "shim.c"), f"-I{mujoco210 / 'include'}", f"-L{binaries}"]
    command += ["-lmujoco210nogl", f"-Wl,-rpath,{binaries}"]
    subprocess.run(command, check=True)
    found = ctypes.CDLL(str(folder / "shim.so"))
    pointer = ctypes.c_void_p
    found.load.restype = found.make.restype = pointer
    found.load.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
    found.timestep.restype = ctypes.c_double
    found.array.restype = ctypes.POINTER(ctypes.c_double)
    found.array.argtypes = [pointer, pointer, ctypes.c_int]
    for name in ("make", "torso", "timestep"):
        getattr(found, name).argtypes = [pointer]
    for name in ("reset", "forward", "step"):
        getattr(found, name).argtypes = [pointer, pointer]
    found.sizes.argtypes = [pointer, ctypes.c_int]
    return found


class Model:
    """A model of MuJoCo 2.1.0, with what gym reads of one."""

    def __init__(self, lib: ctypes.CDLL, path: str) -> None:
        error = ctypes.create_string_buffer(1000)
        self.lib = lib
        self.pointer = lib.load(path.encode(), error, len(error))
        if not self.pointer:
            raise SystemExit(f"MuJoCo 2.1.0 cannot read {path}: {error.value.decode()}")
        self.nq, self.nv, self.nu, self.nbody = (lib.sizes(self.pointer, i) for i in range(4))
        self.opt = SimpleNamespace(timestep=lib.timestep(self.pointer))
        self.state = lib.make(self.pointer)
        self.actuator_ctrlrange = self.array(6, self.nu, 2)

    def array(self, which: int, *shape: int) -> np.ndarray:
        """One of the shim's arrays, without a copy."""
        return np.ctypeslib.as_array(self.lib.array(self.pointer, self.state, which), shape)


class Sim:
    """mujoco_py's MjSim on MuJoCo 2.1.0."""

    def __init__(self, model: Model) -> None:
        self.model = model
        array = model.array
        data = SimpleNamespace(qpos=array(0, model.nq), qvel=array(1, model.nv), time=0.0)
        data.qacc_warmstart, data.ctrl = array(2, model.nv), array(3, model.nu)
        data.cfrc_ext, xpos = array(4, model.nbody, 6), array(5, model.nbody, 3)
        data.get_body_xpos = lambda name: xpos[model.lib.torso(model.pointer)]
        self.data: Any = data
        self.forward()

    def _call(self, name: str) -> None:
        getattr(self.model.lib, name)(self.model.pointer, self.model.state)

    def reset(self) -> None:
        self._call("reset")

    def forward(self) -> None:
        self._call("forward")

    def step(self) -> None:
        self._call("step")

    def get_state(self) -> antmaze_d4rl.MjSimState:
        data = self.data
        return antmaze_d4rl.MjSimState(0.0, data.qpos.copy(), data.qvel.copy(), None, {})

    def set_state(self, state: antmaze_d4rl.MjSimState) -> None:
        self.data.qpos[:], self.data.qvel[:] = state.qpos, state.qvel


def state(data: Any) -> dict[str, np.ndarray]:
    names = {"qpos": "qpos", "qvel": "qvel", "warmstart": "qacc_warmstart"}
    return {short: getattr(data, name).copy() for short, name in names.items()}


def window(env: Any, data: Any, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """STEPS control steps of uniform actions from where the environment stands."""
    states, actions = [state(data)], []
    for _ in range(STEPS):
        actions.append(generator.uniform(-1.0, 1.0, 8))
        env.step(actions[-1])
        states.append(state(data))
    found = {name: np.array([each[name] for each in states]) for name in states[0]}
    return found | {"action": np.array(actions)}


def reference(gym: Any, task: str, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """The windows and initial states of one maze, by name."""
    with contextlib.redirect_stdout(io.StringIO()):  # d4rl prints every goal
        return _reference(gym.make(task), generator)


def _reference(env: Any, generator: np.random.Generator) -> dict[str, np.ndarray]:
    ant = env.unwrapped.wrapped_env
    ant.seed(0)
    data = ant.sim.data
    windows, starts = [], []
    for skip in WINDOWS:
        env.reset()
        for _ in range(skip):
            env.step(generator.uniform(-1.0, 1.0, 8))
        windows.append(window(env, data, generator))
    for place in AT_WALLS:
        env.reset()
        raw = ant.init_qpos + generator.uniform(-0.1, 0.1, 15)
        speed = 0.1 * generator.standard_normal(14)
        raw[:2], speed[:2] = place[:2], place[2:]
        ant.set_state(raw, speed)
        starts.append({"raw_qpos": raw, "raw_qvel": speed})
        starts[-1] |= {f"set_{name}": value for name, value in state(data).items()}
        windows.append(window(env, data, generator))
    return {name: np.array([each[name] for each in windows]) for name in windows[0]} | {
        name: np.array([each[name] for each in starts]) for name in starts[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mujoco210", type=Path, help="the unpacked folder, with bin/ and include/")
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    lib = library(options.mujoco210)
    module: Any = antmaze_d4rl.stand_in()
    module.load_model_from_path = lambda path: Model(lib, path)
    module.MjSim = Sim
    sys.modules["mujoco_py"] = module
    gym = antmaze_d4rl.import_gym()
    np.random.seed(0)
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {"mujoco_version": np.array(lib.version())}
    for maze, task in MAZES.items():
        found = reference(gym, task, generator)
        arrays |= {f"{maze}/{name}": value for name, value in found.items()}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(options.output, **arrays)
    print(f"{options.output}: {options.output.stat().st_size:,} bytes, MuJoCo {lib.version()}")


if __name__ == "__main__":
    main()
