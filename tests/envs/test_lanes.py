from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.envs.faults import ActionFault, EnvironmentFault
from primacy.envs.lanes import Episode, Lanes, run_episodes
from primacy.tests.support.envs_toys import Toy


def episode_seed(lane: int, episode: int) -> int:
    return 10 * lane + episode


def plain_loop(lane: int, actions: np.ndarray) -> tuple[list[list[Any]], list[Episode]]:
    """What one lane must give, by a loop over one environment: rows, and finished episodes."""
    env, number = Toy(), 0
    observation, _ = env.reset(seed=episode_seed(lane, 0))
    rows, finished, rewards = [], [], []
    for action in actions:
        following, reward, terminated, truncated, _ = env.step(action)
        rewards.append(reward)
        rows.append([*observation, *action, reward, terminated, truncated, *following])
        observation = following
        if terminated or truncated:
            finished.append(Episode(lane, number, sum(rewards), len(rewards)))
            number, rewards = number + 1, []
            observation, _ = env.reset(seed=episode_seed(lane, number))
    return rows, finished


@settings(max_examples=50, deadline=None)
@given(lanes=st.integers(1, 4), steps=st.integers(1, 25), seed=st.integers(0, 1000))
def test_each_lane_is_a_plain_loop_over_its_environment(lanes: int, steps: int, seed: int):
    actions = np.random.default_rng(seed).uniform(-1, 1, (steps, lanes, 2)).astype(np.float32)
    stepped = Lanes([Toy() for _ in range(lanes)], episode_seed)
    stepped.start()
    given_rows, given_episodes = [], []
    for now in actions:
        *parts, finished = stepped.step(now)
        given_rows.append(np.column_stack(parts))
        given_episodes += finished
    for lane in range(lanes):
        rows, finished = plain_loop(lane, actions[:, lane])
        np.testing.assert_array_equal(
            np.array(given_rows)[:, lane], np.array(rows, dtype=np.float32)
        )
        assert [episode for episode in given_episodes if episode.lane == lane] == finished
        assert stepped.episodes[lane] == len(finished)


def test_at_an_episodes_end_both_its_last_and_the_next_first_observation_are_there():
    env = Toy()
    lanes = Lanes([env], lambda lane, episode: 5)  # one step long
    lanes.start()
    ended = lanes.step(np.full((1, 2), 0.5))
    np.testing.assert_array_equal(ended.next_observation, [[5, 1, 1.0]])
    np.testing.assert_array_equal(lanes.observations, [[5, 0, 0.0]])
    assert (ended.terminated[0], ended.truncated[0]) == (False, True)
    assert ended.finished == [Episode(0, 0, 5.125, 1)]
    assert (lanes.episodes[0], lanes.lengths[0], lanes.returns[0]) == (1, 0, 0.0)
    assert env.seeds == [5, 5]


