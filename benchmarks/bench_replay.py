"""Replay and journal by CPU time, ways taking turns in one run: packed rows beside plain arrays.

python benchmarks/bench_replay.py        # quadruped transitions, batch 256
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from primacy.benchmarks.bench_update import measure
from primacy.replay.buffer import Replay, describe
from primacy.replay.journal import Journal
from primacy.replay.layout import Layout

LAYOUT = Layout(observation_size=78, action_size=12)
CAPACITY = 200_000
BATCH = 256
Ways = dict[str, Callable[[], Any]]


def full(lanes: int) -> Replay:
    """A ring that has wrapped once, with episodes of 1,000 steps."""
    replay = Replay(LAYOUT, lanes, CAPACITY)
    rows = torch.randn(lanes, 1000, LAYOUT.width)
    parts = LAYOUT.views(rows)
    parts.terminated[:], parts.truncated[:] = 0, 0
    parts.truncated[:, -1] = 1
    while replay.total < CAPACITY + 500:
        replay.extend(rows)
    return replay


def five_arrays(replay: Replay) -> list[torch.Tensor]:
    """Observation, action, reward, termination and next observation of all lanes."""
    parts = LAYOUT.views(replay.rows.flatten(0, 1))
    return [
        part.clone()
        for part in (
            parts.observation,
            parts.action,
            parts.reward,
            parts.terminated,
            parts.next_observation,
        )
    ]


def sampling(replay: Replay, updates: int) -> Ways:
    uniforms = torch.rand(replay.lanes, updates, BATCH, dtype=torch.float64)
    arrays, flat = five_arrays(replay), replay.rows.flatten(0, 1)
    starts = torch.arange(replay.lanes).view(-1, 1, 1) * CAPACITY

    def indices() -> torch.Tensor:
        return (uniforms * CAPACITY).long() + starts

    return {
        "five arrays, advanced indexing": lambda: [array[indices()] for array in arrays],
        "five arrays, index_select": lambda: [
            array.index_select(0, indices().flatten()) for array in arrays
        ],
        "ours, n = 1": lambda: replay.sample(uniforms),
        "ours, n = 3": lambda: replay.sample(uniforms, n_step=3),
        "ours, n = 10": lambda: replay.sample(uniforms, n_step=10),
        "limit: bare gather of the rows": lambda: flat.index_select(0, indices().flatten()),
    }


def inserting(replay: Replay) -> Ways:
    lanes = replay.lanes
    arrays = [array.view(lanes, CAPACITY, -1) for array in five_arrays(replay)]
    parts = [np.random.rand(lanes, array.shape[2]).astype(np.float32) for array in arrays]
    o, a, reward, done, after = parts
    step = (o, a, reward[:, 0], done[:, 0], done[:, 0], after)
    rows = LAYOUT.pack(*step)

    def separately() -> None:
        for array, part in zip(arrays, parts, strict=True):
            array[:, 777] = torch.from_numpy(part)

    return {
        "five arrays": separately,
        "ours, packing included": lambda: replay.add(LAYOUT.pack(*step)),
        "ours, packed already": lambda: replay.add(rows),
    }


def appending(folder: Path, lanes: int) -> Ways:
    rows = np.random.rand(lanes, LAYOUT.width).astype(np.float32)
    journal = Journal(folder / f"journal-{lanes}", LAYOUT, range(lanes))
    unbuffered = (folder / f"plain-{lanes}").open("wb", buffering=0)
    return {
        "one write per step": lambda: unbuffered.write(rows.data),
        "ours": lambda: journal.append(rows),
    }


def table(title: str, ways: Ways, calls: int) -> None:
    """The first of `ways` is what the others are compared with."""
    best = measure(ways, rounds=15, calls=calls)
    print(f"{title}: CPU microseconds per call")
    reference = next(iter(best.values()))
    for name, value in best.items():
        print(f"  {name:<32} {1e3 * value:10.2f}   first/this {reference / value:5.2f}")


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for lanes in (1, 5):
            print(describe(LAYOUT, lanes, CAPACITY))
            replay = full(lanes)
            for updates in (1, 32):
                title = f"sample [{lanes}, {updates}, {BATCH}]"
                table(title, sampling(replay, updates), calls=max(1, 100 // (updates * lanes)))
            table(f"insert [{lanes}]", inserting(replay), calls=1000)
            table(f"journal [{lanes}]", appending(Path(folder), lanes), calls=500)


if __name__ == "__main__":
    main()
