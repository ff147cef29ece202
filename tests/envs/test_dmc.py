import logging
import re
import subprocess
import sys
import warnings
from functools import reduce
from operator import add

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.envs import dmc
from primacy.envs.dmc import DMC, suite
from primacy.envs.faults import ActionFault, EnvironmentFault
from primacy.tests.support.envs_episodes import random_actions, record
from primacy.tests.support.envs_opengl import opengl_works


def make(task: str, action_repeat: int = 1) -> DMC:
    domain, _, name = task.partition("-")
    return DMC(domain, name, action_repeat)


# Those that draw part of the model, those whose task keeps numbers, and one of each other kind.
REPRESENTATIVE = (
    "acrobot-swingup",
    "cheetah-run",
    "finger-turn_hard",
    "fish-swim",
    "hopper-hop",
    "humanoid_CMU-run",
    "lqr-lqr_6_2",
    "manipulator-bring_ball",
    "point_mass-hard",
    "quadruped-escape",
    "quadruped-run",
    "stacker-stack_2",
    "walker-stand",
)


def model_arrays(env: DMC) -> dict[str, bytes]:
    model = env._physics.model.ptr
    arrays = {name: getattr(model, name) for name in dir(model) if not name.startswith("__")}
    return {
        name: value.tobytes() for name, value in arrays.items() if isinstance(value, np.ndarray)
    }


def check_purity(task: str) -> None:
    dirty, fresh = make(task), make(task)
    for seed in (11, 12):
        record(dirty, seed, random_actions(dirty, 30, seed))
    actions = random_actions(fresh, 40, 0)
    assert record(dirty, 7, actions) == record(fresh, 7, actions)
    assert model_arrays(dirty) == model_arrays(fresh)
    dirty.close()
    fresh.close()


@pytest.mark.parametrize("task", REPRESENTATIVE)
def test_an_episode_is_a_function_of_its_seed_and_actions(task: str):
    check_purity(task)


@pytest.mark.slow
@pytest.mark.parametrize("task", dmc.tasks())
def test_an_episode_of_any_task_is_a_function_of_its_seed_and_actions(task: str):
    check_purity(task)


@pytest.mark.parametrize("task", ["lqr-lqr_6_2", "manipulator-bring_ball", "point_mass-hard"])
def test_a_reset_restores_the_model_that_the_task_was_made_with(task: str):
    dirty, fresh = make(task), make(task)
    for array in (dirty._physics.model.body_mass, dirty._physics.model.jnt_stiffness):
        array[...] = array * 2.0 + 1.0
    actions = random_actions(fresh, 40, 0)
    assert record(dirty, 7, actions) == record(fresh, 7, actions)


def test_other_seeds_are_other_episodes_even_in_the_model_that_is_drawn():
    env = make("point_mass-hard")
    actions = random_actions(env, 5, 0)
    assert record(env, 1, actions) != record(env, 2, actions)
    gains = []
    for seed in (1, 2, 1):
        env.reset(seed=seed)
        gains.append(env._physics.model.wrap_prm.copy())
    assert (gains[0] != gains[1]).any()
    assert (gains[0] == gains[2]).all()


@pytest.mark.parametrize("task", ["finger-turn_hard", "humanoid-run", "manipulator-bring_ball"])
def test_an_episode_is_that_of_dm_control(task: str):
    env = make(task)
    domain, _, name = task.partition("-")
    theirs = suite.load(domain, name, task_kwargs={"random": 5})
    observation, _ = env.reset(seed=5)
    step = theirs.reset()
    for action in random_actions(env, 30, 0):
        parts = [np.ravel(part) for part in step.observation.values()]
        np.testing.assert_array_equal(observation, np.concatenate(parts).astype(np.float32))
        observation, reward, *_ = env.step(action)
        step = theirs.step(action.astype(np.float64))  # their bounds are -1 and 1
        assert reward == step.reward


def test_resets_do_not_compile_the_model_anew():
    env = make("lqr-lqr_2_1")
    model = env._physics.model.ptr
    for seed in range(3):
        env.reset(seed=seed)
    assert env._physics.model.ptr is model


def test_unseeded_resets_follow_from_the_last_seed_and_from_nothing_before_one():
    env, other = make("pendulum-swingup"), make("pendulum-swingup")
    assert (env.reset()[0] != other.reset()[0]).any()
    env.reset(seed=1)
    first = env.reset()[0], env.reset()[0]
    env.reset(seed=1)
    second = env.reset()[0], env.reset()[0]
    np.testing.assert_array_equal(first, second)
    assert (first[0] != first[1]).any()


