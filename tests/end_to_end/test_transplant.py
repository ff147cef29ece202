"""Transplants of experience against hand-made buffers, and of networks against their source."""

import csv
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from primacy.replay.buffer import Replay
from primacy.replay.journal import Journal
from primacy.runs import checkpoint as checkpoints
from primacy.runs.assembly import make_agent
from primacy.runs.config import read
from primacy.runs.randomness import Randomness
from primacy.runs.spaces import spaces_of
from primacy.runs.transplant import networks
from primacy.tests.support.small_runs import digest, primacy, start_command, train

FAST = ("--quiet", "--compile", "never")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("source") / "run"
    answer = train(out)
    assert answer.returncode == 0, answer.stderr
    return out


def transplant(run: Path, out: Path, *options: str) -> Path:
    answer = primacy("transplant", str(run), "--out", str(out), *FAST, *options)
    assert answer.returncode == 0, answer.stderr
    return out


def rows(out: Path, table: str) -> list[dict[str, str]]:
    with (out / f"{table}.csv").open() as file:
        return list(csv.DictReader(file))


def test_offline_updates_equal_those_on_a_hand_made_buffer(source: Path, tmp_path: Path):
    out = transplant(
        source, tmp_path / "out", "--first", "120", "--offline-updates", "30", "--env-steps", "0"
    )
    config = read(out)
    torch.set_flush_denormal(True)
    journal = Journal.open(source / "journal")
    replay = Replay(journal.layout, 2, 120)
    replay.extend(journal.read(0, 120).swapaxes(0, 1))
    randomness = Randomness(config.seeds)
    agent, _ = make_agent(config, randomness, spaces_of(config))
    for step in range(30):
        uniforms = randomness.source("replay", step, 1).uniform("batch", (config.batch_size,))
        noise = agent.draw(randomness.source("policy-noise", step, 1), config.batch_size)
        agent.update(replay.sample(uniforms[:, 0], 1, 0.99), noise[0])
    found, _ = checkpoints.newest(out / "checkpoints")
    assert found is not None
    assert found.numbers["gradient_step"] == 30
    for name, value in agent.state().items():
        if name not in ("sums", "updates"):
            assert torch.equal(found.tensors[f"agent/{name}"], value), name
    evaluated = rows(out, "evaluations")
    assert [(r["env_step"], r["gradient_step"]) for r in evaluated] == [("0", "30")] * 2


def test_online_steps_are_added_to_what_was_given(source: Path, tmp_path: Path):
    out = transplant(source, tmp_path / "out", "--first", "100", "--env-steps", "60")
    ours, theirs = Journal.open(out / "journal"), Journal.open(source / "journal")
    assert len(ours) == 160
    assert np.array_equal(ours.read(0, 100), theirs.read(0, 100))
    found, _ = checkpoints.newest(out / "checkpoints")
    assert found is not None
    assert (found.env_step, found.numbers["gradient_step"]) == (60, 60)
    events = [(row["event"], row["detail"]) for row in rows(out, "events")]
    assert events[0] == ("transplant", f"100 transitions of {source.name}")
    assert [event for event, _ in events].count("transplant") == 1


def test_killed_in_either_phase_it_ends_the_same(source: Path, tmp_path: Path):
    options = ("--first", "200", "--offline-updates", "2000", "--env-steps", "100")
    whole = transplant(source, tmp_path / "whole", *options)
    out = tmp_path / "out"
    for wait in (
        lambda: (out / "config.json").exists(),
        lambda: checkpoints.steps(out / "checkpoints"),
    ):
        process = start_command("transplant", str(source), "--out", str(out), *FAST, *options)
        for _ in range(1200):
            if wait():
                break
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
    transplant(source, out, *options)
    assert digest(out) == digest(whole)


def test_other_seeds_take_the_lanes_in_their_places(source: Path, tmp_path: Path):
    out = transplant(source, tmp_path / "out", "--seeds", "7", "8", "--env-steps", "20")
    ours, theirs = Journal.open(out / "journal"), Journal.open(source / "journal")
    assert ours.seeds == (7, 8)
    assert np.array_equal(ours.read(0, 300), theirs.read(0, 300))


