"""Episodes cut out of rows and put back, whatever the flags, seams and pieces."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.replay.episodes import episodes
from primacy.replay.layout import Layout

LAYOUT = Layout(2, 1)
KINDS = ("goes on", "terminated", "truncated", "both", "seam")


def lane(kinds: list[str], seed: int) -> np.ndarray:
    """Rows whose steps end as `kinds` says; observations are any bits, NaN and -0.0 among them."""
    random = np.random.default_rng(seed)
    bits = random.integers(0, 2**32, (len(kinds) + 1, 2, 2), dtype=np.uint32).view(np.float32)
    bits[random.random(bits.shape) < 0.3] = -0.0
    rows = random.standard_normal((len(kinds), LAYOUT.width)).astype(np.float32)
    observation = bits[0, 0]
    for step, kind in enumerate(kinds):
        rows[step, :2] = observation
        rows[step, 4] = kind in ("terminated", "both")
        rows[step, 5] = kind in ("truncated", "both")
        rows[step, 6:] = bits[step + 1, 0]
        observation = bits[step + 1, 0]
        if kind != "goes on":
            # A seam differs in one sign alone.
            observation = observation.copy()
            observation.view(np.uint32)[0] ^= np.uint32(1 << 31)
    return rows


@settings(max_examples=150, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=30),
    cuts=st.sets(st.integers(1, 29)),
    seed=st.integers(0, 1000),
)
def test_rows_come_back_bit_for_bit(kinds: list[str], cuts: set[int], seed: int):
    rows = lane(kinds, seed)
    pieces = np.split(rows, sorted(cut for cut in cuts if cut < len(rows)))
    found = list(episodes(pieces, LAYOUT))
    assert b"".join(one.rows(LAYOUT).tobytes() for one in found) == rows.tobytes()
    assert [one.start for one in found] == np.cumsum([0, *map(len, found)])[:-1].tolist()
    ends = {"goes on": "cut", "seam": "cut", "both": "terminated"}
    over = [kind for kind in kinds[:-1] if kind != "goes on"] + kinds[-1:]
    assert [one.end for one in found] == [ends.get(kind, kind) for kind in over]


def test_nothing_has_no_episode():
    assert list(episodes([], LAYOUT)) == []
