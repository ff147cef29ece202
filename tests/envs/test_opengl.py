import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from primacy.envs import opengl
from primacy.envs.dmc import DMC
from primacy.envs.faults import RenderFault
from primacy.tests.support.envs_episodes import random_actions, record
from primacy.tests.support.envs_opengl import opengl_works

# PyOpenGL loads one platform only, so that no renderer of another can start.
BROKEN = {"MUJOCO_GL": "egl", "PYOPENGL_PLATFORM": "osmesa"}


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True)


@pytest.mark.parametrize("task", ["walker-stand", "quadruped-escape"])
def test_state_observations_need_no_opengl(task: str):
    code = f"""
import os, sys
from primacy.envs.suites import make
env = make({task!r})
env.reset(seed=0)
env.step(env.action_space.sample())
env.close()
assert "OpenGL" not in sys.modules
print(os.environ["MUJOCO_GL"])
"""
    result = run(code, **BROKEN)
    assert (result.stdout, result.stderr) == ("egl\n", "")


def test_a_picture_without_opengl_is_a_fault_that_names_the_packages():
    code = """
from primacy.envs.faults import RenderFault
from primacy.envs.suites import make
env = make("walker-stand")
env.reset(seed=0)
try:
    env.render()
except RenderFault as fault:
    print(fault, fault.hint, sep="\\n")
env.close()
"""
    result = run(code, **BROKEN)
    assert result.stderr == ""
    message, hint = result.stdout.splitlines()
    assert "MUJOCO_GL=egl" in message
    assert "libegl1" in hint
    assert "libosmesa6" in hint


def test_importing_leaves_the_environment_variables_alone():
    code = """
import os
del os.environ["MUJOCO_GL"]
before = dict(os.environ)
import primacy.envs.dmc
assert dict(os.environ) == before
"""
    assert run(code, MUJOCO_GL="egl").stderr == ""


@pytest.mark.parametrize(
    ("working", "wish", "chosen"),
    [
        (("egl", "osmesa"), "", "egl"),
        (("osmesa",), "", "osmesa"),
        (("egl", "osmesa"), "osmesa", "osmesa"),
        (("egl", "osmesa"), "glfw", None),
        ((), "", None),
    ],
)
def test_the_first_renderer_that_works_is_taken_unless_one_is_asked_for(
    working: tuple[str, ...], wish: str, chosen: str | None, monkeypatch: pytest.MonkeyPatch
):
    from dm_control import _render

    for name in ("egl", "osmesa", "glfw"):
        monkeypatch.setattr(_render, f"_import_{name}", lambda name=name: name)
    monkeypatch.setattr(_render, "Renderer", None)
    monkeypatch.setattr(opengl, "_draws", lambda backend: backend in working)
    monkeypatch.setenv("MUJOCO_GL", wish)
    if chosen is None:
        with pytest.raises(RenderFault, match=wish or "egl, osmesa, glfw"):
            opengl.start.__wrapped__()
    else:
        opengl.start.__wrapped__()
    assert _render.Renderer == chosen


@pytest.fixture
def drawing() -> None:
    if not opengl_works():
        pytest.skip("no OpenGL here")


@pytest.mark.usefixtures("drawing")
def test_a_picture_has_the_size_and_camera_asked_for_and_shows_the_state():
    pictures = {}
    for camera in (None, 0, 2):
        env = DMC("quadruped", "walk", camera=camera, size=(48, 64))
        env.reset(seed=0)
        pictures[camera] = env.render()
        assert pictures[camera].shape == (48, 64, 3)
        assert pictures[camera].dtype == np.uint8
        np.testing.assert_array_equal(pictures[camera], env.render())
        env.reset(seed=1)
        assert (pictures[camera] != env.render()).any()
        env.close()
    np.testing.assert_array_equal(pictures[None], pictures[2])
    assert (pictures[0] != pictures[2]).any()


@pytest.mark.usefixtures("drawing")
def test_a_picture_may_be_larger_than_the_model_foresees():
    env = DMC("walker", "stand", size=(500, 700))
    env.reset(seed=0)
    picture = env.render()
    env.close()
    assert picture.shape == (500, 700, 3)
    assert all(corner.any() for corner in (picture[-1, 0], picture[-1, -1]))


@pytest.mark.usefixtures("drawing")
def test_drawing_changes_no_episode_and_shows_the_terrain_of_this_one():
    drawn, plain = (DMC("quadruped", "escape", camera=0, size=(48, 64)) for _ in range(2))
    actions = random_actions(plain, 10, 0)
    drawn.reset(seed=1)
    first = drawn.render()
    assert record(drawn, 2, actions) == record(plain, 2, actions)
    np.testing.assert_array_equal(drawn.render(), plain.render())
    assert (first != drawn.render()).any()
    drawn.close()
    plain.close()


@pytest.mark.usefixtures("drawing")
@pytest.mark.parametrize("backend", ["egl", "osmesa"])
def test_a_program_that_drew_ends_quietly(backend: str, tmp_path: Path):
    code = """
from primacy.envs.suites import make
env = make("walker-stand")
env.reset(seed=0)
env.render()
print("drawn")
"""
    result = run(code, MUJOCO_GL=backend, PYOPENGL_PLATFORM="")
    if "RenderFault" in result.stderr:
        pytest.skip(f"no {backend} here")
    assert (result.stdout, result.stderr) == ("drawn\n", "")
