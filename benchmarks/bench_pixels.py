"""DrQ's updates beside its convolutions alone, and pictures of DeepMind Control, by CPU time.

    python benchmarks/bench_pixels.py                      # the study's network, batch 64
    python benchmarks/bench_pixels.py jaxrl --batch 512    # minutes
    python benchmarks/bench_pixels.py study --compile

The limit is the time of one update's passes through the convolutions, each image as often as the
update sees it, in plain PyTorch layers at the same shapes and layouts.
"""

import argparse
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import torch
from timing import best_of
from torch import nn

from primacy.agents.drq import SETTINGS, DrQ, DrQConfig
from primacy.agents.transitions import Transitions
from primacy.envs.dmc_pixel_tasks import STACK, VARIANTS, published_action_repeat
from primacy.envs.suites import make
from primacy.runs.randomness import Randomness

SHAPES = {"study": (STACK, 64, 64), "jaxrl": (9, 84, 84), "original": (9, 84, 84)}
TASKS = ("cartpole-swingup", "cheetah-run", "walker-walk", "quadruped-run")
ACTIONS = 6


def update_of(one: DrQ, shape: tuple[int, int, int], batch: int) -> Callable[[], object]:
    """An update on random images."""
    seeds, rows = one.num_seeds, batch * one.steps_per_update
    pixels = [torch.randint(0, 256, (seeds, rows, *shape), dtype=torch.uint8) for _ in range(2)]
    action, reward = torch.rand(seeds, rows, ACTIONS) * 2 - 1, torch.rand(seeds, rows)
    sample = Transitions(pixels[0], action, reward, torch.full_like(reward, 0.99), pixels[1])
    source = Randomness(tuple(range(seeds))).source("policy-noise", 0, 1)
    noise = one.draw(source, batch)[0]
    return lambda: one.update(sample, noise)


def convolutions_of(one: DrQ, batch: int) -> Callable[[], object]:
    """The same images through the convolutions of one seed, with and without gradients."""
    convs = [node.conv for node in one.encoder.nodes()]
    pads = [1 if conv.padding == "same" else 0 for conv in convs]
    pairs = [
        (nn.Conv2d(conv.shape[0], conv.channels, 3, conv.stride, pad), nn.ReLU())
        for conv, pad in zip(convs, pads, strict=True)
    ]
    last = torch.channels_last
    plain: Any = nn.Sequential(*chain(*pairs))
    encoder = plain.to(memory_format=last)
    config = one.config
    passes = config.critic_steps * config.augmentations
    blind = 2 * config.critic_steps * config.target_augmentations + 1
    images = torch.rand(batch, *convs[0].shape).contiguous(memory_format=last)

    def run() -> None:
        for _ in range(passes):
            encoder(images).square().sum().backward()
        with torch.no_grad():
            for _ in range(blind):
                encoder(images)

    return run


def pictures(rounds: int) -> None:
    """CPU time of an env step at the published action repeat, with its picture."""
    for task in TASKS:
        for variant in VARIANTS:
            name = f"{task}-{variant}"
            env = make(name, published_action_repeat(name))
            env.reset(seed=0)
            action = env.action_space.sample()
            print(f"{name}: {best_of(lambda e=env, a=action: e.step(a), rounds):.1f} CPU ms a step")
            env.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", nargs="*", choices=[*SETTINGS, []])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--compile", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    pictures(given.rounds)
    for setting in given.settings or ("study",):
        config, shape = SETTINGS[setting](DrQConfig()), SHAPES[setting]
        single = DrQ(config, shape, ACTIONS, [np.random.default_rng(0)])
        for seeds in given.seeds:
            draws = [np.random.default_rng(seed) for seed in range(seeds)]
            one = DrQ(config, shape, ACTIONS, draws)
            if given.compile:
                one.compile()
            update = best_of(update_of(one, shape, given.batch), given.rounds)
            print(f"{setting}, S = {seeds}: {update / seeds:.1f} CPU ms per seed", flush=True)
        limit = best_of(convolutions_of(single, given.batch), given.rounds)
        print(f"{setting}: convolutions alone {limit:.1f} CPU ms", flush=True)


if __name__ == "__main__":
    main()
