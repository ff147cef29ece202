"""Whether this machine can draw."""

from primacy.envs import opengl
from primacy.envs.faults import RenderFault


def opengl_works() -> bool:
    try:
        opengl.start()
    except RenderFault:
        return False
    return True
