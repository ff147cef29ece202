"""The ant seen from the leg that points where it should go.

D4RL's ant is one leg four times, turned by 90 degrees about the torso's z. Numbered from the leg
nearest to the direction to go, its state and its actions are the same whichever leg that is, so a
policy in this frame learns one quarter of the headings and walks along all of them.
"""

import numpy as np

FEATURES = 28
ANKLES = np.array([1.0, -1.0, -1.0, 1.0])
"""Legs 1 to 4: their ankles' axes alternate; with this sign every ankle lives in 30..70 degrees."""
MOTORS = np.array([3, 0, 1, 2])
"""Legs, from 0, in the order of the actions."""
JOINT_SPEED = 0.2
"""What joint speeds, in rad/s, are multiplied by."""

_COS, _SIN = np.array([1.0, 0.0, -1.0, 0.0]), np.array([0.0, 1.0, 0.0, -1.0])


def look(observation: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the policy sees, and by how many quarters the frame is turned: [N, 28], integers [N].

    Height; in the turned torso's frame the direction of gravity (3), velocity (3) and angular
    velocity (3); hip and ankle of each leg (8), their speeds x 0.2 (8); cos and sin of the
    direction, within 45 degrees of forward. `observation` [N, 29] is AntMaze's, `direction` [N, 2]
    a unit vector in the world.
    """
    count = len(observation)
    torso = _rotation(observation[:, 3:7])
    ahead = np.concatenate([direction, np.zeros((count, 1))], axis=1)
    heading = np.einsum("nij,ni->nj", torso, ahead)
    angle = np.arctan2(heading[:, 1], heading[:, 0])
    turns = np.floor((angle + np.pi / 4) / (np.pi / 2)).astype(np.int64) % 4
    velocity = np.einsum("nij,ni->nj", torso, observation[:, 15:18])
    forward = _turned(heading, turns)
    norm = np.hypot(forward[:, 0], forward[:, 1])
    norm = np.where(norm > 0.0, norm, 1.0)
    features = np.concatenate(
        [
            observation[:, 2:3],
            _turned(-torso[:, 2], turns),
            _turned(velocity, turns),
            _turned(observation[:, 18:21], turns),
            _legs(observation[:, 7:15], turns),
            JOINT_SPEED * _legs(observation[:, 21:29], turns),
            forward[:, :2] / norm[:, None],
        ],
        axis=1,
    )
    return features, turns


def motors(action: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """AntMaze's actions [N, 8] from the policy's: hip and ankle of each leg in the turned frame."""
    legs = action.reshape(-1, 4, 2)
    order = (np.arange(4) - turns[:, None]) % 4
    own = np.take_along_axis(legs, order[:, :, None], axis=1)
    own[:, :, 1] *= ANKLES.astype(own.dtype)
    return own[:, MOTORS].reshape(-1, 8)


def upright(observation: np.ndarray) -> np.ndarray:
    """z of the torso's up-vector, [N]: 1 upright, -1 upside down."""
    return _rotation(observation[:, 3:7])[:, 2, 2]


def _rotation(quaternion: np.ndarray) -> np.ndarray:
    """[N, 4] as w, x, y, z, of any length -> [N, 3, 3], from the body's frame to the world's."""
    w, x, y, z = (quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1)


def _turned(vector: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """[N, 3] in the torso's frame, in the frame turned by `turns` quarters about its z."""
    cos, sin = _COS[turns], _SIN[turns]
    x, y, z = vector.T
    return np.stack([cos * x + sin * y, cos * y - sin * x, z], axis=1)


def _legs(joints: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Hips and ankles [N, 8] of legs 1 to 4, with one sign, from the leg the frame begins at."""
    legs = joints.reshape(-1, 4, 2) * np.stack([np.ones(4), ANKLES], axis=1)
    order = (np.arange(4) + turns[:, None]) % 4
    return np.take_along_axis(legs, order[:, :, None], axis=1).reshape(-1, 8)
