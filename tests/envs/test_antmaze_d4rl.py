"""Our AntMaze beside the real d4rl package, step by step, on one MuJoCo."""

import sys
from typing import Any

import numpy as np
import pytest
from scipy import stats

from primacy.envs.antmaze import AntMaze, Physics
from primacy.envs.antmaze_d4rl import D4RL, import_gym
from primacy.envs.faults import Unsupported
from primacy.tests.support.envs_episodes import random_actions, record


@pytest.fixture(scope="module", autouse=True)
def d4rl() -> None:
    try:
        import_gym()
    except Unsupported as fault:
        pytest.skip(f"{fault} ({fault.hint})")


def pair(task: str) -> tuple[AntMaze, AntMaze, Physics]:
    theirs, ours = AntMaze(task, backend="d4rl"), AntMaze(task)
    assert isinstance(ours.simulator, Physics)
    return theirs, ours, ours.simulator


@pytest.mark.parametrize(
    ("task", "seed"),
    [
        ("antmaze-umaze-v2", 0),
        ("antmaze-umaze-diverse-v2", 1),
        ("antmaze-medium-play-v2", 2),
        ("antmaze-medium-diverse-v2", 3),
        ("antmaze-large-play-v2", 4),
        ("antmaze-large-diverse-v2", 5),
    ],
)
def test_each_step_is_d4rls(task: str, seed: int):
    theirs, ours, physics = pair(task)
    theirs.reset(seed=seed)
    ours.reset(seed=0)
    data = theirs.simulator.data
    physics.place(data.qpos, data.qvel, theirs.simulator.goal)
    for action in random_actions(ours, 150, seed):
        wanted, got = theirs.step(action), ours.step(action)
        np.testing.assert_allclose(got[0], wanted[0], rtol=0, atol=1e-6)
        assert got[1:] == wanted[1:]
        # Chaos would part them: from one state again.
        physics.data.qpos[:], physics.data.qvel[:] = data.qpos, data.qvel
        physics.data.qacc_warmstart[:] = data.qacc_warmstart


def test_whole_episodes_end_alike():
    theirs, ours, _ = pair("antmaze-umaze-v2")
    for env in (theirs, ours):
        env.reset(seed=0)
    ends = [[env.step(np.zeros(8, np.float32))[1:] for _ in range(700)] for env in (theirs, ours)]
    assert ends[0] == ends[1]
    assert ends[0][-1] == (0.0, False, True, {"frames": 1, "success": False})


def test_the_goal_ends_an_episode_of_theirs_too():
    theirs, ours, physics = pair("antmaze-umaze-v2")
    assert isinstance(theirs.simulator, D4RL)
    for away in (0.3, 0.49, 0.51, 0.7):
        theirs.reset(seed=0)
        ours.reset(seed=0)
        data = theirs.simulator.data
        theirs.simulator._ant.target_goal = goal = data.qpos[:2] + [away, 0.0]
        physics.place(data.qpos, data.qvel, goal)
        for action in random_actions(ours, 10, 1):
            wanted, got = theirs.step(action), ours.step(action)
            assert got[1:] == wanted[1:]
            if got[2]:
                break


def test_goals_and_starts_have_one_distribution():
    theirs, ours, _ = pair("antmaze-medium-play-v2")
    drawn = []
    for env in (theirs, ours):
        resets = [(env.reset(seed=seed)[0], env.simulator.goal) for seed in range(300)]
        drawn.append(np.array([np.concatenate(each) for each in resets]))
    for number in range(31):
        result: Any = stats.ks_2samp(drawn[0][:, number], drawn[1][:, number])
        assert result.pvalue > 1e-4


def test_an_episode_of_theirs_is_a_function_of_its_seed_and_leaves_numpy_alone():
    one, other = (AntMaze("antmaze-umaze-v2", backend="d4rl") for _ in range(2))
    actions = random_actions(one, 20, 0)
    np.random.seed(5)
    before = np.random.get_state()[1].copy()  # pyright: ignore
    record(one, 3, actions)
    assert record(one, 7, actions) == record(other, 7, actions)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # pyright: ignore


def test_it_says_nothing(capfd: pytest.CaptureFixture):
    env = AntMaze("antmaze-umaze-v2", backend="d4rl")
    env.reset(seed=0)
    env.step(np.zeros(8, np.float32))
    assert capfd.readouterr() == ("", "")
    assert sys.modules["mujoco_py"].__doc__ is None
