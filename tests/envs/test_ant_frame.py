import numpy as np
import pytest

from primacy.envs.ant_directional import LIMIT, OPEN, REDRAW, DirectionalAnt
from primacy.envs.ant_frame import ANKLES, look, motors, upright
from primacy.envs.antmaze import Physics


def product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Of two quaternions w, x, y, z."""
    w, x, y, z = p
    a, b, c, d = q
    return np.array(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ]
    )


def quarter_turned(qpos: np.ndarray, qvel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same ant in the same place with its torso's frame turned by 90 degrees about its own z,
    so that what was leg 2 is now leg 1."""
    other, speed = qpos.copy(), qvel.copy()
    other[3:7] = product(qpos[3:7], np.array([np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]))
    x, y, z = qvel[3:6]
    speed[3:6] = y, -x, z
    for joints, moved in ((qpos[7:], other[7:]), (qvel[6:], speed[6:])):
        for leg in range(4):
            was = (leg + 1) % 4
            moved[2 * leg] = joints[2 * was]
            moved[2 * leg + 1] = ANKLES[leg] * ANKLES[was] * joints[2 * was + 1]
    return other, speed


@pytest.mark.parametrize("seed", range(8))
def test_a_quarter_turn_of_the_torso_is_not_seen(seed: int):
    generator = np.random.default_rng(seed)
    qpos, qvel = np.zeros(15), generator.normal(0.0, 0.5, 14)
    qpos[2] = 0.6
    qpos[3:7] = [1.0, *generator.uniform(-0.2, 0.2, 3)]
    qpos[3:7] /= np.linalg.norm(qpos[3:7])
    qpos[7::2] = generator.uniform(-0.4, 0.4, 4)
    qpos[8::2] = ANKLES * generator.uniform(0.6, 1.1, 4)
    angle = generator.uniform(-np.pi, np.pi)
    direction = np.array([[np.cos(angle), np.sin(angle)]])
    ants = [Physics(OPEN), Physics(OPEN)]
    seen = [ants[0].place(qpos, qvel, np.zeros(2))]
    seen.append(ants[1].place(*quarter_turned(qpos, qvel), np.zeros(2)))
    for _ in range(11):
        (one, turns), (two, turned) = (look(state[None], direction) for state in seen)
        assert (turns - turned) % 4 == 1
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-12)
        action = generator.uniform(-1, 1, (1, 8))
        commands = motors(action, turns)[0], motors(action, turned)[0]
        seen = [ant.step(command)[0] for ant, command in zip(ants, commands, strict=True)]


def test_features_of_an_upright_ant_by_hand():
    state = np.zeros((1, 29))
    state[0, :7] = 5.0, 6.0, 0.7, 1.0, 0.0, 0.0, 0.0
    state[0, 7:15] = np.arange(1, 9)
    state[0, 15:21] = 1.0, 2.0, 3.0, 4.0, 5.0, 6.0
    state[0, 21:29] = 10 * np.arange(1, 9)
    features, turns = look(state, np.array([[0.0, 1.0]]))
    assert turns.tolist() == [1]
    legs = [3, -4, 5, -6, 7, 8, 1, 2]
    expected = [0.7, 0, 0, -1, 2, -1, 3, 5, -4, 6, *legs, *(2 * np.array(legs)), 1, 0]
    np.testing.assert_allclose(features[0], expected, atol=1e-15)
    np.testing.assert_array_equal(
        motors(np.arange(1.0, 9.0)[None], turns)[0], [5, 6, 7, 8, 1, -2, 3, -4]
    )


def test_up_is_the_torso_s_own():
    states = np.zeros((2, 29))
    states[0, 3:7] = 2.0, 0.0, 0.0, 0.0
    states[1, 3:7] = 0.0, 1.0, 0.0, 0.0
    np.testing.assert_allclose(upright(states), [1.0, -1.0])


def test_the_reward_is_the_speed_along_the_direction_and_that_changes():
    env = DirectionalAnt()
    observation, _ = env.reset(seed=3)
    assert observation in env.observation_space
    generator, directions = np.random.default_rng(0), []
    for _ in range(2 * REDRAW):
        directions.append(tuple(env._direction))
        before = env.physics.data.qpos[:2].copy()
        _, reward, terminated, truncated, _ = env.step(generator.uniform(-1, 1, 8))
        assert not terminated
        assert not truncated
        moved = env.physics.data.qpos[:2] - before
        assert reward == pytest.approx(float(moved @ directions[-1]) / 0.1)
    assert len(set(directions)) == 2
    assert len(set(directions[:REDRAW])) == 1


def test_an_episode_is_a_function_of_its_seed_and_ends():
    def play() -> list[np.ndarray]:
        env = DirectionalAnt()
        seen, count = [env.reset(seed=5)[0]], 0
        terminated = truncated = False
        while not (terminated or truncated):
            observation, _, terminated, truncated, _ = env.step(np.full(8, 0.3))
            seen.append(observation)
            count += 1
        assert terminated == (count < LIMIT)
        return seen

    np.testing.assert_array_equal(play(), play())


def test_a_fallen_ant_ends_the_episode():
    env = DirectionalAnt()
    env.reset(seed=0)
    env.physics.data.qpos[3:7] = 0.0, 1.0, 0.0, 0.0
    _, _, terminated, truncated, _ = env.step(np.zeros(8))
    assert (terminated, truncated) == (True, False)
