"""Updates of the agents that see, by CPU time, beside their own convolutions and matrix products.

    python benchmarks/bench_value.py                  # DrQ(eps), DrQ; S = 1 and 2
    python benchmarks/bench_value.py bbf              # at full size: minutes
    python benchmarks/bench_value.py drq-eps --compile

The limit is the time of the convolutions and products of one update alone, at the same shapes and
layouts, each pass as often as the update makes it.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from timing import best_of
from torch import Tensor

from primacy.agents.bbf import BBF
from primacy.agents.convolutions import StackedConv
from primacy.agents.value_settings import SETTINGS, BBFConfig
from primacy.runs.randomness import Randomness
from primacy.tests.support.value_pairs import Frames, Sequence

SHAPE, ACTIONS, BATCH = (4, 84, 84), 18, 32


def inputs(one: BBF, seeds: int) -> tuple[Frames | Sequence, Tensor]:
    """A batch of random frames, and noise."""
    lead = (seeds, BATCH) if one.sequence_length == 1 else (seeds, BATCH, one.sequence_length)
    columns = (
        torch.randint(0, 256, (*lead, *SHAPE), dtype=torch.uint8),
        torch.randint(0, ACTIONS, lead),
        torch.randn(seeds, BATCH),
        torch.full((seeds, BATCH), 0.9),
        torch.randint(0, 256, (seeds, BATCH, *SHAPE), dtype=torch.uint8),
        torch.ones(seeds, BATCH),
    )
    noise = one.draw(Randomness(tuple(range(seeds))).source("policy-noise", 0, 1), BATCH)[0]
    if one.sequence_length == 1:
        return Frames(*columns), noise
    return Sequence(*columns, torch.ones(lead)), noise


def products(one: BBF) -> Iterator[tuple[float, Callable[[], object]]]:
    """Each layer's forward and backward passes at one seed, and how often an update makes both.

    A pass without gradient is counted as half of what a pass with gradient takes beside its
    backward: forward alone is timed separately and added.
    """
    jumps = one.config.jumps
    for node in one.net.encoder.nodes():
        yield from _conv(node.conv, BATCH * (2 + jumps), node is not one.net.encoder.nodes()[0])
    for conv in one.net.transition:
        for _ in range(jumps):
            yield from _conv(conv, 0, True)
    for layer in (*one.net.streams, *one.net.heads):
        yield from _linear(layer.inputs, layer.outputs, 1, 2)
    if jumps:
        for layer in (*one.net.streams, *one.net.predictor):
            yield from _linear(layer.inputs, layer.outputs, jumps, 1)


def _conv(
    conv: StackedConv, forward_only: int, inner: bool
) -> Iterator[tuple[float, Callable[[], object]]]:
    last = torch.channels_last
    kernel = torch.randn(conv.channels, conv.shape[0], conv.kernel, conv.kernel)
    kernel = kernel.contiguous(memory_format=last)
    pad = (conv.kernel - conv.stride) // 2 if conv.padding == "same" else 0

    def run(size: int, gradients: bool) -> Callable[[], object]:
        x = torch.randn(size, *conv.shape).contiguous(memory_format=last)
        x.requires_grad_(gradients and inner)
        w = kernel.clone().requires_grad_(gradients)
        if not gradients:
            return lambda: F.conv2d(x, w, None, conv.stride, pad)
        y = F.conv2d(x, w, None, conv.stride, pad)
        up = torch.randn_like(y)
        return lambda: F.conv2d(x, w, None, conv.stride, pad).backward(up)

    yield 1.0, run(BATCH, True)
    if forward_only:
        yield 1.0, run(forward_only, False)


def _linear(
    inputs: int, outputs: int, times: int, forward_only: int
) -> Iterator[tuple[float, Callable[[], object]]]:
    x = torch.randn(BATCH * times, inputs, requires_grad=True)
    w = torch.randn(inputs, outputs, requires_grad=True)
    up = torch.randn(BATCH * times, outputs)
    yield 1.0, lambda: (x @ w).backward(up)
    y, v = x.detach(), w.detach()
    yield float(forward_only), lambda: y @ v


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", nargs="*", choices=[*SETTINGS, []])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--compile", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    for setting in given.settings or ("drq-eps", "drq"):
        config = SETTINGS[setting](BBFConfig())
        single = BBF(config, SHAPE, ACTIONS, [np.random.default_rng(0)])
        for seeds in given.seeds:
            draws = [np.random.default_rng(seed) for seed in range(seeds)]
            one = BBF(config, SHAPE, ACTIONS, draws)
            if given.compile:
                one.compile()
            batch, noise = inputs(one, seeds)
            update = best_of(lambda one=one, b=batch, n=noise: one.update(b, n), given.rounds)
            print(f"{setting}, S = {seeds}: {update / seeds:.1f} CPU ms per seed", flush=True)
        rounds = max(given.rounds // 2, 2)
        limit = sum(times * best_of(way, rounds) for times, way in products(single))
        print(f"{setting}: convolutions and products alone {limit:.1f} CPU ms", flush=True)


if __name__ == "__main__":
    main()
