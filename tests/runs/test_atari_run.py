"""A run of an agent that sees, once more as a loop in plain Python."""

from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from primacy.envs.suites import make
from primacy.plasticity.chain import Chain
from primacy.replay.draws import Span
from primacy.replay.journal import Journal
from primacy.runs import checkpoint as checkpoints
from primacy.runs.assembly import make_agent
from primacy.runs.conduct import train
from primacy.runs.config import RunConfig
from primacy.runs.randomness import Randomness
from primacy.runs.spaces import spaces_of
from primacy.tests.support import atari_runs
from primacy.tests.support.replay_frames import Naive, PlainFrames, Step
from primacy.tests.support.value_pairs import Frames, Sequence

torch.set_num_threads(1)


class Lane:
    """The game of one seed: everything that happened, and the priorities of it."""

    def __init__(self, config: RunConfig, seed: int) -> None:
        self.env: Any = make(config.task, 4)
        self.seed, self.episode, self.length = seed, 0, 0
        self.plain = PlainFrames(4, "zero")
        self.naive = Naive(config.env_steps)
        self.returns: list[float] = []
        self.total = 0.0
        self.reset()

    def reset(self) -> None:
        number = Randomness((self.seed,)).integers("environment", self.episode)[0]
        self.frame, _ = self.env.reset(seed=number)
        self.life = [self.frame]

    def stack(self) -> np.ndarray:
        black = [np.zeros_like(self.frame)] * 4
        return np.stack([*black, *self.life][-4:])

    def step(self, action: int) -> None:
        after, reward, over, truncated, info = self.env.step(action)
        self.plain.history.append(
            Step(
                self.frame, np.asarray(action), reward, over or info["life_lost"], truncated, after
            )
        )
        self.naive.add(len(self.plain.history) - 1)
        self.frame, self.total = after, self.total + reward
        self.life = [after] if info["life_lost"] else [*self.life, after]
        if over or truncated:
            self.returns.append(self.total)
            self.total, self.episode = 0.0, self.episode + 1
            self.reset()

    def draw(self, uniforms: list[float], config: Any, beta: float, n: int, discount: float):
        held = len(self.plain.history)
        newest, size = held - 1, min(held, 64)
        oldest = held - size
        if config.priority_exponent:
            ages, weights = self.naive.draw(uniforms, Span(oldest, size - config.margin), beta)
        else:
            ages, weights = [int(u * (size - config.margin)) for u in uniforms], [1.0] * 6
        length = config.jumps + 1 if config.jumps else 1
        clipped = [
            step._replace(reward=min(max(step.reward, -1.0), 1.0)) for step in self.plain.history
        ]
        plain = PlainFrames(4, "zero")
        plain.history = clipped
        found = [plain.sample(oldest + age, newest, n, discount, length) for age in ages]
        return [oldest + age for age in ages], weights, found


def batch_of(drawn: list[Any], sequences: bool) -> Any:
    def tensor(value: Any, dtype: Any) -> torch.Tensor:
        return torch.from_numpy(
            np.array([[value(x) for x in found] for _, _, found in drawn], dtype)
        )

    weight = torch.tensor([weights for _, weights, _ in drawn])
    stacks = tensor(lambda x: x.stacks, np.uint8)
    actions = tensor(lambda x: x.actions, np.int64)
    common = (
        tensor(lambda x: x.reward, np.float32),
        tensor(lambda x: x.discount, np.float32),
        tensor(lambda x: x.next_stack, np.uint8),
        weight,
    )
    if sequences:
        return Sequence(stacks, actions, *common, tensor(lambda x: x.mask, np.float32))
    return Frames(stacks[:, :, 0], actions[:, :, 0], *common)


def epsilon(config: RunConfig, step: int) -> float:
    algorithm: Any = config.algorithm
    final, decay, warmup = algorithm.final_epsilon, algorithm.epsilon_decay, config.start_steps - 1
    return final + min(max((1 - final) * (decay + warmup - step) / decay, 0), 1 - final)


def annealed(config: Any, updates: int) -> tuple[int, float]:
    left = max(config.annealing - updates, 0) / config.annealing
    n = config.n_step * exp(left * log(config.first_n_step / config.n_step))
    ratio = (1 - config.first_discount) / (1 - config.discount)
    return round(n), 1 - (1 - config.discount) * exp(left * log(ratio))


@pytest.mark.parametrize(
    ("agent", "more"),
    [
        ("bbf", ("--jumps", "2", "--margin", "9")),
        ("drq-atari", ("--replay-ratio", "1")),
        ("drq-eps", ()),
    ],
)
def test_a_run_is_that_of_a_plain_loop(agent: str, more: tuple[str, ...], tmp_path: Path):
    config = atari_runs.config(agent, "--env-steps", "80", "--remedies", "none", *more)
    assert train(config, tmp_path / "run", quiet=True) == 0
    algorithm: Any = config.algorithm
    one: Any = make_agent(config, Randomness(config.seeds), spaces_of(config))[0]
    one.attach(Chain((), one.networks()))
    random, lanes = Randomness(config.seeds), [Lane(config, seed) for seed in config.seeds]
    updates, planned = 0, config.updates_until(80)
    for step in range(80):
        source = random.source("exploration", step, 1)
        u = source.uniform("choice", (2,))[:, 0].float()
        normal = source.normal("policy", (one.acting_noises - 3,))[:, 0]
        share = epsilon(config, step)
        noise = torch.cat((torch.full((2, 1), share), u, normal), 1)
        seen = torch.from_numpy(np.stack([lane.stack() for lane in lanes]))
        greedy = one.act(seen, noise)
        for i, lane in enumerate(lanes):
            explores = float(u[i, 0]) <= share
            lane.step(int(float(u[i, 1]) * one.action_count) if explores else int(greedy[i]))
        for _ in range(config.updates_until(step + 1) - config.updates_until(step)):
            uniforms = random.source("replay", updates, 1).uniform("batch", (6,))[:, 0].tolist()
            beta = algorithm.importance
            beta += (algorithm.final_importance - beta) * updates / (planned - 1)
            n, discount = annealed(algorithm, updates)
            drawn = [
                lane.draw(row, algorithm, beta, n, discount)
                for lane, row in zip(lanes, uniforms, strict=True)
            ]
            noise = one.draw(random.source("policy-noise", updates, 1), 6)[0]
            one.update(batch_of(drawn, algorithm.jumps > 0), noise)
            for lane, (places, _, _), losses in zip(lanes, drawn, one.losses, strict=True):
                lane.naive.prioritise(places, ((losses.double() + 1e-10) ** 0.5).tolist())
            updates += 1
    found, _ = checkpoints.newest(tmp_path / "run" / "checkpoints")
    assert found is not None
    journal = Journal.open(tmp_path / "run" / "journal")
    views = journal.layout.views(torch.from_numpy(journal.read(0, 80)))
    for i, lane in enumerate(lanes):
        assert views.action[:, i].tolist() == [int(s.action) for s in lane.plain.history]
        assert views.reward[:, i].tolist() == [s.reward for s in lane.plain.history]
    assert updates == planned > 0
    for name, value in one.state().items():
        if name not in ("sums", "updates"):
            theirs = found.tensors[f"agent/{name}"]
            assert torch.allclose(value.double(), theirs.double(), rtol=1e-4, atol=1e-6), name
    if algorithm.priority_exponent:
        kept = torch.tensor([lane.naive.leaves[80 - 64 :] for lane in lanes])
        assert torch.allclose(found.tensors["replay/priorities"], kept.double(), rtol=1e-4)
