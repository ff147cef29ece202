"""Offline-to-online runs at smoke size on cartpole, in this process, and their data."""

from pathlib import Path

import numpy as np

from primacy.runs import cli

SMALL = (
    "--task cartpole-swingup --action-repeat 8 --seeds 0 1 --hidden-sizes 16 16 --batch-size 16 "
    "--start-steps 5 --env-steps 30 --offline-updates 12 --eval-every 15 --eval-episodes 1 "
    "--diagnose-every 15 --log-every 10 --checkpoint-every 10 --compile never --quiet"
).split()


def arrays(count: int = 60, seed: int = 0) -> dict[str, np.ndarray]:
    """What a file for cartpole-swingup holds: two time-outs and a terminal."""
    generator = np.random.default_rng(seed)
    ends = np.arange(count)
    return {
        "observations": generator.normal(2.0, [1, 2, 3, 4, 5], (count, 5)).astype(np.float32),
        "actions": generator.uniform(-1, 1, (count, 1)).astype(np.float32),
        "rewards": generator.uniform(0, 1, count).astype(np.float32),
        "terminals": ends == 30,
        "timeouts": np.isin(ends, (14, count - 1)),
    }


def write(path: Path, **options: int) -> Path:
    np.savez(path, **arrays(**options))  # pyright: ignore
    return path


def run(*arguments: str | Path) -> int:
    return cli.main([str(argument) for argument in arguments])


def train(data: Path, out: Path, *arguments: str) -> Path:
    assert run("train", *SMALL, "--offline-data", data, "--out", out, *arguments) == 0
    return out
