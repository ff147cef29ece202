"""The Atari protocol of Dopamine and BBF, frame by frame and pixel by pixel, on a console that is
switched on anew for every episode."""

import math
from fractions import Fraction

import numpy as np
from ale_py import ALEInterface, LoggerMode, roms


def load(game: str) -> ALEInterface:
    ALEInterface.setLoggerMode(LoggerMode.Error)
    ale = ALEInterface()
    ale.setFloat("repeat_action_probability", 0.0)
    path = roms.get_rom_path(game)
    assert path is not None
    ale.loadROM(path)
    return ale


class PlainAtari:
    """One episode: a fresh console, `noops` agent steps of nothing, then `step`."""

    def __init__(self, game: str, noops: int) -> None:
        self.ale = load(game)
        self.ale.reset_game()
        self.lives = self.ale.lives()
        self.screen = self.ale.getScreenGrayscale()
        for _ in range(noops):
            reward, terminal, game_over, frames = self.step(0)
            if terminal:
                self.ale.reset_game()
                self.lives = self.ale.lives()
                self.screen = self.ale.getScreenGrayscale()

    def step(self, action: int) -> tuple[float, bool, bool, int]:
        """Reward, terminal (life loss or game over), game over, frames."""
        reward, screens = 0.0, []
        button = self.ale.getMinimalActionSet()[action]
        for frame in range(1, 5):
            reward += self.ale.act(button)
            screens.append(self.ale.getScreenGrayscale())
            lives, self.lives = self.lives, self.ale.lives()
            game_over = self.ale.game_over(with_truncation=False)
            terminal = game_over or self.lives < lives
            if terminal or frame == 4:
                # Of the third and fourth frame; where the step is cut short, of its last.
                pooled = screens[2:] if frame >= 3 else screens[-1:]
                self.screen = np.maximum.reduce(pooled)
                return reward, terminal, game_over, frame
        raise AssertionError


def exact_means(picture: np.ndarray, target: tuple[int, int]) -> list[list[Fraction]]:
    """The mean over each target pixel's area, as fractions."""
    rows, columns = [
        _overlaps(length, size) for length, size in zip(picture.shape, target, strict=True)
    ]
    return [
        [
            sum((h * w * int(picture[y, x]) for y, h in row for x, w in column), Fraction(0))
            for column in columns
        ]
        for row in rows
    ]


def _overlaps(source: int, target: int) -> list[list[tuple[int, Fraction]]]:
    scale = Fraction(source, target)
    found = []
    for pixel in range(target):
        start, stop = pixel * scale, (pixel + 1) * scale
        at = range(math.floor(start), math.ceil(stop))
        parts = [(i, min(Fraction(i + 1), stop) - max(Fraction(i), start)) for i in at]
        found.append([(i, part / scale) for i, part in parts])
    return found
