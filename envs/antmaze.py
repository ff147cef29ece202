"""AntMaze as D4RL defines it (version 2 of the tasks), as a Gymnasium environment.

Fu et al. 2020, "D4RL: Datasets for Deep Data-Driven Reinforcement Learning". Physics, start, goal,
reward and ends are those of d4rl/locomotion/ant.py, goal_reaching_env.py and maze_env.py. It is not
gymnasium-robotics' AntMaze, whose ant, maze origin, noise, time step and observation are others.
"""

# MuJoCo's names come from compiled modules without types.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable
from typing import Any, Protocol

import gymnasium
import mujoco
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box

from primacy.envs.antmaze_model import (
    SUBSTEPS,
    TORQUE,
    as_in_mujoco_210,
    forward_as_in_mujoco_210,
    mjcf,
    require_mujoco,
)
from primacy.envs.antmaze_tasks import TASKS, Maze
from primacy.envs.faults import ActionFault, EnvironmentFault, Unsupported

RADIUS = 0.5
"""An ant this near to the goal, in metres, has reached it."""

OBSERVATION = 29
ACTION = 8

_DIVERGED = (
    mujoco.mjtWarning.mjWARN_BADQPOS,
    mujoco.mjtWarning.mjWARN_BADQVEL,
    mujoco.mjtWarning.mjWARN_BADQACC,
)


class Simulator(Protocol):
    """What an episode is played on."""

    @property
    def goal(self) -> np.ndarray:
        """Where the goal of this episode lies, (x, y) in metres."""
        ...

    @property
    def data(self) -> mujoco.MjData:
        """The simulator's state."""
        ...

    def reset(self, generator: np.random.Generator) -> np.ndarray:
        """Begin an episode: the observation, float64 [29]."""
        ...

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool]:
        """One control step of 0.1 s: observation float64 [29], reward, terminated."""
        ...


class Physics:
    """The ant in a maze, on MuJoCo alone."""

    def __init__(self, maze: Maze) -> None:
        require_mujoco()
        self.model = mujoco.MjModel.from_xml_string(mjcf(maze))
        as_in_mujoco_210(self.model)
        self.data = mujoco.MjData(self.model)
        self.goal = np.zeros(2)
        self._cell = np.array(maze.goal)

    def reset(self, generator: np.random.Generator) -> np.ndarray:
        """Begin an episode: the observation, float64 [29].

        The goal lies U(0, 1) + U(0, 0.5) from its cell's centre on each axis, never below 0; the
        start is the initial pose (quaternion too) + U(-0.1, 0.1), with speeds 0.1 x N(0, 1).
        """
        offset = generator.uniform(0.0, 1.0, 2) + generator.uniform(0.0, 0.5, 2)
        goal = np.maximum(self._cell + offset, 0.0)
        qpos = self.model.qpos0 + generator.uniform(-0.1, 0.1, self.model.nq)
        qvel = 0.1 * generator.standard_normal(self.model.nv)
        return self.place(qpos, qvel, goal)

    def place(self, qpos: np.ndarray, qvel: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Begin an episode in a state of one's own: qpos [15], qvel [14], goal [2]."""
        mujoco.mj_resetData(self.model, self.data)
        self.goal = np.array(goal, dtype=np.float64)
        self.data.qpos[:], self.data.qvel[:] = qpos, qvel
        forward_as_in_mujoco_210(self.model, self.data)
        return self.observation()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool]:
        """One control step of 0.1 s: observation float64 [29], reward, terminated."""
        # In the order and the precision of d4rl's NormalizedBoxEnv, so that float32 rounds alike.
        low, high = np.float32(-TORQUE), np.float32(TORQUE)
        self.data.ctrl[:] = (low + (action + 1.0) * 0.5 * (high - low)).clip(low, high)
        mujoco.mj_step(self.model, self.data, SUBSTEPS)
        reached = bool(np.linalg.norm(self.data.qpos[:2] - self.goal) <= RADIUS)
        return self.observation(), float(reached), reached

    def observation(self) -> np.ndarray:
        """Positions (x, y, z, quaternion, 8 joints) and velocities, float64 [29]; not the goal."""
        return np.concatenate([self.data.qpos, self.data.qvel])


def _physics(task: str) -> Simulator:
    return Physics(TASKS[task].maze)


def _d4rl(task: str) -> Simulator:
    from primacy.envs.antmaze_d4rl import D4RL

    require_mujoco()
    return D4RL(task)


BACKENDS: dict[str, Callable[[str], Simulator]] = {"mujoco": _physics, "d4rl": _d4rl}


