"""Pictures as the agents of the literature see them: Atari's small and grey, the last few of any
together."""

from typing import Literal

import numpy as np

BeforeStart = Literal["zero", "repeat"]


class AreaResize:
    """Shrinks grey pictures uint8 [H, W] to uint8 [height, width] by the mean over each area.

    Bit-equal to OpenCV's INTER_AREA, which google/dopamine's atari_lib and so Bigger, Better,
    Faster use: the same float32 weights and the same order of sums, columns before rows, and halves
    rounded to even. The order matters: exact halves are common.
    """

    def __init__(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        """Sizes as (height, width). Raises ValueError where the target is larger."""
        if target[0] > source[0] or target[1] > source[1]:
            raise ValueError(f"{source} can be shrunk only, not resized to {target}")
        self._rows = _taps(source[0], target[0])
        self._columns = _taps(source[1], target[1])

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """The picture [H, W], shrunk."""
        wide = picture.astype(np.float32)
        narrow = _sum([wide.take(at, axis=1) * weight for at, weight in self._columns])
        small = _sum([narrow.take(at, axis=0) * weight[:, None] for at, weight in self._rows])
        return np.rint(small).astype(np.uint8)


class FrameStack:
    """The last frames of S lanes, as the agent sees them: uint8 [S, stack * C, H, W], oldest first.

    C is 1 for grey frames [H, W], and that of frames [C, H, W]. Replay assembles the same stacks
    from single frames at sampling; this is what acting needs.
    """

    def __init__(
        self, lanes: int, frame: tuple[int, ...], stack: int = 4, before_start: BeforeStart = "zero"
    ) -> None:
        """What lies before an episode's or a life's first frame is zero, as in Dopamine and BBF,
        or that frame itself."""
        *channels, height, width = frame
        self._channels = channels[0] if channels else 1
        self._stack = stack
        shape = (lanes, stack * self._channels, height, width)
        self.frames = np.zeros(shape, dtype=np.uint8)
        """What `push` returned last; writing saved frames here goes on from them."""
        self._repeat = before_start == "repeat"

    def push(self, frames: np.ndarray, began: np.ndarray) -> np.ndarray:
        """Add a frame per lane, uint8 [S, (C,) H, W]; `began` bool [S] where it is the first of an
        episode or a life. Returns uint8 [S, stack * C, H, W], the caller's to keep."""
        newest = frames.reshape(-1, self._channels, *frames.shape[-2:])
        self.frames = np.roll(self.frames, -self._channels, axis=1)
        self.frames[began] = np.tile(newest[began], (1, self._stack, 1, 1)) if self._repeat else 0
        self.frames[:, -self._channels :] = newest
        return self.frames.copy()


def _sum(terms: list[np.ndarray]) -> np.ndarray:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _taps(source: int, target: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each k, the k-th source pixel of every target pixel (int64 [target]), and its weight
    (float32 [target]; 0 where the target pixel covers fewer)."""
    scale = source / target
    covered = []
    for pixel in range(target):
        start, stop = pixel * scale, min((pixel + 1) * scale, source)
        parts = []
        for at in range(int(start), min(int(np.ceil(stop)), source)):
            part = min(at + 1.0, stop) - max(float(at), start)
            # Slivers below OpenCV's threshold are rounding errors of its own boundaries.
            if part > 1e-3:
                parts.append((at, np.float32(part / (stop - start))))
        covered.append(parts)
    longest = max(map(len, covered))
    padded = [parts + [(parts[-1][0], np.float32(0))] * (longest - len(parts)) for parts in covered]
    return [
        (np.array([at for at, _ in tap]), np.array([weight for _, weight in tap], np.float32))
        for tap in zip(*padded, strict=True)
    ]
