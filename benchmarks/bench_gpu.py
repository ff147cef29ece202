"""Updates of the agents that see on a GPU, with replay there, by wall-clock time, and the hours
that 100,000 env steps at replay ratio 2 make of them.

    python benchmarks/bench_gpu.py                       # DrQ, BBF without self-prediction, BBF
    python benchmarks/bench_gpu.py bbf --seeds 1 5 --steps 100
    python benchmarks/bench_gpu.py drq-eps --device cpu --steps 5    # a trial of this script

Updates are timed alone and as runs take them, drawn from replay and with priorities given back.
Every setting also says how far the uncompiled update and the compiled one, which a GPU replays as
one recording, are apart after the same batches.
"""

import argparse
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from bench_value import ACTIONS, BATCH, SHAPE

from primacy.agents.bbf import BBF
from primacy.replay.draws import Priorities, Uniform
from primacy.replay.frame_layout import FrameLayout
from primacy.replay.frames import FrameReplay
from primacy.runs.frame_sampling import PrioritisedSampler
from primacy.runs.randomness import Randomness
from primacy.runs.settings import SETTINGS

UPDATES = 196_000
"""Of 100,000 env steps at replay ratio 2."""
HELD = 20_000
"""Transitions in replay."""
WINDOW = 64
"""Updates whose random numbers are drawn at once."""
DEFAULT = ("drq-atari", "bbf-rl", "bbf")
NAMES = ("drq-eps", "drq-atari", "spr", "sr-spr", "bbf-rl", "bbf")


def filled(seeds: int, exponent: float, device: str) -> FrameReplay:
    """Replay with random frames in episodes of 200 steps."""
    layout = FrameLayout(SHAPE[1:])
    draws = Priorities(seeds, HELD, device) if exponent else Uniform()
    replay = FrameReplay(layout, seeds, HELD, draws=draws, device=device)
    rng = np.random.default_rng(0)
    images = lambda: rng.integers(0, 256, (seeds, *SHAPE[1:]), dtype=np.uint8)  # noqa: E731
    frame = images()
    for step in range(1, HELD + 1):
        over, after = np.full(seeds, step % 200 == 0), images()
        action, reward = rng.integers(0, ACTIONS, seeds), rng.normal(size=seeds)
        replay.add(layout.pack(frame, action, reward, over, np.zeros(seeds, bool), after))
        frame = images() if step % 200 == 0 else after
    return replay


def milliseconds(work: Callable[[int], object], steps: int, device: str) -> float:
    """Mean wall-clock time of a call."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    for step in range(steps):
        work(step)
    wait()
    return 1e3 * (time.perf_counter() - start) / steps


class Bench:
    """One setting with S seeds, and its replay."""

    def __init__(self, name: str, seeds: int, device: str) -> None:
        self.name, self.seeds, self.device = name, seeds, device
        self.config: Any = SETTINGS[name]("atari-pong")
        self.replay = filled(seeds, self.config.algorithm.priority_exponent, device)
        rng = np.random.default_rng(1)
        self.uniforms = torch.from_numpy(rng.random((WINDOW, seeds, BATCH))).to(device)
        source = Randomness(tuple(range(seeds))).source("policy-noise", 0, WINDOW)
        self.noise = self.agent().draw(source, BATCH)

    def agent(self) -> BBF:
        draws = [np.random.default_rng(seed) for seed in range(self.seeds)]
        return BBF(self.config.algorithm, SHAPE, ACTIONS, draws, device=self.device)

    def sampler(self, agent: BBF) -> PrioritisedSampler:
        parts: Any = SimpleNamespace(config=self.config, agent=agent, replay=self.replay)
        return PrioritisedSampler(parts)

    def apart(self, plain: BBF, compiled: BBF) -> None:
        """Five updates of each on the same batches: how far their weights are apart then."""
        begin = time.perf_counter()
        batches = [self.sampler(plain).draw(self.uniforms[step], step) for step in range(5)]
        for one in (plain, compiled):
            for step, batch in enumerate(batches):
                one.update(batch, self.noise[step])
        largest = max(
            float((value - compiled.critic[name]).abs().max())
            for name, value in plain.critic.items()
        )
        taken = time.perf_counter() - begin
        print(
            f"{self.name}, S = {self.seeds}: weights are {largest:.1e} apart after 5 updates "
            f"({taken:.0f} s with compiling)",
            flush=True,
        )

    def run(self, steps: int) -> None:
        """Print all figures."""
        plain, compiled = self.agent(), self.agent()
        compiled.compile()
        self.apart(plain, compiled)
        for way, one in (("uncompiled", plain), ("compiled", compiled)):
            sampler = self.sampler(one)
            some = sampler.draw(self.uniforms[0], 0)

            def whole(step: int, one: BBF = one, sampler: PrioritisedSampler = sampler) -> None:
                batch = sampler.draw(self.uniforms[step % WINDOW], step)
                one.update(batch, self.noise[step % WINDOW])
                sampler.learned(batch)

            def alone(step: int, one: BBF = one, some: Any = some) -> None:
                one.update(some, self.noise[step % WINDOW])

            update = milliseconds(alone, steps, self.device)
            taken = milliseconds(whole, steps, self.device)
            print(
                f"  {way:<10} update of all seeds {update:9.2f} ms, with replay {taken:9.2f} ms: "
                f"{1e3 * self.seeds / taken:8.1f} updates/s, "
                f"{UPDATES * taken / 3.6e6 / self.seeds:7.2f} hours per seed",
                flush=True,
            )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("settings", nargs="*", help=" ".join(NAMES), default=DEFAULT)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    given = parser.parse_args()
    if given.device == "cuda":
        if not torch.cuda.is_available():
            print("no CUDA device is available: nothing to time")
            return 0
        print(torch.cuda.get_device_name())
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    for name in given.settings:
        for seeds in given.seeds:
            Bench(name, seeds, given.device).run(given.steps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
