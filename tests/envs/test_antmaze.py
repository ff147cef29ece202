import subprocess
import sys
import warnings

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from scipy import stats

from primacy.envs.antmaze import AntMaze, Physics
from primacy.envs.antmaze_tasks import TASKS
from primacy.envs.faults import ActionFault, EnvironmentFault, Unsupported
from primacy.envs.lanes import Lanes
from primacy.envs.suites import UnknownTask, make, tasks
from primacy.tests.support.envs_episodes import random_actions, record
from primacy.tests.support.envs_opengl import opengl_works

# Task -> the centre of its goal cell, time limit, walls; from D4RL's maps by hand.
KNOWN = {
    "antmaze-umaze-v2": ((0.0, 8.0), 700, 18),
    "antmaze-umaze-diverse-v2": ((0.0, 8.0), 700, 18),
    "antmaze-medium-play-v2": ((20.0, 20.0), 1000, 38),
    "antmaze-medium-diverse-v2": ((20.0, 20.0), 1000, 38),
    "antmaze-large-play-v2": ((32.0, 24.0), 1000, 62),
    "antmaze-large-diverse-v2": ((32.0, 24.0), 1000, 62),
}


def antmaze(task: str = "antmaze-umaze-v2", **options) -> AntMaze:
    env = make(task, **options)
    assert isinstance(env, AntMaze)
    return env


def physics(env: AntMaze) -> Physics:
    assert isinstance(env.simulator, Physics)
    return env.simulator


def put(env: AntMaze, x: float, y: float, goal: tuple[float, float]) -> None:
    """Stand still at (x, y) in the episode that goes on."""
    simulator = physics(env)
    qpos = simulator.model.qpos0.copy()
    qpos[:2] = x, y
    simulator.place(qpos, np.zeros(14), np.array(goal))


def test_the_tasks_are_d4rls():
    assert set(TASKS) == set(KNOWN) < set(tasks())
    for task, (goal, limit, walls) in KNOWN.items():
        maze = TASKS[task].maze
        assert (maze.goal, TASKS[task].limit, len(maze.walls)) == (goal, limit, walls)
        assert maze.free[0] == (0.0, 0.0)


@pytest.mark.parametrize("task", KNOWN)
def test_sizes(task: str):
    env = antmaze(task)
    observation, info = env.reset(seed=0)
    assert (observation.shape, observation.dtype) == ((29,), np.float32)
    assert env.action_space.shape == (8,)
    assert env.episode_frames == KNOWN[task][1]
    assert info["success"] is False


@pytest.mark.parametrize("name", ["antmaze-umaze-v1", "antmaze-medium-v2", "antmaze_large_play_v2"])
def test_near_names_are_suggested(name: str):
    with pytest.raises(UnknownTask, match=name) as caught:
        make(name)
    assert "did you mean antmaze-" in caught.value.hint


@pytest.mark.parametrize("task", ["antmaze-umaze-v2", "antmaze-large-diverse-v2"])
def test_goals_and_starts_are_distributed_as_d4rls(task: str):
    env = antmaze(task)
    starts, goals = [], []
    for seed in range(400):
        starts.append(env.reset(seed=seed)[0])
        goals.append(env.simulator.goal)
    starts, offsets = np.array(starts), np.array(goals) - KNOWN[task][0]
    # U(0, 1) + U(0, 0.5): the trapezoid of their sum, without a loss at 0 from `max`.
    trapezoid = stats.trapezoid(1 / 3, 2 / 3, scale=1.5)
    for axis in (0, 1):
        assert stats.kstest(offsets[:, axis], trapezoid.cdf).pvalue > 1e-4
    centre = np.array([0, 0, 0.75, 0, 0, 0, 0, *np.zeros(8)])
    for number in (0, 1, 2, 7, 14):
        uniform = stats.uniform(centre[number] - 0.1, 0.2)
        assert stats.kstest(starts[:, number], uniform.cdf).pvalue > 1e-4
    np.testing.assert_allclose(np.linalg.norm(starts[:, 3:7], axis=1), 1.0, atol=1e-6)
    for number in (15, 28):
        assert stats.kstest(starts[:, number], stats.norm(0, 0.1).cdf).pvalue > 1e-4
    assert abs(np.corrcoef(starts[:, :3].T) - np.eye(3)).max() < 0.2


def test_the_reward_is_one_within_half_a_metre_and_ends_the_episode():
    env = antmaze()
    # A resting ant, dropped 0.75 m high, moves 1 cm at most in a step.
    for away, reached in ((0.49, True), (0.51, False)):
        env.reset(seed=0)
        put(env, 0.0, 0.0, (away, 0.0))
        _, reward, terminated, truncated, info = env.step(np.zeros(8, np.float32))
        assert (reward, terminated, truncated) == (float(reached), reached, False)
        assert info["success"] is reached
    env.reset(seed=1)
    assert not env.step(np.zeros(8, np.float32))[2]


@pytest.mark.parametrize(("repeat", "steps", "last"), [(1, 700, 1), (300, 3, 100)])
def test_the_time_limit_truncates(repeat: int, steps: int, last: int):
    env = antmaze(action_repeat=repeat)
    env.reset(seed=0)
    ends = [env.step(np.zeros(8, np.float32))[2:] for _ in range(steps)]
    assert [end[:2] for end in ends] == [(False, False)] * (steps - 1) + [(False, True)]
    assert ends[-1][2] == {"frames": last, "success": False}
    with pytest.raises(ResetNeeded, match="antmaze-umaze-v2"):
        env.step(np.zeros(8))


def test_a_success_at_the_last_step_terminates():
    env = antmaze()
    env.reset(seed=0)
    env._elapsed = 699
    put(env, 0.0, 0.0, (0.1, 0.0))
    assert env.step(np.zeros(8, np.float32))[1:4] == (1.0, True, False)