@pytest.fixture(scope="module")
def quadruped() -> DMC:
    return make("quadruped-walk")


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.floats(-3.0, 3.0, width=32), min_size=12, max_size=12))
def test_actions_are_rescaled_to_the_bounds_of_the_task_and_clipped(
    quadruped: DMC, values: list[float]
):
    spec = quadruped._env.action_spec()
    assert spec.maximum.max() > 1.0 > spec.maximum.min()
    quadruped.reset(seed=0)
    quadruped.step(np.array(values, dtype=np.float32))
    share = (np.clip(values, -1.0, 1.0) + 1.0) / 2.0
    expected = spec.minimum + share * (spec.maximum - spec.minimum)
    np.testing.assert_allclose(quadruped._physics.control(), expected, atol=1e-12)


def test_a_motor_without_limits_gets_the_action_itself():
    env = make("lqr-lqr_6_2")
    env.reset(seed=0)
    env.step(np.array([0.25, -1.0], dtype=np.float32))
    np.testing.assert_array_equal(env._physics.control(), [0.25, -1.0])


def test_action_repeat_sums_the_rewards_and_stops_at_the_last_frame():
    single, repeated = make("cartpole-swingup"), make("cartpole-swingup", 3)
    single.reset(seed=3)
    repeated.reset(seed=3)
    ends = []
    for action in random_actions(single, 400, 0):
        observation, total, terminated, truncated, info = repeated.step(action)
        steps = [single.step(action) for _ in range(info["frames"])]
        np.testing.assert_array_equal(observation, steps[-1][0])
        # Python 3.12's sum() is more exact than one addition after another.
        assert total == reduce(add, (step[1] for step in steps))
        assert (terminated, truncated) == steps[-1][2:4]
        ends.append((terminated, truncated, info["frames"]))
        if terminated or truncated:
            break
    assert ends == [(False, False, 3)] * 333 + [(False, True, 1)]
    assert single.episode_frames == repeated.episode_frames == 1000


def test_only_a_discount_of_zero_terminates():
    env = make("lqr-lqr_2_1")
    assert env.episode_frames is None
    env.reset(seed=0)
    assert env.step(np.zeros(1))[2:4] == (False, False)
    env._physics.data.qpos[:] = env._physics.data.qvel[:] = 0.0
    env._physics.forward()
    assert env.step(np.zeros(1))[2:4] == (True, False)


def test_stepping_before_a_reset_or_after_the_end_is_refused():
    env = make("pendulum-swingup", 1000)
    with pytest.raises(ResetNeeded):
        env.step(np.zeros(1))
    env.reset(seed=0)
    assert env.step(np.zeros(1))[3]
    with pytest.raises(ResetNeeded, match="pendulum-swingup"):
        env.step(np.zeros(1))


@pytest.mark.parametrize("action", [np.zeros(5), np.zeros((1, 6)), 0.0, [0, 0, np.nan, 0, 0, 0]])
def test_a_wrong_action_is_refused(action: np.ndarray):
    env = make("walker-stand")
    env.reset(seed=0)
    with pytest.raises(ActionFault, match=r"walker-stand .*\(6,\)") as caught:
        env.step(action)
    assert "policy" in caught.value.hint


def test_a_diverging_simulation_is_a_fault_and_the_next_episode_is_whole():
    env, fresh = make("walker-stand"), make("walker-stand")
    env.reset(seed=0)
    env._physics.data.qvel[:] = 1e11
    with pytest.raises(EnvironmentFault, match="walker-stand diverged") as caught:
        env.step(np.zeros(6))
    assert "simulator" in caught.value.hint
    actions = random_actions(env, 20, 0)
    assert record(env, 1, actions) == record(fresh, 1, actions)


@pytest.mark.parametrize(
    ("task", "repeat"), [("quadruped-walk", 1), ("walker-stand", 4), ("lqr-lqr_2_1", 1)]
)
def test_gymnasiums_checker_is_content(task: str, repeat: int):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Observations have no bounds.
        warnings.filterwarnings("ignore", message=".*This is probably too (low|high)")
        check_env(make(task, repeat), skip_render_check=not opengl_works())


def test_the_specification_makes_the_same_environment_again():
    env = DMC("walker", "walk", action_repeat=2, camera=1, size=(32, 48))
    assert env.spec is not None
    again = env.spec.make().unwrapped
    assert isinstance(again, DMC)
    assert (again.action_repeat, again.camera, again.size) == (2, 1, (32, 48))
    actions = random_actions(env, 10, 0)
    assert record(env, 3, actions) == record(again, 3, actions)


def test_making_and_stepping_says_nothing():
    code = (
        "import numpy as np; from primacy.envs.suites import make; env = make('walker-stand'); "
        "env.reset(seed=0); env.step(np.zeros(6))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_other_warnings_of_the_simulator_are_heard():
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())
    logger = logging.getLogger("absl")
    logger.addHandler(handler)
    with dmc._without_deprecations():
        logger.warning("'x' is deprecated")
        logger.warning("Nan, Inf or huge value in QACC")
    logger.removeHandler(handler)
    assert [re.sub(" .*", "", line) for line in heard] == ["Nan,"]


def test_an_action_repeat_below_one_is_refused():
    with pytest.raises(ValueError, match="action_repeat"):
        make("walker-stand", 0)
