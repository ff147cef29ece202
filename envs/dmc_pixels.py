"""DeepMind Control suite tasks seen by a camera: one uint8 frame per step."""

from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box

from primacy.envs import opengl
from primacy.envs.dmc import DMC
from primacy.envs.dmc_pixel_tasks import VARIANTS

RED, GREEN, BLUE = 0.299, 0.587, 0.114


class DMCPixels(DMC):
    """A task of which the agent sees pictures: uint8 [64, 64], or [3, 84, 84] of "pixels84".

    Otherwise it is DMC: the same states, rewards and ends. One picture is drawn per step, after its
    last simulator frame; stacks are made by FrameStack and FrameReplay. A picture is a function of
    the state and of the renderer: another backend or driver may give other ones, which exact
    resume finds out.
    """

    def __init__(
        self,
        domain: str,
        task: str,
        variant: str = "pixels",
        action_repeat: int = 1,
        render_mode: str | None = "rgb_array",
        camera: int | None = None,
    ) -> None:
        """`variant` is one of VARIANTS; the default camera is 2 for the quadruped and 0 elsewhere.

        Raises RenderFault where no OpenGL can be started.
        """
        opengl.start()
        looks = VARIANTS[variant]
        super().__init__(domain, task, action_repeat, render_mode, camera, (looks.size, looks.size))
        self._grey = looks.grey
        options = {"domain": domain, "task": task, "variant": variant}
        options |= {"action_repeat": action_repeat, "camera": camera}
        name = f"{domain}-{task}-{variant}"
        self.spec = EnvSpec(name, entry_point="primacy.envs.dmc_pixels:DMCPixels", kwargs=options)
        self.observation_space = Box(0, 255, looks.frame, np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """As DMC's, with the first picture."""
        _, info = super().reset(seed=seed, options=options)
        return self._frame(), info

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """As DMC's, with the picture after the last frame."""
        _, reward, terminated, truncated, info = super().step(action)
        return self._frame(), reward, terminated, truncated, info

    def _frame(self) -> np.ndarray:
        picture = self.render()
        return grey(picture) if self._grey else np.ascontiguousarray(picture.transpose(2, 0, 1))


def grey(picture: np.ndarray) -> np.ndarray:
    """0.299 R + 0.587 G + 0.114 B of uint8 [H, W, 3], cut off to uint8 [H, W] and not rounded
    (rl_with_resets, RGB2Gray).

    Summed from left to right: in NumPy's dot product, which that code calls, it depends on the
    processor whether white is 254 or 255.
    """
    red, green, blue = np.moveaxis(picture, -1, 0)
    return (red * RED + green * GREEN + blue * BLUE).astype(np.uint8)
