import subprocess
import sys

import numpy as np
import pytest

from primacy.envs.suites import UnknownTask, make, tasks

# Observation and action sizes: the SAC tasks of the primacy-bias study, and one more.
SIZES = {
    "acrobot-swingup": (6, 1),
    "ball_in_cup-catch": (8, 2),
    "cheetah-run": (17, 6),
    "finger-turn_hard": (12, 2),
    "fish-swim": (24, 5),
    "hopper-hop": (15, 4),
    "humanoid-run": (67, 21),
    "quadruped-run": (78, 12),
    "swimmer-swimmer15": (61, 14),
    "walker-run": (24, 6),
}


def test_importing_the_list_of_suites_loads_no_simulator():
    code = "import sys, primacy.envs.suites; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = result.stdout.split()
    assert "primacy.envs.suites" in loaded
    assert {"dm_control", "mujoco", "ale_py", "torch"}.isdisjoint(loaded)


@pytest.mark.parametrize("task", SIZES)
def test_a_task_has_its_sizes(task: str):
    env = make(task)
    observation, _ = env.reset(seed=0)
    assert (observation.shape, env.action_space.shape) == tuple((n,) for n in SIZES[task])
    assert observation.dtype == np.float32
    assert observation in env.observation_space


def test_tasks_are_the_whole_suite_and_each_is_named_once():
    names = tasks()
    assert set(SIZES) < set(names)
    assert {"lqr-lqr_6_2", "dog-fetch", "quadruped-escape", "manipulator-insert_peg"} < set(names)
    assert len(set(names)) == len(names) == 84 + 2 * 51


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("quadruped_run", "quadruped-run"),
        ("walker-wlak", "walker-walk"),
        ("swimmer15", "swimmer-swimmer15"),
        ("humanoid", "humanoid-"),
        ("Cheetah-Run", "cheetah-run"),
        ("cartpole-swingup-pixel", "cartpole-swingup-pixels"),
        ("breakout", "atari-breakout"),
        ("MsPacman", "atari-ms_pacman"),
        ("atari-kungfumaster", "atari-kung_fu_master"),
    ],
)
def test_an_unknown_task_suggests_near_names(wrong: str, near: str):
    with pytest.raises(UnknownTask, match=wrong) as caught:
        make(wrong)
    assert near in caught.value.hint


def test_a_name_that_is_near_to_nothing_lists_the_domains():
    with pytest.raises(UnknownTask) as caught:
        make("xyzzy")
    assert "ball_in_cup" in caught.value.hint