def test_action_repeat_is_so_many_steps_and_stops_at_the_goal():
    single, repeated = antmaze(), antmaze(action_repeat=3)
    single.reset(seed=3)
    repeated.reset(seed=3)
    for action in random_actions(single, 10, 0):
        steps = [single.step(action) for _ in range(3)]
        np.testing.assert_array_equal(repeated.step(action)[0], steps[-1][0])
    put(repeated, 0.0, 0.0, (0.1, 0.0))
    assert repeated.step(np.zeros(8))[4] == {"frames": 1, "success": True}


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_torques_are_those_of_d4rls_action_wrapper(kind: type):
    env = antmaze()
    env.reset(seed=0)
    action = random_actions(env, 1, 5)[0].astype(kind)
    action[0] = 1.5
    env.step(action)
    low, high = np.full(8, -30.0, np.float32), np.full(8, 30.0, np.float32)
    scaled = np.clip(low + (action + 1.0) * 0.5 * (high - low), low, high)
    np.testing.assert_array_equal(physics(env).data.ctrl, scaled.astype(np.float64))
    np.testing.assert_allclose(scaled, 30.0 * action.clip(-1, 1), atol=1e-5)


@pytest.mark.parametrize("task", ["antmaze-umaze-v2", "antmaze-medium-diverse-v2"])
def test_an_episode_is_a_function_of_its_seed_and_actions(task: str):
    dirty, fresh = antmaze(task), antmaze(task)
    for seed in (11, 12):
        record(dirty, seed, random_actions(dirty, 30, seed))
    actions = random_actions(fresh, 60, 0)
    assert record(dirty, 7, actions) == record(fresh, 7, actions)
    assert record(dirty, 8, actions) != record(fresh, 7, actions)


def test_lanes_report_success_per_episode():
    lanes = Lanes([antmaze(), antmaze()], lambda lane, episode: lane)
    lanes.start()
    assert lanes.step(np.zeros((2, 8))).finished == []
    env = lanes.envs[1]
    assert isinstance(env, AntMaze)
    put(env, 0.0, 0.0, (0.1, 0.0))
    other = lanes.envs[0]
    assert isinstance(other, AntMaze)
    other._elapsed = 699
    failed, reached = lanes.step(np.zeros((2, 8))).finished
    assert (failed.success, failed.episode_return, failed.length) == (False, 0.0, 2)
    assert (reached.success, reached.episode_return, reached.length) == (True, 1.0, 2)


@pytest.mark.parametrize("action", [np.zeros(7), np.zeros((1, 8)), 0.0, [0] * 7 + [np.nan]])
def test_a_wrong_action_is_refused(action: np.ndarray):
    env = antmaze()
    env.reset(seed=0)
    with pytest.raises(ActionFault, match=r"antmaze-umaze-v2 .*\(8,\)") as caught:
        env.step(action)
    assert "policy" in caught.value.hint


def test_a_diverging_simulation_is_a_fault_and_the_next_episode_is_whole():
    env, fresh = antmaze(), antmaze()
    env.reset(seed=0)
    physics(env).data.qvel[:] = 1e11
    with pytest.raises(EnvironmentFault, match="antmaze-umaze-v2 diverged") as caught:
        env.step(np.zeros(8))
    assert "simulator" in caught.value.hint
    actions = random_actions(env, 20, 0)
    assert record(env, 1, actions) == record(fresh, 1, actions)


def test_other_options_are_refused():
    with pytest.raises(ValueError, match="action_repeat"):
        antmaze(action_repeat=0)
    with pytest.raises(Unsupported, match="backend 'mujoco_py'") as caught:
        antmaze(backend="mujoco_py")
    assert caught.value.hint == "choose mujoco or d4rl"


def test_gymnasiums_checker_is_content():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*This is probably too (low|high)")
        check_env(antmaze(), skip_render_check=not opengl_works())


def test_the_specification_makes_the_same_environment_again():
    env = antmaze("antmaze-large-play-v2", action_repeat=2, camera="follow", size=(32, 48))
    assert env.spec is not None
    again = env.spec.make().unwrapped
    assert isinstance(again, AntMaze)
    assert (again.action_repeat, again.camera, again.size) == (2, "follow", (32, 48))
    actions = random_actions(env, 10, 0)
    assert record(env, 3, actions) == record(again, 3, actions)


def test_a_picture_shows_the_goal_and_changes_nothing():
    if not opengl_works():
        pytest.skip("no OpenGL")
    env, blind = antmaze(size=(96, 96)), antmaze()
    env.reset(seed=0)
    blind.reset(seed=0)
    put(env, 0.0, 0.0, (0.0, 8.0))
    put(blind, 0.0, 0.0, (0.0, 8.0))
    first = env.render()
    assert (first.shape, first.dtype) == ((96, 96, 3), np.uint8)
    for action in random_actions(env, 5, 0):
        np.testing.assert_array_equal(env.step(action)[0], blind.step(action)[0])
        env.render()
    put(env, 0.0, 0.0, (8.0, 8.0))
    red = [picture[..., 0].astype(int) - picture[..., 1] for picture in (first, env.render())]
    # The goal went to the right in the picture: its x grew by 8 m.
    columns = [np.argwhere(each > 150)[:, 1].mean() for each in red]
    assert columns[1] > columns[0] + 20
    env.close()


def test_making_and_stepping_says_nothing_and_loads_no_dm_control():
    code = (
        "import sys, numpy as np; from primacy.envs.suites import make; "
        "env = make('antmaze-umaze-v2'); env.reset(seed=0); env.step(np.zeros(8)); "
        "assert 'dm_control' not in sys.modules"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
