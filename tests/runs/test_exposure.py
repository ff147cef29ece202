"""Exposure against check values, against the sum over gradient steps, and against every draw of
real runs."""

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from primacy.replay.buffer import Replay
from primacy.replay.reading import Reader
from primacy.runs import cli
from primacy.runs.exposure import Draws, Schedule, Span, counted, edges, expected, history, until
from primacy.runs.exposure_command import read_history
from primacy.runs.randomness import Randomness
from primacy.tests.support import offline_runs
from primacy.tests.support.small_runs import SMALL

PLAIN = Schedule(Fraction(1), 1, 1, 10**6)


@pytest.mark.parametrize(
    ("ratio", "batch", "start", "steps", "values"),
    [
        (1, 1, 1, 100, {1: 5.187378, 50: 0.708172, 99: 0.020101}),
        (32, 256, 10_000, 200_000, {1: 24_541.47, 100_000: 5_678.32}),
    ],
)
def test_the_check_values_of_the_study(ratio, batch, start, steps, values):
    """RR * B * sum_{t = max(i, start)}^{n} 1/t for the transition that arrives at step i."""
    schedule = Schedule(Fraction(ratio), batch, start, 10**6)
    found = expected(history([Span(schedule, 0, steps)]), steps)
    for step, value in values.items():
        assert found[step - 1] == pytest.approx(value, rel=1e-6, abs=6e-7)
    assert found.sum() == pytest.approx(ratio * batch * (steps - start + 1))


