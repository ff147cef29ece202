"""Counter-based random words, a function of (seed, purpose, label, counter), without torch.

Philox 4x64 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") is keyed by the
seed, the purpose and the labels, and positioned by the counter.
"""

from functools import cache
from hashlib import blake2b

import numpy as np

PURPOSES = (
    "environment",
    "exploration",
    "replay",
    "policy-noise",
    "initialisation",
    "intervention",
    "evaluation",
    "diagnostics",
    "data",
)


@cache
def key(seed: int, purpose: str, labels: tuple[str, ...]) -> int:
    """128 bits of key. Raises ValueError for a purpose that is none."""
    if purpose not in PURPOSES:
        raise ValueError(f"no such purpose of randomness: {purpose!r}")
    text = "\0".join((str(seed), purpose, *labels))
    return int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "little")


def words(
    seed: int, purpose: str, label: str, start: int, count: int, per_counter: int
) -> np.ndarray:
    """Random words of the counters start .. start + count - 1, uint64 [count, per_counter]."""
    # A whole number of 4-word blocks per counter, so that a counter's numbers do not depend on
    # where a call starts.
    blocks = -(-per_counter // 4)
    generator = np.random.Philox(key=key(seed, purpose, (label,)), counter=start * blocks)
    return generator.random_raw(count * blocks * 4).reshape(count, -1)[:, :per_counter]


def unit(drawn: np.ndarray) -> np.ndarray:
    """Words uint64 as float64 in [0, 1), 53 random bits each."""
    return (drawn >> np.uint64(11)).astype(np.float64) * 2.0**-53
