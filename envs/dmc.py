"""DeepMind Control suite tasks as Gymnasium environments on flat observations (Tassa et al.
2018)."""

import logging
import os
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box


class RenderFault(RuntimeError):
    """Rendering needs OpenGL, and none could be started."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class ActionFault(ValueError):
    """An action that the environment cannot take."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def _choose_renderer() -> None:
    """EGL renders without a screen; a user's own MUJOCO_GL wins. Nothing is loaded before the first
    render."""
    os.environ.setdefault("MUJOCO_GL", "egl" if _egl_available() else "osmesa")


def _egl_available() -> bool:
    from ctypes.util import find_library

    return find_library("EGL") is not None


def suite() -> ModuleType:
    """dm_control's suite, imported quietly."""
    _choose_renderer()
    # The walker's model makes absl print a deprecation line per environment.
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        from dm_control import suite as loaded
    except (ImportError, AttributeError):
        # Without any OpenGL library the import itself fails; state observations need none.
        os.environ["MUJOCO_GL"] = "disable"
        from dm_control import suite as loaded
    return loaded


class DMC(gymnasium.Env):
    """One task: observations float32 [O] in dm_control's order, actions float32 [A] in [-1, 1].

    `terminated` only where dm_control's discount is 0; a time limit is `truncated`. `reset(seed=k)`
    makes the whole episode a function of k and the actions, whatever went before.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}
    render_mode = "rgb_array"
    reward_bound = 1.0
    """Largest reward of a simulator frame."""

    def __init__(
        self,
        domain: str,
        task: str,
        action_repeat: int = 1,
        camera: int | None = None,
        size: tuple[int, int] = (240, 320),
    ) -> None:
        """`size` is (height, width) in pixels; the default camera is 2 for the quadruped and 0
        elsewhere."""
        self.name = f"{domain}-{task}"
        self.action_repeat = action_repeat
        self.camera = camera if camera is not None else (2 if domain == "quadruped" else 0)
        self.size = size
        self._env = suite().load(domain, task, task_kwargs={"random": 0})
        spec = self._env.action_spec()
        self._low, self._high = spec.minimum.astype(np.float64), spec.maximum.astype(np.float64)
        observation_size = sum(
            int(np.prod(part.shape)) for part in self._env.observation_spec().values()
        )
        self.observation_space = Box(-np.inf, np.inf, (observation_size,), np.float32)
        self.action_space = Box(-1.0, 1.0, spec.shape, np.float32)
        limit = self._env._step_limit
        self.episode_frames = None if np.isinf(limit) else int(np.ceil(limit))
        self._pristine = self._model_arrays(copy=True)

    def _model_arrays(self, copy: bool) -> dict[str, np.ndarray]:
        """The model's float arrays: some tasks randomise them at each reset, starting from what
        they find."""
        model = self._env.physics.model
        found = {}
        for name in dir(model.ptr):
            if not name.startswith("_"):
                value = getattr(model.ptr, name)
                if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
                    found[name] = value.copy() if copy else value
        return found

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode; without a seed it goes on with the task's own random stream."""
        super().reset(seed=seed)
        if seed is not None:
            self._env.task._random = np.random.RandomState(seed % 2**32)
            for name, value in self._model_arrays(copy=False).items():
                value[...] = self._pristine[name]
        step = self._env.reset()
        return _flatten(step.observation), {"frames": 0}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """`action_repeat` frames, rewards summed, cut short at the episode's end. info["frames"]
        counts them.

        Raises ActionFault for a wrong shape or a number that is not finite.
        """
        action = np.asarray(action)
        if action.shape != self.action_space.shape or not np.isfinite(action).all():
            raise ActionFault(
                f"{self.name} takes {self.action_space.shape} finite numbers, not {action}",
                "the policy has diverged or belongs to another task",
            )
        unit = (np.clip(action.astype(np.float64), -1.0, 1.0) + 1.0) / 2.0
        scaled = self._low + unit * (self._high - self._low)
        step = self._env.step(scaled)
        total, frames = step.reward or 0.0, 1
        while frames < self.action_repeat and not step.last():
            step = self._env.step(scaled)
            total += step.reward or 0.0
            frames += 1
        terminated = bool(step.last() and step.discount == 0.0)
        truncated = bool(step.last() and not terminated)
        return _flatten(step.observation), total, terminated, truncated, {"frames": frames}

    def render(self) -> np.ndarray:
        """The scene as uint8 [H, W, 3]. Raises RenderFault where OpenGL is missing."""
        height, width = self.size
        try:
            return self._env.physics.render(height, width, camera_id=self.camera)
        except Exception as error:
            raise RenderFault(
                f"rendering failed ({error})",
                "install OpenGL for machines without a screen (Debian: libegl1 libgl1-mesa-dri "
                "libosmesa6) and try MUJOCO_GL=egl or MUJOCO_GL=osmesa",
            ) from error

    def close(self) -> None:
        """Free the simulator."""
        self._env.close()


def _flatten(observation: dict[str, Any]) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in observation.values()], dtype=np.float32)