def by_steps(schedule: Schedule, steps: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Expected draws by a plain loop, and (oldest, count) of every gradient step."""
    given, found, each = schedule.given, np.zeros(schedule.given + steps), []

    def draw(updates: int, oldest: int, stop: int) -> None:
        for _ in range(updates):
            found[oldest:stop] += schedule.batch_size / (stop - oldest)
            each.append((oldest, stop - oldest))

    draw(schedule.offline_updates, max(0, given - schedule.capacity), given)
    done = 0
    for step in range(1, steps + 1):
        if schedule.prime_updates and step == schedule.prime_transitions:
            draw(schedule.prime_updates, 0, step)
        due = int(max(0, step - schedule.start_steps + 1) * schedule.ratio)
        draw(due - done, max(0, given + step - schedule.capacity), given + step)
        done = due
    return found, each


SCHEDULES = {
    "fraction": Schedule(Fraction(2, 3), 5, 7, 10**6),
    "ring": Schedule(Fraction(2), 3, 10, 25),
    "primed": Schedule(Fraction(1), 4, 20, 10**6, prime_updates=30, prime_transitions=12),
    "primed while learning": Schedule(
        Fraction(3), 4, 5, 10**6, prime_updates=30, prime_transitions=12
    ),
    "given and primed": Schedule(
        Fraction(3), 4, 5, 10**6, given=50, prime_updates=30, prime_transitions=12
    ),
    "given": Schedule(Fraction(1), 4, 1, 60, given=50, offline_updates=20),
}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
def test_expected_is_the_sum_over_gradient_steps(schedule: Schedule):
    steps = 80
    wanted, each = by_steps(schedule, steps)
    draws = history([Span(schedule, 0, steps)])
    assert draws[0].total == len(each)
    assert np.allclose(expected(draws, schedule.given + steps), wanted, rtol=1e-12, atol=1e-9)
    two = history([Span(schedule, 0, 33), Span(schedule, 33, steps)])
    assert two[1].first == two[0].total
    assert np.allclose(expected(two, schedule.given + steps), wanted, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
def test_counted_is_every_draw_of_the_generator(schedule: Schedule, monkeypatch):
    monkeypatch.setattr("primacy.runs.exposure.CHUNK", 17)
    steps, batch = 80, schedule.batch_size
    _, each = by_steps(schedule, steps)
    wanted = np.zeros((2, schedule.given + steps), dtype=np.int64)
    for step, (oldest, count) in enumerate(each):
        drawn = Randomness((3, 8)).source("replay", step, 1).uniform("batch", (batch,))[:, 0]
        numbers = oldest + (drawn * count).long().numpy()
        for lane in range(2):
            np.add.at(wanted[lane], numbers[lane], 1)
    draws = history([Span(schedule, 0, 40), Span(schedule, 40, steps)])
    for lane, seed in enumerate((3, 8)):
        assert np.array_equal(counted(draws, seed, schedule.given + steps), wanted[lane])


def test_the_mean_of_many_seeds_is_the_expected_one():
    schedule = SCHEDULES["primed"]
    draws = history([Span(schedule, 0, 80)])
    mean, seeds = expected(draws, 80), 400
    found = np.mean([counted(draws, seed, 80) for seed in range(seeds)], axis=0)
    deviation = np.sqrt(np.maximum(mean, 1e-9) / seeds)
    assert np.abs((found - mean) / deviation).max() < 4.5
    assert found.sum() == pytest.approx(mean.sum())


def test_only_the_gradient_steps_that_were_done():
    draws = until(history([Span(PLAIN, 0, 10), Span(PLAIN, 10, 20)]), 13)
    assert [part.total for part in draws] == [10, 3]
    assert np.allclose(expected(draws, 20), expected(history([Span(PLAIN, 0, 13)]), 20))


def test_groups_are_cut_where_exposure_jumps():
    schedule = Schedule(Fraction(1), 1, 300, 10**6, prime_updates=1, prime_transitions=100)
    ends = edges(schedule, 2000, 4)
    assert ends.tolist() == [0, 100, 300, 500, 1000, 1500, 2000]
    assert edges(schedule, 3, 20).tolist() == [0, 1, 2, 3]


# Real runs, every draw of which is counted.


@pytest.fixture
def drawn(monkeypatch) -> list[np.ndarray]:
    """The numbers of the transitions of every sample, int64 [S, B]."""
    seen: list[np.ndarray] = []
    read, at = Reader.ages, Replay.at

    def ages(self: Reader, uniforms: torch.Tensor, first: int | None):
        found = read(self, uniforms, first)
        seen.append(found + (self.replay.total - self.replay.size))
        return found

    def gather(self: Replay, ages: torch.Tensor, *arguments, **named):
        seen.append((ages + (self.total - self.size)).numpy())
        return at(self, ages, *arguments, **named)

    monkeypatch.setattr(Reader, "ages", ages)
    monkeypatch.setattr(Replay, "at", gather)
    return seen


def brute_force(drawn: list[np.ndarray], transitions: int) -> np.ndarray:
    found = np.zeros((2, transitions), dtype=np.int64)
    for numbers in drawn:
        for lane in range(2):
            np.add.at(found[lane], numbers[lane], 1)
    return found


def again(run: Path) -> tuple[list[Draws], np.ndarray]:
    found = read_history(run, None)
    held = found.transitions
    return found.draws, np.stack([counted(found.draws, seed, held) for seed in found.seeds])


QUIET = ["--diagnose-every", "0", "--eval-every", "0", "--env-steps", "150"]
PRIMED = ["--prime-updates", "40", "--prime-transitions", "30"]


def run(*arguments: str) -> None:
    assert cli.main(list(arguments)) == 0


def refused(capsys, *arguments: str) -> str:
    capsys.readouterr()
    assert cli.main(["exposure", *arguments]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 2, error
    return error


def test_a_primed_run_its_fork_and_its_transplant(tmp_path: Path, drawn: list[np.ndarray], capsys):
    parent, fork, transplant = (tmp_path / name for name in ("run", "fork", "transplant"))
    options = [*SMALL, *QUIET, *PRIMED, "--replay-ratio", "3/2", "--keep-checkpoints", "every=100"]
    run("train", *options, "--out", str(parent))
    before = list(drawn)
    draws, found = again(parent)
    assert np.array_equal(found, brute_force(before, 150))
    assert np.abs(found.mean(0) - expected(draws, 150)).max() < 6 * np.sqrt(found.max())

    drawn.clear()
    changed = ["--replay-ratio", "1", "--batch-size", "8", "--compile", "never", "--quiet"]
    run("fork", str(parent), "--at", "100", *changed, "--out", str(fork))
    shared = before[: 40 + 76]  # 40 of priming, and by env step 100 51 * 3 // 2 others.
    assert np.array_equal(again(fork)[1], brute_force([*shared, *drawn], 150))

    parent.rename(tmp_path / "moved")
    assert "move the parent back" in refused(capsys, str(fork))
    same = tmp_path / "same"
    run("fork", str(tmp_path / "moved"), "--at", "100", "--quiet", "--out", str(same))
    (tmp_path / "moved").rename(parent)
    assert np.array_equal(again(same)[1], brute_force(before, 150))
    assert "is gone" in read_history(same, None).notes[0]

    drawn.clear()
    offline = ["--first", "90", "--offline-updates", "25", "--replay-capacity", "100"]
    short = ["--env-steps", "40", "--compile", "never", "--quiet", "--out", str(transplant)]
    run("transplant", str(parent), *offline, *short)
    assert np.array_equal(again(transplant)[1], brute_force(drawn, 130))

    capsys.readouterr()
    run("exposure", str(transplant), "--bins", "4")
    printed = capsys.readouterr().out
    with (transplant / "exposure.csv").open() as file:
        table = list(csv.DictReader(file))
    assert {row["seed"] for row in table} == {"0", "1"}
    first = table[0]
    assert (first["first_env_step"], first["oldest_age"]) == ("-89", "129")
    assert table[-1]["last_env_step"] == "40"
    wanted = brute_force(drawn, 130)
    own = [row for row in table if row["seed"] == "1"]
    assert [float(row["counted_mean"]) * int(row["transitions"]) for row in own] == pytest.approx(
        [
            wanted[1][int(row["first_env_step"]) + 89 : int(row["last_env_step"]) + 90].sum()
            for row in own
        ]
    )
    assert "-89" in printed
    assert "exposure.csv" in printed


def test_symmetric_sampling_and_a_switch_that_a_fork_has(tmp_path: Path, drawn: list[np.ndarray]):
    data, parent, fork = (tmp_path / name for name in ("data.npz", "run", "fork"))
    offline_runs.write(data)
    quiet = ("--diagnose-every", "0", "--eval-every", "0", "--n-step", "2")
    switched = ("--relearn-updates", "7", "--online-sampling", "symmetric:0.25")
    offline_runs.train(data, parent, *quiet, "--env-steps", "0")
    options = (*switched, "--env-steps", "40", "--quiet", "--out", str(fork))
    run("fork", str(parent), "--at", "0", *options)
    draws, found = again(fork)
    assert np.array_equal(found, brute_force(drawn, 98))
    assert sum(part.total for part in draws) == 12 + 7 + 36
    assert np.abs(found.mean(0) - expected(draws, 98)).max() < 6 * np.sqrt(found.max())
    assert found[0, 58:].sum() == 36 * 12
    parent.rename(tmp_path / "gone")
    assert np.array_equal(again(fork)[1], brute_force(drawn, 98))
    drawn.clear()
    whole = tmp_path / "whole"
    offline_runs.train(data, whole, *quiet, *switched, "--env-steps", "40")
    assert np.array_equal(again(whole)[1], found)


def test_updates_of_several_gradient_steps(tmp_path: Path, drawn: list[np.ndarray]):
    out, rlpd = tmp_path / "run", ["--agent", "rlpd", "--critic-steps", "4", "--critics", "2"]
    options = [word for word in SMALL if word not in ("--learning-rate", "1e-3")]
    primed = ["--prime-updates", "8", "--prime-transitions", "30"]
    run("train", *options, *QUIET, *rlpd, *primed, "--replay-ratio", "3", "--out", str(out))
    draws, found = again(out)
    assert np.array_equal(found, brute_force(drawn, 150))
    assert np.abs(found.mean(0) - expected(draws, 150)).max() < 6 * np.sqrt(found.max())
    assert sum(part.total for part in draws) == 8 + 4 * (101 * 3 // 4)


def test_what_has_no_exposure(tmp_path: Path, capsys):
    assert "config.json" in refused(capsys, str(tmp_path))
    done = tmp_path / "run"
    run("train", *SMALL, *QUIET, "--env-steps", "60", "--out", str(done))
    assert "60" in refused(capsys, str(done), "--at", "61")
    assert "--bins" in refused(capsys, str(done), "--bins", "0")
    (done / "status.json").unlink()
    assert "status.json" in refused(capsys, str(done))
