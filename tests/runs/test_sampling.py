"""Symmetric sampling and standardised observations against hand-made batches and agents."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.agents.agent import Agent
from primacy.agents.transitions import interleave
from primacy.replay.buffer import Replay, ReplayError
from primacy.replay.journal import Journal
from primacy.replay.layout import Layout
from primacy.runs import checkpoint as checkpoints
from primacy.runs.assembly import make_agent
from primacy.runs.config import read
from primacy.runs.evaluate import Evaluator
from primacy.runs.evaluate_command import load_agent
from primacy.runs.observations import view_of
from primacy.runs.randomness import Randomness
from primacy.runs.shares import given_rows
from primacy.runs.spaces import spaces_of
from primacy.tests.support.offline_runs import run, train, write

LAYOUT = Layout(2, 1)


def numbered(count: int, ends: tuple[int, ...] = ()) -> Replay:
    """Two lanes of transitions whose reward is their number, 1000 more in the second lane."""
    replay = Replay(LAYOUT, 2, 50)
    number = np.arange(count) + np.array([[0], [1000]])
    flags = np.isin(np.arange(count), ends) & np.ones((2, 1), bool)
    seen = np.stack([number, -number], -1)
    replay.extend(LAYOUT.pack(seen, seen[..., :1], number, np.zeros((2, count)), flags, seen))
    return replay


@given(st.integers(1, 40), st.integers(1, 64), st.integers(1, 5), st.data())
def test_every_mini_batch_holds_the_share(numerator, size, batches, data):
    numerator = min(numerator, size)
    rows = given_rows(Fraction(numerator, size), size * batches).reshape(batches, size)
    assert (rows.sum(1) == numerator).all()
    assert rows[0, 0]


def test_a_half_is_the_field_s_interleaving():
    replay = numbered(30)
    uniforms = torch.rand(2, 12, dtype=torch.float64)
    ages = (uniforms[:, 0::2] * 20).long(), 20 + (uniforms[:, 1::2] * 10).long()
    wanted = interleave(replay.at(ages[0]), replay.at(ages[1]))
    rows = torch.from_numpy(given_rows(Fraction(1, 2), 12))
    found = replay.sample_split(uniforms, rows, 20)
    for name, value in wanted._asdict().items():
        assert torch.equal(getattr(found, name), value), name


@settings(deadline=None)
@given(st.integers(1, 29), st.integers(1, 4), st.integers(0, 2**32), st.sampled_from([0, 5, 24]))
def test_windows_do_not_reach_across(count: int, n_step: int, seed: int, end: int):
    """By brute force: each row's reward is the sum over its own side alone."""
    replay = numbered(30, ends=(end,))
    uniforms = torch.rand(2, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    rows = given_rows(Fraction(1, 4), 8)
    found = replay.sample_split(uniforms, torch.from_numpy(rows), count, n_step, 0.5)
    for lane in range(2):
        for row in range(8):
            low, high = (0, count) if rows[row] else (count, 30)
            first = low + int(float(uniforms[lane, row]) * (high - low))
            window = []
            for number in range(first, min(first + n_step, high)):
                window.append(number)
                if number == end:
                    break
            reward = sum(0.5**i * (number + 1000 * lane) for i, number in enumerate(window))
            assert found.reward[lane, row] == pytest.approx(reward)
            assert found.discount[lane, row] == 0.5 ** len(window)


def test_both_sides_must_be_held():
    replay = numbered(60)  # Ten more than it holds.
    uniforms, rows = torch.zeros(2, 4, dtype=torch.float64), torch.ones(4, dtype=torch.bool)
    with pytest.raises(ReplayError, match="both sides of 20"):
        replay.sample_split(uniforms, rows, 20)
    with pytest.raises(ReplayError, match="both sides of 9"):
        numbered(9).sample_split(uniforms, rows, 9)


SETTINGS = {
    "symmetric": ("--online-sampling", "symmetric:0.25", "--warmup-policy", "agent"),
    "iql": ("--agent", "iql", "--warmup-policy", "random"),
    "rlpd": (
        *("--online-sampling", "symmetric:0.5", "--agent", "rlpd", "--critic-steps", "3"),
        *("--replay-ratio", "3"),
    ),
}


@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
def test_a_standardised_run_is_that_of_a_hand_made_agent(options: tuple[str, ...], tmp_path: Path):
    """Acting, updates and evaluation once more, with every observation standardised by hand."""
    data = write(tmp_path / "data.npz")
    out = train(data, tmp_path / "run", "--normalize-observations", *options)
    config, journal = read(out), Journal.open(out / "journal")
    seeds, steps = Randomness(config.seeds), config.algorithm.steps_per_update
    views = journal.layout.views(torch.from_numpy(journal.read(0, 88)))
    seen = views.observation[:58].double().numpy()
    mean, std = (torch.tensor(x, dtype=torch.float32) for x in (seen.mean(0), seen.std(0) + 1e-3))

    def look(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([(x[i] - mean[i]) / std[i] for i in range(2)])

    agent, _ = make_agent(config, seeds, spaces_of(config))

    def update(call: int, held: int) -> None:
        uniforms = seeds.source("replay", call, 1).uniform("batch", (16 * steps,))[:, 0]
        rows = np.array([given_share(config.online_sampling, i) for i in range(16 * steps)])
        early = torch.from_numpy(rows | (held == 58 or config.online_sampling == "append"))
        count = held if config.online_sampling == "append" else 58
        ages = torch.where(early, (uniforms * count).long(), 58 + (uniforms * (held - 58)).long())
        batch = pick(journal, held, ages)
        batch = batch._replace(
            observation=look(batch.observation), next_observation=look(batch.next_observation)
        )
        agent.update(batch, agent.draw(seeds.source("policy-noise", call, 1), 16)[0])

    for call in range(12 // steps):
        update(call, 58)
    done = 12 // steps
    check_evaluation(config, agent, look, out)
    for step in range(30):
        if step + 1 >= 5 or config.warmup_policy == "agent":
            noise = seeds.source("exploration", step, 1).normal("policy", (1,))[:, 0]
            now = views.observation[58 + step]
            assert torch.equal(agent.act(look(now), noise), views.action[58 + step]), step
        if step + 1 >= 5:
            update(done, 58 + step + 1)
            done += 1
    found, _ = checkpoints.newest(out / "checkpoints")
    assert found is not None
    for name, value in agent.state().items():
        if name not in ("sums", "updates"):
            assert torch.equal(found.tensors[f"agent/{name}"], value), name
    assert run("evaluate", out, "--episodes", "1") == 0


def given_share(sampling: str, row: int) -> bool:
    return row % {"symmetric:0.25": 4, "symmetric:0.5": 2}.get(sampling, 1) == 0


def pick(journal: Journal, held: int, ages: torch.Tensor):
    replay = Replay(journal.layout, 2, held)
    replay.extend(journal.read(0, held).swapaxes(0, 1))
    return replay.at(ages)


def check_evaluation(config, agent: Agent, look, out: Path) -> None:
    """evaluations.csv at env step 0, from an agent that standardises by itself."""

    class Looking:
        def act_greedily(self, observation: torch.Tensor) -> torch.Tensor:
            return agent.act_greedily(look(observation))

    evaluator = Evaluator(config, spaces_of(config), 1)
    hand: Agent = Looking()  # pyright: ignore
    scores = evaluator.evaluate(hand, Randomness(config.seeds), 0, lambda: None)
    evaluator.close()
    lines = (out / "evaluations.csv").read_text().splitlines()[1:3]
    found = [float(line.split(",")[5]) for line in lines]
    assert found == pytest.approx(scores.returns.mean(1).tolist(), rel=1e-9)


def test_the_statistics_do_not_depend_on_the_other_seeds(tmp_path: Path):
    out = train(write(tmp_path / "data.npz"), tmp_path / "run", "--normalize-observations")
    config, journal = read(out), Journal.open(out / "journal")
    assert load_agent(out, config, 30)[1] == 30
    x = torch.randn(2, 3, 5)
    both = view_of(config, journal)(x)
    alone = Journal(tmp_path / "alone", journal.layout, (1,))
    for row in journal.read(0, 58):
        alone.append(row[1:])
    assert torch.equal(view_of(config, alone)(x[1:]), both[1:])