def test_what_a_step_returns_is_the_callers_to_keep_and_to_write():
    lanes, other = (Lanes([Toy(), Toy()], episode_seed) for _ in range(2))
    lanes.start()
    other.start()
    actions = np.full((2, 2), 0.25, dtype=np.float32)
    kept = lanes.step(actions)
    copies = [np.copy(part) for part in kept[:-1]]
    other.step(actions)
    actions[:] = 0.75
    for _ in range(3):
        lanes.step(actions)
        other.step(actions)
    for part, copy in zip(kept[:-1], copies, strict=True):
        np.testing.assert_array_equal(part, copy)
        part[...] = 0
    for got, wanted in zip(lanes.step(actions), other.step(actions), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_the_simulator_gets_the_float32_action_that_the_journal_keeps():
    env = Toy()
    lanes = Lanes([env], episode_seed)
    lanes.start()
    transitions = lanes.step(np.full((1, 2), 0.1, dtype=np.float64))
    assert transitions.action.dtype == np.float32
    assert env.taken[0].tobytes() == transitions.action[0].tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("what", ["reward", "observation"])
def test_a_number_that_is_not_finite_is_a_fault_that_says_where(what: str, value: float):
    bad = value if what == "reward" else np.array([13, value, 0], dtype=np.float32)
    lanes = Lanes([Toy(), Toy({(13, 2): {what: bad}})], episode_seed)
    lanes.episodes[:] = (0, 3)
    lanes.start()
    lanes.step(np.zeros((2, 2)))
    place = rf"Toy gave an? {what} .*\(lane 1, episode 3, env step 2\)"
    with pytest.raises(EnvironmentFault, match=place) as caught:
        lanes.step(np.zeros((2, 2)))
    assert "simulator" in caught.value.hint


def test_a_first_observation_that_is_not_finite_is_a_fault_too():
    bad = np.full(3, np.nan, dtype=np.float32)
    lanes = Lanes([Toy({(0, 0): {"observation": bad}})], episode_seed)
    with pytest.raises(EnvironmentFault, match="lane 0, episode 0, env step 0"):
        lanes.start()


@pytest.mark.parametrize("what", ["reward", "observation"])
def test_a_number_too_large_for_float32_is_a_fault_too(what: str):
    bad = 1e39 if what == "reward" else np.array([0, 1e39, 0], dtype=np.float64)
    lanes = Lanes([Toy({(0, 1): {what: bad}})], episode_seed)
    lanes.start()
    with pytest.raises(EnvironmentFault, match=f"{what} .*lane 0, episode 0, env step 1"):
        lanes.step(np.zeros((1, 2)))


def test_a_fault_of_an_environment_says_where():
    lanes = Lanes([Toy(), Toy()], episode_seed)
    lanes.start()
    with pytest.raises(ActionFault, match="lane 1, episode 0, env step 1") as caught:
        lanes.step(np.array([[0, 0], [0, np.nan]]))
    assert caught.value.hint == "play with something else"


@pytest.mark.parametrize("shape", [(2, 3), (1, 2), (3, 2), (2,)])
def test_actions_of_another_shape_are_refused(shape: tuple[int, ...]):
    lanes = Lanes([Toy(), Toy()], episode_seed)
    lanes.start()
    with pytest.raises(ActionFault, match=r"\(2, 2\)"):
        lanes.step(np.zeros(shape))


def test_closing_closes_every_environment():
    envs = [Toy(), Toy()]
    Lanes(envs, episode_seed).close()
    assert all(env.closed for env in envs)


def evaluate(
    seeds: Sequence[int], longest: int = 30_000
) -> tuple[list[Toy], np.ndarray, np.ndarray]:
    envs = [Toy() for _ in seeds]
    returns, lengths, _ = run_episodes(envs, seeds, lambda rows, going: rows[:, 1:] / 8, longest)
    return envs, returns, lengths


def test_episodes_run_to_their_own_ends_and_no_further():
    seeds = (4, 0, 7)
    envs, returns, lengths = evaluate(seeds)
    assert lengths.tolist() == [5, 1, 3]
    expected = [sum(seed + step / 8 for step in range(1, 2 + seed % 5)) for seed in seeds]
    assert returns.tolist() == expected
    assert [env.seeds for env in envs] == [[4], [0], [7]]


def test_an_episode_does_not_depend_on_those_beside_it():
    together, _, _ = evaluate((4, 0, 7))
    for env, seed in zip(together, (4, 0, 7), strict=True):
        (alone,), _, _ = evaluate((seed,))
        np.testing.assert_array_equal(env.taken, alone.taken)


def test_an_episode_without_end_is_cut():
    _, _, lengths = evaluate((4, 0, 7), longest=2)
    assert lengths.tolist() == [2, 1, 2]


class Even(Toy):
    """Succeeds at the last step of the episodes of even seeds; before it, that of the odd ones."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, _ = super().step(action)
        success = terminated or not (terminated or truncated or self.seeds[-1] % 2 == 0)
        return observation, reward, terminated, truncated, {"success": success}


def test_a_success_is_what_the_last_step_says():
    envs = [Even(), Toy(), Even(), Even()]
    *_, successes = run_episodes(envs, (4, 0, 7, 8), lambda rows, going: rows[:, 1:] / 8)
    np.testing.assert_array_equal(successes, [1.0, np.nan, 0.0, 1.0])
