"""OpenGL for dm_control, started by the first picture and not before.

dm_control loads the renderer named by MUJOCO_GL when it is imported, which fails where that one is
missing and costs time and memory where nothing is ever drawn.
"""

import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

from primacy.envs.faults import RenderFault

BACKENDS = ("egl", "osmesa", "glfw")
"""In order of preference: the first two need no screen."""

_PICTURE = (
    "from dm_control.mujoco import Physics; Physics.from_xml_string('<mujoco/>').render(8, 8)"
)


@contextmanager
def setting(**variables: str) -> Iterator[None]:
    """Environment variables as dm_control shall find them while it imports."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class NoScreen:
    """Stands in for the OpenGL contexts of a simulator that draws nothing.

    quadruped-escape hands its terrain to the renderer at each reset, even for state observations.
    """

    ptr = None

    def __init__(self) -> None:
        self.gl = self.mujoco = self

    def make_current(self) -> AbstractContextManager["NoScreen"]:
        """There is nothing to make current."""
        return nullcontext(self)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Upload nothing: a real context reads the whole model when it is made."""

    def free(self) -> None:
        """There is nothing to free."""


def _load_compiler() -> None:
    """Triton, which comes with CUDA builds of torch, ends the process if its LLVM is loaded after
    that of Mesa's software renderer: so it is loaded before."""
    if importlib.util.find_spec("triton") is not None:
        importlib.import_module("triton")


@cache
def start() -> None:
    """Make dm_control draw with MUJOCO_GL's choice, else with the first of BACKENDS that works.

    Raises RenderFault where there is none.
    """
    from dm_control import _render

    if _render.BACKEND not in (None, "off"):  # imported elsewhere, with a renderer of its own
        return
    _load_compiler()
    wish = os.environ.get("MUJOCO_GL")
    tried = (wish,) if wish else BACKENDS
    for backend in filter(_draws, tried):
        name = backend if backend in BACKENDS else "glfw"  # of which dm_control knows synonyms
        # Drawing in a thread, OSMesa ends each program with a traceback: at exit the thread is gone
        # before the contexts are freed.
        with setting(DISABLE_RENDER_THREAD_OFFLOADING="1"):
            _render.Renderer = getattr(_render, f"_import_{name}")()
        return
    raise RenderFault(
        f"no OpenGL could be started to draw with (tried MUJOCO_GL={', '.join(tried)})",
        "install one that needs no screen (Debian and Ubuntu: apt install libegl1 libgl1 "
        "libosmesa6), or set MUJOCO_GL to egl, osmesa or glfw",
    )


def _draws(backend: str) -> bool:
    # In a process of its own, for a failed attempt spoils PyOpenGL for the next one.
    environment = os.environ | {"MUJOCO_GL": backend}
    attempt = subprocess.run([sys.executable, "-c", _PICTURE], env=environment, capture_output=True)
    return attempt.returncode == 0
