"""RLPD's critic update and IQL's update against plain PyTorch ones, by CPU time, interleaved in one
run.

    python benchmarks/bench_offline.py           # the sizes of the papers, then those of small runs
"""

from collections.abc import Callable

import numpy as np
import torch

from primacy.agents.iql import IQL, IQLConfig
from primacy.agents.rlpd import RLPD, RLPDConfig
from primacy.agents.transitions import Transitions
from primacy.benchmarks.bench_update import measure
from primacy.tests.support.plain_iql import PlainIQL
from primacy.tests.support.plain_rlpd import PlainRLPD
from primacy.tests.support.plain_sac import Sample

OBSERVATION, ACTION = 29, 8  # the ant's
Way = Callable[[], object]


def batch_of(size: int) -> Transitions:
    """One seed's transitions of an AntMaze-like task, rewards -1."""
    return Transitions(
        torch.randn(1, size, OBSERVATION),
        torch.tanh(torch.randn(1, size, ACTION)),
        -torch.ones(1, size),
        torch.full((1, size), 0.99),
        torch.randn(1, size, OBSERVATION),
    )


def of_one(batch: Transitions) -> Sample:
    return Sample(*(column[0] for column in batch))


def iql(hidden: tuple[int, ...], size: int) -> dict[str, Way]:
    """One gradient step: value, actor, two critics, target."""
    batch = batch_of(size)
    sample, noise = of_one(batch), torch.empty(1, 0)
    ways: dict[str, Way] = {}
    for name in ("compiled", "eager"):
        agent = IQL(IQLConfig(hidden), OBSERVATION, ACTION, [np.random.default_rng(0)])
        if name == "compiled":
            agent.compile()
        ways[name] = lambda agent=agent: agent.update(batch, noise)
    plain = PlainIQL(OBSERVATION, ACTION, hidden)
    return ways | {"plain": lambda: plain.update(sample)}


def rlpd(hidden: tuple[int, ...], size: int, critics: int) -> dict[str, Way]:
    """One critic step and its target's."""
    batch = batch_of(size)
    sample, noise, subset = of_one(batch), torch.randn(1, size, ACTION), torch.tensor([[1]])
    config = RLPDConfig(hidden, critics=critics, subset=1, entropy_backup=False)
    ways: dict[str, Way] = {}
    for name in ("compiled", "eager"):
        agent = RLPD(config, OBSERVATION, ACTION, [np.random.default_rng(0)])
        if name == "compiled":
            agent.compile()
        ways[name] = lambda agent=agent: agent._critic_step(batch, noise, subset)
    plain = PlainRLPD(OBSERVATION, ACTION, hidden, critics, entropy_backup=False)
    return ways | {"plain": lambda: plain.update_critic(sample, noise[0], [1])}


def main() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    cases = {
        "IQL, 2x256, batch 256": (iql((256, 256), 256), 5),
        "RLPD critic step, E 10, 3x256, batch 256": (rlpd((256, 256, 256), 256, 10), 2),
        "IQL, 2x128, batch 256": (iql((128, 128), 256), 10),
        "RLPD critic step, E 4, 3x128, batch 128": (rlpd((128, 128, 128), 128, 4), 10),
    }
    for title, (ways, calls) in cases.items():
        best = measure(ways, rounds=15, calls=calls)
        print(f"{title}: CPU ms per step of one seed", flush=True)
        for name, value in best.items():
            print(f"  {name:<9} {value:8.3f}   plain/this {best['plain'] / value:5.2f}", flush=True)


if __name__ == "__main__":
    main()
