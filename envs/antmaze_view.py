"""Pictures of a maze, drawn by dm_control on a model of its own."""

import numpy as np

from primacy.envs import opengl

# Otherwise dm_control loads OpenGL by a choice of its own: opengl.start() makes that choice.
with opengl.setting(MUJOCO_GL="disable"):
    from dm_control.mujoco import Physics


class View:
    """Draws states of a model without touching the one that is simulated."""

    def __init__(self, model: str, size: tuple[int, int], camera: str) -> None:
        """`model` is MJCF with a site "goal"; `size` is (height, width) in pixels.

        Raises RenderFault where no OpenGL can be started.
        """
        opengl.start()
        self._physics = Physics.from_xml_string(model)
        buffer = self._physics.model.vis.global_
        buffer.offheight = max(buffer.offheight, size[0])
        buffer.offwidth = max(buffer.offwidth, size[1])
        self._size = size
        self._camera = self._physics.model.name2id(camera, "camera")

    def draw(self, qpos: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """The scene at positions [15] with the goal at (x, y) in metres, uint8 [H, W, 3]."""
        self._physics.named.model.site_pos["goal", :2] = goal
        self._physics.data.qpos[:] = qpos
        self._physics.forward()
        return self._physics.render(*self._size, camera_id=self._camera)

    def close(self) -> None:
        """Free the model and its OpenGL contexts."""
        self._physics.free()