def test_networks_begin_as_they_ended(source: Path, tmp_path: Path):
    out = transplant(
        source, tmp_path / "out", "--what", "networks", "--env-steps", "10", "--start-steps", "50"
    )
    old, new = (checkpoints.newest(run / "checkpoints")[0] for run in (source, out))
    assert old is not None
    assert new is not None
    assert new.numbers["gradient_step"] == 0
    assert len(Journal.open(out / "journal")) == 10
    for name, value in old.tensors.items():
        if name.startswith("agent/"):
            assert torch.equal(new.tensors[name], value), name


def test_networks_follow_their_seeds(source: Path, tmp_path: Path):
    networks(source, replace(read(source), seeds=(1, 0)), None, tmp_path / "out")
    old, new = (checkpoints.newest(run / "checkpoints")[0] for run in (source, tmp_path / "out"))
    assert old is not None
    assert new is not None
    for name, value in old.tensors.items():
        if name.startswith("agent/"):
            assert torch.equal(new.tensors[name], value.flip(0)), name
    weights = old.tensors["agent/actor.0.weight"]
    assert not torch.equal(weights, weights.flip(0))


def test_figures_of_the_source_are_none_of_the_transplant(source: Path, tmp_path: Path):
    at = max(step for step in checkpoints.steps(source / "checkpoints") if step % 50)
    networks(source, read(source), at, tmp_path / "out")
    old = checkpoints.read(source / "checkpoints", at)
    new = checkpoints.read(tmp_path / "out" / "checkpoints", 0)
    assert bool(old.tensors["agent/updates"].any())
    assert not bool(new.tensors["agent/updates"].any())


@pytest.mark.parametrize(
    ("what", "room", "full"),
    [("networks", 20_000, ".safetensors"), ("experience", 9_000, "journal")],
)
def test_a_full_disk_leaves_nothing(source: Path, tmp_path: Path, what: str, room: int, full: str):
    asked = ("transplant", str(source), "--out", str(tmp_path / "out"), *FAST, "--what", what)
    answer = primacy(*asked, largest_file=room)
    assert answer.returncode == 2, answer.stdout + answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 2, answer.stderr
    assert full in answer.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--first", "301"), ("holds 300 transitions", "--first")),
        (("--task", "walker-walk"), ("observations of 5", "equal sizes")),
        (("--seeds", "5"), ("--seeds 5", "as many as it has")),
        (("--what", "networks", "--offline-updates", "9"), ("offline",)),
        (("--what", "networks", "--given-transitions", "9"), ("--given-transitions", "experience")),
        (("--offline-data", "data.npz"), ("--offline-data", "primacy train")),
        (("--what", "networks", "--at", "7"), ("no checkpoint of env step 7",)),
        (("--env-steps", "0"), ("--env-steps 0", "offline updates")),
    ],
)
def test_what_cannot_be_transplanted(source: Path, tmp_path: Path, options, words):
    out = tmp_path / "out"
    answer = primacy("transplant", str(source), "--out", str(out), *FAST, *options)
    assert answer.returncode == 2, answer.stdout + answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 2, answer.stderr
    assert all(word in answer.stderr for word in words), answer.stderr
    assert not list(tmp_path.iterdir())


def test_a_torn_journal_gives_its_whole_transitions(source: Path, tmp_path: Path):
    import shutil

    torn = tmp_path / "torn"
    shutil.copytree(source, torn)
    segment = sorted((torn / "journal").glob("*.rows"))[-1]
    segment.write_bytes(segment.read_bytes()[:-5])
    out = transplant(torn, tmp_path / "out", "--env-steps", "5")
    assert read(out).given_transitions == 299


def test_a_fork_of_a_transplanted_run_ends_where_it_does(source: Path, tmp_path: Path):
    keep = ("--keep-checkpoints", "every=20", "--first", "100", "--env-steps", "60")
    out = transplant(source, tmp_path / "out", *keep)
    fork = primacy("fork", str(out), "--at", "20", "--out", str(tmp_path / "fork"), *FAST)
    assert fork.returncode == 0, fork.stderr
    assert digest(tmp_path / "fork") == digest(out)
