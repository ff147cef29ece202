"""Episodes as bytes, so that equal means bit for bit."""

import gymnasium
import numpy as np


def random_actions(env: gymnasium.Env, count: int, seed: int) -> np.ndarray:
    """Uniform actions, float32 [count, A]."""
    shape = env.action_space.shape
    assert shape is not None
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (count, *shape)).astype(np.float32)


def record(env: gymnasium.Env, seed: int, actions: np.ndarray) -> list[bytes]:
    """Everything that reset(seed) and the actions give, one entry a step."""
    observation, _ = env.reset(seed=seed)
    found = [observation.tobytes()]
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(action)
        found.append(
            observation.tobytes() + np.float64(reward).tobytes() + bytes([terminated, truncated])
        )
    return found
