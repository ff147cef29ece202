"""DeepMind Control from pixels: what a frame is, that drawing changes no episode, exact resume."""

import os
import subprocess
import sys

import numpy as np
import pytest

from primacy.envs.dmc import DMC, suite
from primacy.envs.dmc_pixel_tasks import VARIANTS, published_action_repeat, split
from primacy.envs.dmc_pixels import DMCPixels, grey
from primacy.envs.faults import NotRepeatable
from primacy.envs.lanes import Lanes
from primacy.envs.suites import make, tasks
from primacy.tests.support.envs_episodes import random_actions, record
from primacy.tests.support.envs_journal import episode_seed, walk
from primacy.tests.support.envs_opengl import opengl_works

drawing = pytest.mark.skipif(not opengl_works(), reason="no OpenGL here")


def pixels(task: str, repeat: int = 1) -> DMCPixels:
    env = make(task, repeat)
    assert isinstance(env, DMCPixels)
    return env


def test_published_action_repeats():
    named = {
        "cartpole-swingup-pixels": 8,
        "reacher-easy-pixels84": 4,
        "cheetah-run-pixels": 4,
        "ball_in_cup-catch-pixels": 4,
        "finger-spin-pixels": 2,
        "walker-walk-pixels84": 2,
        "cartpole-swingup_sparse-pixels": 2,
        "quadruped-walk-pixels": 2,
    }
    assert {task: published_action_repeat(task) for task in named} == named
    assert split("ball_in_cup-catch-pixels84") == ("ball_in_cup-catch", "pixels84")
    with pytest.raises(KeyError):
        published_action_repeat("cartpole-swingup")


def test_every_task_of_the_suite_has_each_variant():
    names = [task for task in tasks() if "-pixels" in task]
    assert {split(task) for task in names} == {
        (f"{domain}-{task}", variant) for domain, task in suite.ALL_TASKS for variant in VARIANTS
    }


def test_grey_is_cut_off_and_not_rounded():
    colours = [(255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (10, 20, 30)]
    picture = np.array([colours], dtype=np.uint8)
    assert grey(picture).tolist() == [[255, 76, 149, 29, 18]]


@drawing
@pytest.mark.parametrize(
    ("task", "camera"), [("cartpole-swingup", 0), ("quadruped-walk", 2), ("finger-turn_hard", 0)]
)
def test_frames_are_those_of_dm_control(task: str, camera: int):
    domain, _, name = task.partition("-")
    theirs = suite.load(domain, name, task_kwargs={"random": 5})
    small, large = pixels(f"{task}-pixels", 2), pixels(f"{task}-pixels84", 2)
    actions = random_actions(small, 2, 0)
    got = [(env.reset(seed=5)[0], *(env.step(a)[0] for a in actions)) for env in (small, large)]
    wanted: list[list[np.ndarray]] = [[], []]
    bounds = theirs.action_spec()
    theirs.reset()
    for step in range(len(actions) + 1):
        for rows, size in zip(wanted, (64, 84), strict=True):
            rows.append(theirs.physics.render(size, size, camera_id=camera))
        for action in np.repeat(actions[step : step + 1], 2, axis=0).astype(np.float64):
            share = (action + 1.0) / 2.0
            theirs.step(bounds.minimum + share * (bounds.maximum - bounds.minimum))
    red, green, blue = (np.array(wanted[0])[..., i].astype(np.float64) for i in range(3))
    luminance = np.floor(0.299 * red + 0.587 * green + 0.114 * blue)
    # Up to one where the order of the sum decides about a whole number.
    assert np.abs(np.array(got[0]) - luminance).max() <= 1.0
    assert (np.array(got[0]) == luminance).mean() > 0.99
    np.testing.assert_array_equal(np.moveaxis(np.array(got[1]), 1, -1), np.array(wanted[1]))
    for env, shape in ((small, (64, 64)), (large, (3, 84, 84))):
        observation = env.reset(seed=0)[0]
        assert (observation.shape, observation.dtype) == (shape, np.uint8)
        assert observation.flags.c_contiguous
        assert observation in env.observation_space
        env.close()


@drawing
@pytest.mark.parametrize("task", ["hopper-hop", "point_mass-hard"])
def test_drawing_changes_no_state_reward_or_end(task: str):
    domain, _, name = task.partition("-")
    drawn, plain = pixels(f"{task}-pixels", 3), DMC(domain, name, 3)
    drawn.reset(seed=4)
    plain.reset(seed=4)
    for action in random_actions(plain, 8, 0):
        assert drawn.step(action)[1:] == plain.step(action)[1:]
        state = (env._physics.get_state().tobytes() for env in (drawn, plain))
        assert len(set(state)) == 1
    drawn.close()


@drawing
@pytest.mark.parametrize("task", ["walker-run-pixels84", "cartpole-swingup-pixels"])
def test_an_episode_is_a_function_of_its_seed_and_actions(task: str):
    dirty, fresh = pixels(task), pixels(task)
    record(dirty, 11, random_actions(dirty, 5, 1))
    actions = random_actions(fresh, 5, 0)
    first = record(dirty, 7, actions)
    assert first == record(fresh, 7, actions) == record(fresh, 7, actions)
    assert dirty.reset(seed=8)[0].tobytes() != first[0]
    dirty.close()
    fresh.close()


@drawing
def test_the_specification_makes_the_same_environment_again():
    env = DMCPixels("quadruped", "walk", "pixels84", action_repeat=2, camera=1)
    assert env.spec is not None
    assert env.spec.id == "quadruped-walk-pixels84"
    again = env.spec.make().unwrapped
    assert isinstance(again, DMCPixels)
    assert (again.action_repeat, again.camera) == (2, 1)
    np.testing.assert_array_equal(env.reset(seed=1)[0], again.reset(seed=1)[0])
    env.close()
    again.close()


def two_lanes() -> Lanes:
    return Lanes([make("pendulum-swingup-pixels", 250) for _ in range(2)], episode_seed)


@drawing
def test_what_follows_a_restore_is_what_would_have_followed():
    lanes, restored, spoiled = two_lanes(), two_lanes(), two_lanes()
    lanes.start()
    journal, _ = walk(lanes, 6, 0)  # In the second episode, after two of its four steps.
    unfinished = journal.unfinished(lanes)
    restored.restore(*unfinished, journal.reached[-1])
    assert walk(restored, 4, 1)[1] == walk(lanes, 4, 1)[1]
    observations = unfinished[2]
    observations[1][1][30, 30] ^= 1
    with pytest.raises(NotRepeatable, match="pendulum-swingup-pixels .*lane 1, episode 1, env st"):
        spoiled.restore(*unfinished)
    for part in (lanes, restored, spoiled):
        part.close()


def test_without_opengl_none_is_made_and_the_packages_are_named():
    code = """
from primacy.envs.faults import RenderFault
from primacy.envs.suites import make
try:
    make("walker-stand-pixels")
except RenderFault as fault:
    print(fault, fault.hint, sep="\\n")
"""
    broken = {"MUJOCO_GL": "egl", "PYOPENGL_PLATFORM": "osmesa"}
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, env=os.environ | broken, capture_output=True, text=True)
    assert result.stderr == ""
    message, hint = result.stdout.splitlines()
    assert "no OpenGL" in message
    assert "apt install libegl1" in hint
