import hashlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.envs.atari_frames import AreaResize, BeforeStart, FrameStack
from primacy.tests.support.envs_plain_atari import exact_means

SCREEN, SMALL = (210, 160), (84, 84)


def picture(number: int, size: tuple[int, int] = SCREEN) -> np.ndarray:
    """Noise of 7 + 31 * number grey levels, by arithmetic that no library decides."""
    at = np.arange(size[0] * size[1], dtype=np.uint64) + np.uint64(number * 1_000_003)
    mixed = (at * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)) >> np.uint64(40)
    return (mixed % np.uint64(7 + 31 * number)).astype(np.uint8).reshape(size)


# Of cv2.resize(..., (84, 84), interpolation=cv2.INTER_AREA), OpenCV 5.0.0.
OPENCV = {
    (210, 160): "276fc38542e0b1a7720d88f8522d35f6173b394b7d97137b11025b34372ab07e",
    (250, 160): "1f4d7c98149f8e00f64cf742baeecc6c243225b2d803b01866a5bb20711ae49a",
}


@pytest.mark.parametrize("size", OPENCV)
def test_pictures_shrink_bit_for_bit_as_opencv_shrinks_them(size: tuple[int, int]):
    resize, total = AreaResize(size, SMALL), hashlib.sha256()
    for number in range(8):
        total.update(resize(picture(number, size)).tobytes())
    assert total.hexdigest() == OPENCV[size]


def test_pictures_shrink_as_opencv_here_shrinks_them():
    cv2 = pytest.importorskip("cv2")
    resize, generator = AreaResize(SCREEN, SMALL), np.random.default_rng(0)
    for _ in range(100):
        noise = generator.integers(0, 256, SCREEN, dtype=np.uint8)
        wanted = cv2.resize(noise, SMALL, interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(resize(noise), wanted)


@pytest.mark.parametrize("target", [(4, 4), (8, 5), (21, 12), (30, 40)])
def test_a_pixel_is_the_mean_of_its_area(target: tuple[int, int]):
    noise = picture(8, (30, 40))
    small = AreaResize((30, 40), target)(noise)
    assert small.shape == target
    for row, exact in zip(small.tolist(), exact_means(noise, target), strict=True):
        for pixel, mean in zip(row, exact, strict=True):
            assert abs(pixel - mean) <= Fraction(1, 2) + Fraction(1, 10_000)


@given(level=st.integers(0, 255))
@settings(max_examples=20, deadline=None)
def test_one_grey_stays_that_grey(level: int):
    small = AreaResize(SCREEN, SMALL)(np.full(SCREEN, level, dtype=np.uint8))
    assert (small == level).all()


def test_pictures_only_shrink():
    with pytest.raises(ValueError, match="shrunk only"):
        AreaResize((84, 84), (85, 84))


@settings(max_examples=60, deadline=None)
@given(
    began=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12),
    stack=st.integers(1, 5),
    before=st.sampled_from(["zero", "repeat"]),
)
def test_a_stack_is_the_last_frames_of_this_life(
    began: list[tuple[bool, bool]], stack: int, before: BeforeStart
):
    stacks = FrameStack(2, (2, 3), stack, before)
    lives: list[list[np.ndarray]] = [[], []]
    for step, flags in enumerate(began):
        frames = np.array([[[step + 1] * 3] * 2, [[step + 101] * 3] * 2], dtype=np.uint8)
        got = stacks.push(frames, np.array([step == 0 or flag for flag in flags]))
        for lane, flag in enumerate(flags):
            if flag or not step:
                lives[lane] = []
            lives[lane].append(frames[lane])
            padding = lives[lane][0] if before == "repeat" else np.zeros((2, 3))
            wanted = ([padding] * stack + lives[lane])[-stack:]
            np.testing.assert_array_equal(got[lane], wanted)
        assert got.dtype == np.uint8
        got[...] = 255  # The caller's to keep, and to write.
