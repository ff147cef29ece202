"""What acting sees is what replay gives back: the stacks of FrameStack and of FrameReplay."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.envs.atari_frames import FrameStack
from primacy.replay.frame_layout import FrameLayout
from primacy.replay.frame_store import BeforeStart
from primacy.replay.frames import Drawn, FrameReplay, Returns


@pytest.mark.parametrize("frame", [(3, 4), (3, 2, 5)])
@pytest.mark.parametrize("before", ["zero", "repeat"])
@settings(max_examples=20, deadline=None)
@given(
    ends=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=9),
    stack=st.integers(1, 4),
)
def test_acting_sees_what_replay_gives_back(
    frame: tuple[int, ...], before: BeforeStart, ends: list[tuple[bool, bool]], stack: int
):
    lanes, steps = 2, len(ends)
    draw = np.random.default_rng(steps)
    layout = FrameLayout(frame, 1)
    replay = FrameReplay(layout, lanes, steps, stack, before)
    stacks = FrameStack(lanes, frame, stack, before)
    picture = lambda: draw.integers(0, 256, (lanes, *frame)).astype(np.uint8)  # noqa: E731
    here, began = picture(), np.ones(lanes, dtype=bool)
    seen, led_to = [], []
    for flags in ends:
        seen.append(stacks.push(here, began))
        after, truncated = picture(), np.array(flags)
        zero = np.zeros(lanes, dtype=np.float32)
        actions = np.zeros((lanes, 1), dtype=np.float32)
        rows = layout.pack(here, actions, zero, np.zeros(lanes, dtype=bool), truncated, after)
        replay.add(rows)
        ahead = FrameStack(lanes, frame, stack, before)
        ahead.frames[...] = stacks.frames
        led_to.append(ahead.push(after, np.zeros(lanes, dtype=bool)))
        over = truncated.reshape(-1, *[1] * len(frame))
        here, began = np.where(over, picture(), after), truncated
    ages = torch.arange(steps).expand(lanes, -1)
    batch = replay.at(Drawn(ages, torch.ones(lanes, steps), steps - 1), Returns())
    np.testing.assert_array_equal(batch.observation.numpy(), np.stack(seen, 1))
    np.testing.assert_array_equal(batch.next_observation.numpy(), np.stack(led_to, 1))
