"""DeepMind Control suite tasks as Gymnasium environments on flat observations.

Tassa et al. 2018, "DeepMind Control Suite". Importing this module imports dm_control, without
OpenGL.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box

from primacy.envs import opengl
from primacy.envs.faults import ActionFault, EnvironmentFault

# Otherwise dm_control loads OpenGL, or fails to: nothing is drawn yet.
with opengl.setting(MUJOCO_GL="disable"):
    from dm_control import suite
    from dm_control.rl.control import PhysicsError

# Model arrays that are large and that nothing writes to: bounding volumes, shapes and pictures.
_CONSTANT = ("bvh_", "flex", "mesh_", "oct_", "skin_", "tex_")


def tasks() -> tuple[str, ...]:
    """Every task of the suite as "domain-task"."""
    return tuple(f"{domain}-{task}" for domain, task in sorted(suite.ALL_TASKS))


class DMC(gymnasium.Env):
    """One task: observations float32 [O] in dm_control's order, actions float32 [A] in [-1, 1].

    `terminated` only where dm_control's discount is 0; a time limit is `truncated`. The episode
    that begins with `reset(seed=k)` is a function of k and the actions, whatever went before, and
    the one that dm_control itself gives for `random=k`. lqr draws its springs when it is built:
    here they are always those of `random=0`, so that all seeds share one system.
    """

    metadata = {"render_modes": ["rgb_array"]}
    reward_bound = 1.0
    """Largest reward of a simulator frame."""

    def __init__(
        self,
        domain: str,
        task: str,
        action_repeat: int = 1,
        render_mode: str | None = "rgb_array",
        camera: int | None = None,
        size: tuple[int, int] = (240, 320),
    ) -> None:
        """`size` of pictures is (height, width) in pixels; the default camera is 2 for the
        quadruped and 0 elsewhere."""
        if action_repeat < 1:
            raise ValueError(f"action_repeat is {action_repeat}, and must be at least 1")
        with _without_deprecations():
            self._env: Any = suite.load(domain, task, task_kwargs={"random": 0})
        self._physics = self._env.physics
        self._physics._contexts = opengl.NoScreen()
        self._written = _writable_arrays(self._physics.model.ptr)
        self.action_repeat = action_repeat
        self.camera = camera if camera is not None else (2 if domain == "quadruped" else 0)
        self.size = size
        self.render_mode = render_mode
        fps = round(1.0 / (self._env.control_timestep() * action_repeat))
        self.metadata = self.metadata | {"render_fps": fps}
        options = {"domain": domain, "task": task, "action_repeat": action_repeat}
        options |= {"camera": camera, "size": size}
        self.spec = EnvSpec(f"{domain}-{task}", entry_point="primacy.envs.dmc:DMC", kwargs=options)
        parts = self._env.observation_spec().values()
        length = sum(int(np.prod(part.shape)) for part in parts)
        self.observation_space = Box(-np.inf, np.inf, (length,), np.float32)
        self._centre, self._reach = _control_range(self._env.action_spec())
        self.action_space = Box(-1.0, 1.0, self._centre.shape, np.float32)
        limit = self._env._step_limit
        self.episode_frames = None if np.isinf(limit) else int(np.ceil(limit))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode; without a seed, that of a seed drawn from Gymnasium's own stream."""
        super().reset(seed=seed)
        if seed is None:
            seed = int(self.np_random.integers(2**31))
        self._env.task._random = np.random.RandomState(seed)
        # Whatever was written to the model since it was made, by its task or a user, is undone.
        for array, pristine in self._written:
            array[...] = pristine
        step = self._simulate(self._env.reset)
        return _flat(step.observation), {"frames": 0}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """`action_repeat` frames, or fewer at the episode's end; info["frames"] counts them.

        The reward is their undiscounted sum. Raises ActionFault for a wrong shape or a number that
        is not finite, EnvironmentFault where the simulation diverges, ResetNeeded after an end.
        """
        action = np.asarray(action, dtype=np.float64)
        if action.shape != self._centre.shape or not np.isfinite(action).all():
            raise ActionFault(
                f"{self._name} takes an action of shape {self._centre.shape} with finite numbers, "
                f"not one of shape {action.shape}: {action}",
                "the policy belongs to another task or has diverged",
            )
        if self._env._reset_next_step:
            raise ResetNeeded(f"the episode of {self._name} is over or has not begun: call reset")
        control = self._centre + self._reach * action.clip(-1.0, 1.0)
        reward, frames = 0.0, 0
        while True:
            step = self._simulate(self._env.step, control)
            reward += float(step.reward)
            frames += 1
            if step.last() or frames == self.action_repeat:
                break
        terminated = step.last() and step.discount == 0.0
        truncated = step.last() and not terminated
        return _flat(step.observation), reward, terminated, truncated, {"frames": frames}

    def render(self) -> np.ndarray:
        """The scene as uint8 [H, W, 3]. Raises RenderFault where no OpenGL can be started."""
        if isinstance(self._physics._contexts, opengl.NoScreen):
            opengl.start()
            buffer = self._physics.model.vis.global_
            buffer.offheight = max(buffer.offheight, self.size[0])
            buffer.offwidth = max(buffer.offwidth, self.size[1])
            self._physics._contexts = None
        return self._physics.render(*self.size, camera_id=self.camera)

    def close(self) -> None:
        """Free the simulator and its OpenGL contexts."""
        self._written = []
        self._physics.free()

    @property
    def _name(self) -> str:
        return self.spec.id if self.spec else type(self).__name__

    def _simulate(self, act: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return act(*arguments)
        except PhysicsError as error:
            raise EnvironmentFault(
                f"the simulation of {self._name} diverged: {error}",
                "the simulator is at fault, not the agent: try another seed",
            ) from error


def _flat(observation: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([part.ravel() for part in observation.values()], dtype=np.float32)


def _control_range(spec: Any) -> tuple[np.ndarray, np.ndarray]:
    """Centre and half width of the controls, float64 [A]; a motor without limits (lqr) gets
    [-1, 1], for dm_control gives it 1e10."""
    limited = spec.maximum < 1e6
    low, high = np.where(limited, spec.minimum, -1.0), np.where(limited, spec.maximum, 1.0)
    return (low + high) / 2.0, (high - low) / 2.0


def _writable_arrays(model: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Every array of a model that a task may write to, with a copy of it."""
    found = []
    for name in dir(model):
        if not name.startswith(("__", *_CONSTANT)):
            array = getattr(model, name)
            if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.size:
                found.append((array, array.copy()))
    return found


@contextmanager
def _without_deprecations() -> Iterator[None]:
    """Drop what MuJoCo says about the suite's own XML, which no user can change."""

    def wanted(record: logging.LogRecord) -> bool:
        return "deprecated" not in record.getMessage()

    logger = logging.getLogger("absl")
    logger.addFilter(wanted)
    try:
        yield
    finally:
        logger.removeFilter(wanted)
