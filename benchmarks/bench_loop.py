"""What a training step costs beside simulator and networks, and what the diagnostics cost.

    python benchmarks/bench_loop.py     # quadruped-walk, 2x256, batch 256, replay ratio 1, one seed

Runs the real loop with a compiled update and reads CPU time around its parts: sampling, noise,
packing, the replay, the journal and Python itself are what is left.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from primacy.runs.compilation import compile_update
from primacy.runs.config import SCHEMA, RunConfig, to_dict
from primacy.runs.folder import RunFolder
from primacy.runs.settings import sac
from primacy.runs.train import Training

WARM_UP, STEPS, ROUNDS = 100, 200, 5


class Clock:
    """CPU seconds spent inside a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        start = time.process_time()
        answer = self.function(*arguments)
        self.seconds += time.process_time() - start
        return answer


def prepared(config: RunConfig, folder: RunFolder) -> Training:
    """A run past its random steps, compiled and warm."""
    training = Training(config, folder, quiet=True)
    training._resume()
    compile_update(config, training.parts.agent, print)
    for _ in range(config.start_steps + WARM_UP):
        training._advance()
    return training


def main() -> None:
    torch.set_num_threads(1)
    config = replace(
        sac("quadruped-walk"),
        start_steps=300,
        env_steps=100_000,
        eval_every=0,
        diagnose_every=0,
        log_every=100_000,
        compile="always",
    )
    with TemporaryDirectory() as place:
        folder = RunFolder.open(Path(place) / "run", to_dict(config), SCHEMA)
        training = prepared(config, folder)
        parts = training.parts
        owners = {"step": parts.lanes, "update": parts.agent, "act": parts.agent}
        clocks = {name: Clock(getattr(owner, name)) for name, owner in owners.items()}
        for name, owner in owners.items():
            vars(owner)[name] = clocks[name]
        rounds = []
        for _ in range(ROUNDS):
            for clock in clocks.values():
                clock.seconds = 0.0
            start = time.process_time()
            for _ in range(STEPS):
                training._advance()
            whole = time.process_time() - start
            rounds.append([whole, *(clock.seconds for clock in clocks.values())])
        best = [1e3 * t / STEPS for t in min(rounds)]
        start = time.process_time()
        for step in range(ROUNDS):
            training.diagnostics.measure("interval", step, step)
        measured = 1e3 * (time.process_time() - start) / ROUNDS
        training.close()
        folder.close()
    whole, simulator_ms, update_ms, act_ms = best
    rest = whole - simulator_ms - update_ms - act_ms
    interval = sac("quadruped-walk").diagnose_every
    print(f"{config.task}, replay ratio 1, CPU ms per env step: {whole:.2f}")
    print(f"  simulator {simulator_ms:.2f}, update {update_ms:.2f}, policy forward {act_ms:.2f}")
    print(f"  replay and host, all else: {rest:.3f} = {rest / whole:.1%} (bar: 5%)")
    share = measured / (interval * whole)
    print(f"  diagnostics {measured:.1f} ms, every {interval:,} steps: {share:.2%} (bar: 3%)")


if __name__ == "__main__":
    main()
