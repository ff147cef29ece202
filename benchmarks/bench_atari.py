"""Atari environment steps of one core, and what evaluation in many lanes takes.

    python benchmarks/bench_atari.py [game] [lanes]

CPU time, so that other work on the machine shows less.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from primacy.envs.atari import Atari
from primacy.envs.atari_frames import AreaResize, FrameStack
from primacy.envs.lanes import Lanes


def megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu(work: Callable[[], object], times: int) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


def main(game: str = "breakout", count: str = "100") -> None:
    before, start = megabytes(), time.process_time()
    envs = [Atari(f"atari-{game}") for _ in range(int(count))]
    made = time.process_time() - start
    generator = np.random.default_rng(0)
    for size in (1, 5, len(envs)):
        lanes = Lanes(envs[:size], lambda lane, episode: 1000 * lane + episode, life_ends=True)
        lanes.start()
        stack = FrameStack(size, (84, 84))

        def step(lanes: Lanes = lanes, stack: FrameStack = stack, size: int = size) -> None:
            stack.push(lanes.observations, lanes.began)
            lanes.step(generator.integers(lanes.action_size, size=size))

        each = cpu(step, 2000 // size) / size
        print(f"{game}, {size} lanes: {1 / each:,.0f} steps/s")
    print(f"{len(envs)} consoles: {made / len(envs) * 1e3:.0f} ms to make one")
    print(f"{(megabytes() - before) / len(envs):.1f} MB each")
    env, screen = envs[0], np.zeros((210, 160), dtype=np.uint8)
    ale, resize = env._ale, AreaResize((210, 160), (84, 84))
    print(f"emulator frame {cpu(lambda: ale.act(0), 4000) * 1e6:.0f} us")
    print(f"grey screen {cpu(lambda: ale.getScreenGrayscale(screen), 2000) * 1e6:.0f} us")
    print(f"resize {cpu(lambda: resize(screen), 2000) * 1e6:.0f} us")
    print(f"reset {cpu(lambda: env.reset(seed=0), 20) * 1e3:.1f} ms")
    state = env.state()
    print(f"state {len(state):,} bytes, save {cpu(env.state, 200) * 1e6:.0f} us")
    print(f"restore {cpu(lambda: env.restore(state), 200) * 1e6:.0f} us")
    for env in envs:
        env.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
