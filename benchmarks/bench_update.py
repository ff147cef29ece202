"""Our SAC update against a plain PyTorch one and the matrix-product limit, by CPU time, interleaved
in one run.

    python benchmarks/bench_update.py            # 2x256, batch 256, S = 1; 2x64, batch 32, S = 10
"""

import time
from collections.abc import Callable, Mapping

import numpy as np
import torch

from primacy.agents.products import LEAST, products, suits
from primacy.agents.sac import SAC, SACConfig
from primacy.agents.transitions import Transitions
from primacy.tests.support.plain_sac import PlainSAC, Sample

OBSERVATION, ACTION = 78, 12


def batch_of(seeds: int, size: int) -> tuple[Transitions, torch.Tensor]:
    randn = torch.randn
    batch = Transitions(
        randn(seeds, size, OBSERVATION),
        torch.tanh(randn(seeds, size, ACTION)),
        torch.rand(seeds, size),
        torch.full((seeds, size), 0.99),
        randn(seeds, size, OBSERVATION),
    )
    return batch, randn(seeds, 2, size, ACTION)


def stacked(seeds: int, width: int, size: int, compiled: bool) -> Callable[[], None]:
    agent = SAC(
        SACConfig(hidden_sizes=(width, width)),
        OBSERVATION,
        ACTION,
        [np.random.default_rng(seed) for seed in range(seeds)],
    )
    if compiled:
        agent.compile()
    batch, noise = batch_of(seeds, size)
    return lambda: agent.update(batch, noise)


def plain(seeds: int, width: int, size: int) -> Callable[[], None]:
    agents = [PlainSAC(OBSERVATION, ACTION, width) for _ in range(seeds)]
    batch, noise = batch_of(seeds, size)
    samples = [Sample(*(column[lane] for column in batch)) for lane in range(seeds)]

    def update() -> None:
        for lane, agent in enumerate(agents):
            agent.update(samples[lane], noise[lane])

    return update


def matrix_limit(seeds: int, width: int, size: int) -> Callable[[], None]:
    """The matrix products that an update cannot do without, and nothing else.

    (rows, inner, columns) of every forward, input-gradient and weight-gradient product: target
    policy and target critics forward; critics forward and backward; policy forward and backward;
    critics forward and input gradient.
    """
    i, q = OBSERVATION, OBSERVATION + ACTION
    policy = [(size, i, width), (size, width, width), (size, width, 2 * ACTION)]
    critic = 2 * [(size, q, width), (size, width, width), (size, width, 1)]
    weights = [(k, m, n) for m, k, n in policy + critic]
    inputs = [(size, 2 * ACTION, width), (size, width, width)]  # policy
    inputs += 2 * [(size, 1, width), (size, width, width)]  # critics, critic loss
    inputs += 2 * [
        (size, 1, width),
        (size, width, width),
        (size, width, ACTION),
    ]  # critics, actor loss
    shapes = policy + critic + critic + weights + policy + critic + inputs
    pairs = [(torch.randn(seeds, m, k), torch.randn(seeds, k, n)) for m, k, n in shapes]
    ways = [products if suits() and m * k * n >= LEAST else torch.bmm for m, k, n in shapes]

    def multiply() -> None:
        for way, pair in zip(ways, pairs, strict=True):
            way(*pair)

    return multiply


def measure(ways: Mapping[str, Callable[[], object]], rounds: int, calls: int) -> dict[str, float]:
    """Least CPU milliseconds per call of each way, all ways taking turns."""
    for way in ways.values():
        for _ in range(3):
            way()
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            for _ in range(calls):
                way()
            best[name] = min(best[name], 1e3 * (time.process_time() - start) / calls)
    return best


def main() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    for seeds, width, size, calls in ((1, 256, 256, 5), (3, 64, 64, 20), (10, 64, 32, 10)):
        best = measure(
            {
                "limit": matrix_limit(seeds, width, size),
                "compiled": stacked(seeds, width, size, True),
                "eager": stacked(seeds, width, size, False),
                "plain": plain(seeds, width, size),
            },
            rounds=15,
            calls=calls,
        )
        print(f"width {width}, batch {size}, S = {seeds}: CPU ms per update of all seeds")
        for name, value in best.items():
            print(
                f"  {name:<9} {value:8.3f}   plain/this {best['plain'] / value:5.2f}   "
                f"this/limit {value / best['limit']:5.2f}"
            )


if __name__ == "__main__":
    main()
