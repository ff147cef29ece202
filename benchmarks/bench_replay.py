"""Replay and journal by CPU time, ways taking turns in one run: packed rows beside plain arrays.

python benchmarks/bench_replay.py             # quadruped transitions, batch 256
python benchmarks/bench_replay.py --frames    # 100,000 Atari frames, 32 stacks of 4
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from primacy.benchmarks.bench_update import measure
from primacy.replay.buffer import Replay, describe
from primacy.replay.draws import Priorities, Span
from primacy.replay.frame_layout import FrameLayout
from primacy.replay.frames import FrameReplay, Returns, describe_frames
from primacy.replay.journal import Journal
from primacy.replay.layout import Layout

LAYOUT = Layout(observation_size=78, action_size=12)
CAPACITY = 200_000
BATCH = 256
ATARI = FrameLayout((84, 84))
FRAMES = 100_000
STACKS = 32
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


def seen(lanes: int, prioritised: bool) -> FrameReplay:
    """A full ring of random images, lives of 250 steps, an episode cut short every 1,000."""
    draws = Priorities(lanes, FRAMES) if prioritised else None
    replay = FrameReplay(ATARI, lanes, FRAMES, draws=draws)
    frame = np.random.randint(0, 256, (lanes, 1001, 84, 84), dtype=np.uint8)
    number = np.broadcast_to(np.arange(1, 1001), (lanes, 1000))
    rows = ATARI.pack(
        frame[:, :-1], number % 18, number / 9, number % 250 == 0, number % 1000 == 0, frame[:, 1:]
    )
    while replay.total < FRAMES + 500:
        replay.extend(rows)
    return replay


def looking(replay: FrameReplay, name: str) -> Ways:
    uniforms = torch.rand(replay.lanes, STACKS, dtype=torch.float64)
    flat = replay.store.frames
    first = (uniforms.flatten() * (replay.lanes * FRAMES - 9)).long().unsqueeze(-1)
    both = (first + torch.tensor([0, 1, 2, 3, 1, 2, 3, 4])).flatten()
    images, stacks = flat.numpy(), both.view(-1, 2, 4).numpy()
    drawn, losses = replay.draw(uniforms), torch.rand_like(uniforms)

    def spr() -> Any:
        return replay.sequences_at(replay.draw(uniforms, margin=16), 6, Returns(10, 0.97))

    return {
        "numpy fancy indexing, stack and next": lambda: images[stacks],
        "limit: bare gather of the frames": lambda: flat.index_select(0, both),
        f"ours, {name}, n = 1": lambda: replay.sample(uniforms),
        f"ours, {name}, n = 10": lambda: replay.sample(uniforms, 10, 0.97),
        f"ours, {name}, n = 10, 6 steps (SPR)": spr,
        f"ours, {name}, draw alone": lambda: replay.draw(uniforms, margin=16),
        f"ours, {name}, new priorities": lambda: replay.prioritise(drawn.ages, losses),
    }


def watching(replay: FrameReplay, folder: Path) -> Ways:
    frame = np.random.randint(0, 256, (2, replay.lanes, 84, 84), dtype=np.uint8)
    zero = np.zeros(replay.lanes)
    one, two = (
        ATARI.pack(frame[i], zero.astype(int), zero, zero, zero, frame[1 - i]) for i in (0, 1)
    )
    journal = Journal(folder / f"frames-{replay.lanes}", ATARI, range(replay.lanes))

    def both() -> None:
        replay.add(one)
        replay.add(two)

    return {
        "two steps into the buffer": both,
        "packing a row": lambda: ATARI.pack(frame[0], zero.astype(int), zero, zero, zero, frame[1]),
        "a step into the journal": lambda: journal.append(one),
    }


def summing(lanes: int) -> Ways:
    """One draw of 32, and new priorities of 32, from 100,000 in a ring that has wrapped."""
    uniforms = torch.rand(lanes, STACKS, dtype=torch.float64)
    strata = (torch.arange(STACKS) + uniforms) / STACKS
    places = (uniforms * FRAMES).long()
    depth = FRAMES.bit_length()
    tree = torch.rand(lanes, 2 << depth, dtype=torch.float64)
    draws = Priorities(lanes, FRAMES)
    draws.added(0, FRAMES)

    def descend() -> None:
        rest, node = strata * tree[:, 1:2], torch.ones_like(places)
        for _ in range(depth):
            left = tree.gather(1, 2 * node)
            right = rest >= left
            rest, node = rest - left * right, 2 * node + right

    def climb() -> None:
        node = places + (1 << depth)
        for _ in range(depth):
            node = node // 2
            tree.scatter_(1, node, tree.gather(1, 2 * node) + tree.gather(1, 2 * node + 1))

    return {
        "sum tree, one draw": descend,
        "sum tree, new priorities": climb,
        "ours, one draw": lambda: draws.draw(uniforms, Span(0, FRAMES), 0.5),
        "ours, one draw, all but 16 of a ring": lambda: draws.draw(
            uniforms, Span(500, FRAMES - 16), 0.5
        ),
        "ours, new priorities": lambda: draws.prioritise(places, uniforms, None),
    }


def frames() -> None:
    """Everything about images, in one process that holds one buffer at a time."""
    for lanes in (1, 5):
        table(f"priorities [{lanes}, {STACKS}] of {FRAMES:,}", summing(lanes), calls=50)
    print(describe_frames(ATARI, 1, FRAMES))
    for prioritised in (False, True):
        replay = None  # The one before goes first: each is 0.7 GB.
        replay = seen(1, prioritised)
        name = "prioritised" if prioritised else "uniform"
        table(f"sample [1, {STACKS}] stacks of 4", looking(replay, name), calls=50)
    with tempfile.TemporaryDirectory() as folder:
        table("insert [1] image", watching(replay, Path(folder)), calls=100)


def table(title: str, ways: Ways, calls: int) -> None:
    """The first of `ways` is what the others are compared with."""
    best = measure(ways, rounds=15, calls=calls)
    print(f"{title}: CPU microseconds per call")
    reference = next(iter(best.values()))
    for name, value in best.items():
        print(f"  {name:<40} {1e3 * value:10.2f}   first/this {reference / value:5.2f}")


def main() -> None:
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
    torch.set_num_threads(1)
    frames() if sys.argv[1:] == ["--frames"] else main()
