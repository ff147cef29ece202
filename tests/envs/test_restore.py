import numpy as np
import pytest

from primacy.envs.faults import NotRepeatable
from primacy.envs.lanes import Lanes
from primacy.envs.suites import make
from primacy.tests.support.envs_journal import episode_seed, walk
from primacy.tests.support.envs_toys import Toy


def dm_control(task: str, repeat: int, lanes: int = 2) -> Lanes:
    return Lanes([make(task, repeat) for _ in range(lanes)], episode_seed)


@pytest.mark.parametrize(
    ("task", "repeat", "steps"),
    [
        ("quadruped-run", 1, 70),
        ("humanoid-stand", 2, 30),
        ("point_mass-hard", 1, 40),
        ("manipulator-bring_ball", 1, 30),
        ("lqr-lqr_6_2", 1, 30),
        ("antmaze-umaze-v2", 1, 60),
        ("antmaze-umaze-v2", 20, 50),  # 35 steps long
        ("walker-stand", 20, 70),  # 50 steps long: restored in the second, and runs into the third
    ],
)
def test_what_follows_a_restore_is_what_would_have_followed(task: str, repeat: int, steps: int):
    lanes = dm_control(task, repeat)
    lanes.start()
    journal, _ = walk(lanes, steps, 0)
    restored = dm_control(task, repeat)
    restored.restore(*journal.unfinished(lanes), journal.reached[-1])
    for attribute in ("observations", "episodes", "lengths", "returns"):
        np.testing.assert_array_equal(getattr(restored, attribute), getattr(lanes, attribute))
    _, wanted = walk(lanes, 60, 1)
    _, got = walk(restored, 60, 1)
    assert got == wanted
    lanes.close()
    restored.close()


def toys(lanes: int = 3) -> Lanes:
    return Lanes([Toy() for _ in range(lanes)], lambda lane, episode: 5 * lane + 4)  # 5 steps long


@pytest.mark.parametrize("steps", range(12))
def test_lanes_are_restored_at_any_step(steps: int):
    lanes = toys()
    lanes.start()
    journal, _ = walk(lanes, steps, 0)
    restored = toys()
    if steps:
        restored.restore(*journal.unfinished(lanes), journal.reached[-1])
    else:
        restored.restore([0] * 3, [np.zeros((0, 2))] * 3, [np.zeros((0, 3))] * 3)
    assert walk(restored, 8, 1)[1] == walk(lanes, 8, 1)[1]


@pytest.mark.parametrize(("lane", "step"), [(0, 0), (1, 2), (1, 0), (0, 3)])
def test_one_changed_bit_of_an_observation_is_found_and_named(lane: int, step: int):
    lanes = dm_control("walker-stand", 2)
    lanes.start()
    journal, _ = walk(lanes, 4, 0)
    episodes, actions, observations = journal.unfinished(lanes)
    observations[lane][step].view(np.int32)[5] ^= 1
    place = f"walker-stand .*lane {lane}, episode 0, env step {step}"
    with pytest.raises(NotRepeatable, match=place) as caught:
        dm_control("walker-stand", 2).restore(episodes, actions, observations)
    assert "versions" in caught.value.hint


def test_the_last_observation_is_compared_as_well():
    lanes = toys()
    lanes.start()
    journal, _ = walk(lanes, 3, 0)
    changed = journal.reached[-1].copy()
    changed[1, 2] += 1
    with pytest.raises(NotRepeatable, match="lane 1, episode 0, env step 3"):
        toys().restore(*journal.unfinished(lanes), changed)


def test_a_changed_action_is_found_by_what_it_leads_to():
    lanes = dm_control("quadruped-run", 1)
    lanes.start()
    journal, _ = walk(lanes, 6, 0)
    episodes, actions, observations = journal.unfinished(lanes)
    actions[1][3] *= 0.99
    with pytest.raises(NotRepeatable, match="lane 1, episode 0, env step 4"):
        dm_control("quadruped-run", 1).restore(episodes, actions, observations)


def test_a_zero_of_another_sign_is_another_observation():
    lanes = toys(1)
    lanes.start()
    journal, _ = walk(lanes, 1, 0)
    episodes, actions, observations = journal.unfinished(lanes)
    assert observations[0][0, 1] == 0.0
    observations[0][0, 1] = -0.0
    with pytest.raises(NotRepeatable):
        toys(1).restore(episodes, actions, observations)


def test_an_episode_that_ends_where_the_journal_goes_on_is_found():
    lanes = toys(1)
    lanes.start()
    journal, _ = walk(lanes, 4, 0)
    episodes, actions, observations = journal.unfinished(lanes)
    shorter = Lanes([Toy()], lambda lane, episode: 2)  # 3 steps long
    for row in observations[0]:
        row[0] = 2
    with pytest.raises(NotRepeatable, match="ends, .*lane 0, episode 0, env step 3"):
        shorter.restore(episodes, actions, observations)