class AntMaze(gymnasium.Env):
    """One task: observations float32 [29], actions [8] in [-1, 1], reward 1 at the goal, else 0.

    `terminated` at the goal; at the time limit (700 control steps of 0.1 s in the umaze, else 1000)
    `truncated`. A return is therefore 1 for a success and 0 for a failure; info["success"] says so
    too. The episode that begins with `reset(seed=k)` is a function of k and the actions.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    reward_bound = 1.0
    """Largest reward of a control step."""

    def __init__(
        self,
        task: str,
        action_repeat: int = 1,
        backend: str = "mujoco",
        render_mode: str | None = "rgb_array",
        camera: str = "overview",
        size: tuple[int, int] = (240, 320),
    ) -> None:
        """`backend` is "mujoco" for our own model, or "d4rl" for the package of that name.

        `size` of pictures is (height, width) in pixels, `camera` overview or follow. Raises
        Unsupported for another backend or version of MuJoCo, or where d4rl cannot be imported.
        """
        if action_repeat < 1:
            raise ValueError(f"action_repeat is {action_repeat}, and must be at least 1")
        if backend not in BACKENDS:
            raise Unsupported(f"unknown backend {backend!r}", f"choose {' or '.join(BACKENDS)}")
        self.simulator = BACKENDS[backend](task)
        self.action_repeat = action_repeat
        self.camera = camera
        self.size = size
        self.render_mode = render_mode
        self.metadata = self.metadata | {"render_fps": max(1, round(10 / action_repeat))}
        options: dict[str, Any] = {"task": task, "action_repeat": action_repeat}
        options |= {"backend": backend, "camera": camera, "size": size}
        self.spec = EnvSpec(task, entry_point="primacy.envs.antmaze:AntMaze", kwargs=options)
        self.observation_space = Box(-np.inf, np.inf, (OBSERVATION,), np.float32)
        self.action_space = Box(-1.0, 1.0, (ACTION,), np.float32)
        self.episode_frames: int | None = TASKS[task].limit
        self._maze = TASKS[task].maze
        self._elapsed: int | None = None
        """Control steps of the episode, None outside of one."""
        self._view: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode; without a seed, the next one of the stream of the last seed."""
        super().reset(seed=seed)
        observation = self.simulator.reset(self.np_random)
        self._elapsed = 0
        return observation.astype(np.float32), {"frames": 0, "success": False}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """`action_repeat` control steps, or fewer at the end; info["frames"] counts them.

        Raises ActionFault for a wrong shape or a number that is not finite, EnvironmentFault where
        the simulation diverges, ResetNeeded after an end.
        """
        action = np.asarray(action)
        if action.shape != (ACTION,) or not np.isfinite(action).all():
            raise ActionFault(
                f"{self._name} takes an action of shape {(ACTION,)} with finite numbers, "
                f"not one of shape {action.shape}: {action}",
                "the policy belongs to another task or has diverged",
            )
        if self._elapsed is None:
            raise ResetNeeded(f"the episode of {self._name} is over or has not begun: call reset")
        action = action.clip(-1.0, 1.0)
        limit = self._elapsed + self.action_repeat
        if self.episode_frames is not None:
            limit = min(limit, self.episode_frames)
        reward, frames = 0.0, 0
        while True:
            observation, gained, terminated = self.simulator.step(action)
            reward += gained
            frames += 1
            self._elapsed += 1
            if terminated or self._elapsed == limit:
                break
        self._demand_sound()
        truncated = not terminated and self._elapsed == self.episode_frames
        if terminated or truncated:
            self._elapsed = None
        info = {"frames": frames, "success": terminated}
        return observation.astype(np.float32), reward, terminated, truncated, info

    def render(self) -> np.ndarray:
        """The maze, the ant and the goal as uint8 [H, W, 3]. Raises RenderFault without OpenGL."""
        if self._view is None:
            from primacy.envs.antmaze_view import View

            self._view = View(mjcf(self._maze), self.size, self.camera)
        return self._view.draw(self.simulator.data.qpos, self.simulator.goal)

    def close(self) -> None:
        """Free the OpenGL contexts."""
        if self._view is not None:
            self._view.close()
            self._view = None

    @property
    def _name(self) -> str:
        return self.spec.id if self.spec else type(self).__name__

    def _demand_sound(self) -> None:
        # MuJoCo resets a state that diverges and goes on as if nothing had been.
        warning = self.simulator.data.warning
        if any(warning[kind].number for kind in _DIVERGED):
            raise EnvironmentFault(
                f"the simulation of {self._name} diverged",
                "the simulator is at fault, not the agent: try another seed",
            )
