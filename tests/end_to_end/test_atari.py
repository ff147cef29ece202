"""Agents that see, on a real game: killed and repeated, forked, transplanted, refused."""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from primacy.envs.suites import make
from primacy.replay.frame_layout import FrameLayout
from primacy.replay.journal import Journal, JournalFault
from primacy.runs import checkpoint as checkpoints
from primacy.runs.assembly import make_agent
from primacy.runs.conduct import train
from primacy.runs.digest import digest
from primacy.runs.evaluate import Evaluator
from primacy.runs.fork import fork
from primacy.runs.randomness import Randomness
from primacy.runs.spaces import spaces_of
from primacy.runs.transplant import experience
from primacy.tests.support import atari_runs
from primacy.tests.support.killed_runs import assert_same, train_killed
from primacy.tests.support.small_runs import primacy, start_command

torch.set_num_threads(1)

SLOW = ("bbf-rl", "sr-spr", "spr", "drq-atari")
SEE = ("bbf", "drq-eps", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW))


@pytest.mark.parametrize("agent", SEE)
def test_killed_and_repeated_it_has_the_same_digest(agent: str, tmp_path: Path):
    config = atari_runs.config(
        agent, *(("--jumps", "2") if agent in ("bbf", "spr", "sr-spr") else ())
    )
    assert train(config, tmp_path / "whole", quiet=True) == 0
    train_killed(config, tmp_path / "run", at=77, saved=60)
    assert_same(tmp_path / "run", tmp_path / "whole")


@pytest.mark.slow
def test_killed_for_good_it_goes_on(tmp_path: Path):
    given = ("--jumps", "2")
    whole = primacy("train", *atari_runs.arguments("bbf", tmp_path / "whole", *given))
    assert whole.returncode == 0, whole.stderr
    started = start_command("train", *atari_runs.arguments("bbf", tmp_path / "run", *given))
    while not checkpoints.steps(tmp_path / "run" / "checkpoints")[-1:] > [0]:
        time.sleep(0.05)
    started.kill()
    started.wait()
    again = primacy("train", *atari_runs.arguments("bbf", tmp_path / "run", *given))
    assert again.returncode == 0, again.stderr
    assert digest(tmp_path / "run") == digest(tmp_path / "whole")


def test_a_fork_goes_on_with_priorities_frames_and_game(tmp_path: Path):
    """In a longer run, whose replay has more room; and with one seed of two."""
    short = atari_runs.config("bbf-rl", "--keep-checkpoints", "every=60", "--replay-capacity", "99")
    long = replace(short, env_steps=130, replay_capacity=999)
    assert train(short, tmp_path / "short", quiet=True) == 0
    for seeds, name in (((3, 7), "both"), ((7,), "one")):
        config = replace(long, seeds=seeds)
        assert train(config, tmp_path / f"whole-{name}", quiet=True) == 0
        fork(tmp_path / "short", 60, config, tmp_path / name)
        assert train(config, tmp_path / name, quiet=True) == 0
        theirs, ours = (tmp_path / n / "evaluations.csv" for n in (f"whole-{name}", name))
        assert ours.read_text() == theirs.read_text(), name
    assert digest(tmp_path / "both") == digest(tmp_path / "whole-both")


def test_a_fresh_agent_begins_with_the_frames_of_another(tmp_path: Path):
    source = atari_runs.config("drq-eps")
    assert train(source, tmp_path / "source", quiet=True) == 0
    config = replace(
        atari_runs.config("bbf-rl"), given_transitions=70, offline_updates=20, replay_capacity=200
    )
    experience(tmp_path / "source", config, tmp_path / "fresh")
    assert train(config, tmp_path / "fresh", quiet=True) == 0
    journals = [Journal.open(tmp_path / name / "journal") for name in ("source", "fresh")]
    assert (journals[0].read(0, 70) == journals[1].read(0, 70)).all()
    assert len(journals[1]) == 170


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--agent", "bbf", "--task", "atari-pongg"), ("atari-pongg", "atari-pong")),
        (("--agent", "sac", "--task", "atari-pong"), ("frames and one of", "--agent bbf or")),
        (("--agent", "spr", "--task", "walker-walk"), ("vectors and cont", "--agent sac or")),
        (("--agent", "spr", "--task", "atari-pong", "--offline-data", "x"), ("frames", "transpl")),
        (("--agent", "spr", "--task", "atari-pong", "--channels", "3", "4"), ("three", "32 64 64")),
        (("--agent", "bbf", "--task", "atari-pong", "--margin", "-1"), ("margin", "switches")),
    ],
)
def test_what_is_refused(options: tuple[str, ...], words: tuple[str, ...], tmp_path: Path):
    answer = primacy("train", *options, "--out", str(tmp_path / "run"))
    assert answer.returncode == 2
    assert len(answer.stderr.strip().splitlines()) == 2, answer.stderr
    assert all(word in answer.stderr for word in words), answer.stderr


def test_a_game_file_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALE_ROMS_DIR", str(tmp_path))
    answer = primacy("train", *atari_runs.arguments("bbf", tmp_path / "run"))
    assert answer.returncode == 2
    assert len(answer.stderr.strip().splitlines()) == 2, answer.stderr


def test_frames_of_another_size_are_not_gone_on_from(tmp_path: Path):
    config = atari_runs.config("drq-eps", "--env-steps", "40")
    assert train(config, tmp_path / "run", quiet=True) == 0
    shutil.rmtree(tmp_path / "run" / "journal")
    other = Journal(tmp_path / "run" / "journal", FrameLayout((64, 64)), config.seeds)
    other.append(np.zeros((2, other.layout.width), np.uint8))
    other.close()
    with pytest.raises(JournalFault, match=r"frame \[64, 64\], not \[84, 84\]") as fault:
        train(config, tmp_path / "run", quiet=True)
    assert fault.value.hint


def test_frames_leave_as_a_minari_dataset(tmp_path: Path):
    minari = pytest.importorskip("minari")
    assert train(atari_runs.config("drq-eps"), tmp_path / "run", quiet=True) == 0
    answer = primacy("export", str(tmp_path / "run"), "--output", str(tmp_path / "out"))
    assert answer.returncode == 0, answer.stderr
    journal = Journal.open(tmp_path / "run" / "journal")
    views = journal.layout.views(torch.from_numpy(journal.read(0, 100)))
    for lane, seed in enumerate((3, 7)):
        data = minari.MinariDataset(tmp_path / "out" / "atari-alien" / f"seed{seed}-v0" / "data")
        frames = np.concatenate([episode.observations[:-1] for episode in data])
        assert (frames == views.observation[:, lane].numpy()).all()
        actions = np.concatenate([episode.actions for episode in data])
        assert (actions == views.action[:, lane].numpy()).all()
        assert data.total_steps == 100
    back = primacy("import-experience", str(tmp_path / "out"), "--out", str(tmp_path / "back"))
    assert back.returncode == 0, back.stderr
    again = Journal.open(tmp_path / "back" / "journal")
    assert np.array_equal(again.read(0, 100), journal.read(0, 100))
    given = ("--env-steps", "20", "--offline-updates", "3", "--compile", "never", "--quiet")
    fresh = ("transplant", str(tmp_path / "back"), *given, "--out", str(tmp_path / "fresh"))
    answer = primacy(*fresh)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("atari-alien", None),
        ("atari-pong", "has 18 actions, atari-pong has 6"),
        (
            "cartpole-swingup-pixels",
            "has frames of 84 x 84 and choices, cartpole-swingup-pixels has",
        ),
        (
            "cartpole-swingup",
            "has frames of 84 x 84 and choices, cartpole-swingup has observations",
        ),
    ],
)
def test_frames_of_another_origin_come_in(task: str, words: str | None, tmp_path: Path):
    minari = pytest.importorskip("minari")
    from minari.data_collector import EpisodeBuffer

    space = Box(0, 255, (84, 84), np.uint8)
    frames = np.random.default_rng(0).integers(0, 256, (9, 84, 84), dtype=np.uint8)
    end = np.arange(8) == 7
    parts: dict[str, Any] = {
        "observations": frames,
        "actions": np.arange(8),
        "rewards": np.ones(8),
        "terminations": end,
        "truncations": np.zeros(8, bool),
    }
    storage = minari.dataset.minari_storage.MinariStorage.new(
        _made(tmp_path / "data"), space, Discrete(18), data_format="hdf5", jpeg_encoding=False
    )
    storage.update_episodes([EpisodeBuffer(**parts)])
    storage.update_metadata({"dataset_id": "alien/random-v0", "minari_version": "0.5.4"})
    given = ("import-experience", str(tmp_path / "data"), "--task", task)
    answer = primacy(*given, "--seeds", "5", "6", "--out", str(tmp_path / "back"))
    if words is None:
        assert answer.returncode == 0, answer.stderr
        journal = Journal.open(tmp_path / "back" / "journal")
        views = journal.layout.views(torch.from_numpy(journal.read(0, 8)))
        for lane in range(2):
            assert np.array_equal(views.observation[:, lane].numpy(), frames[:-1])
            assert np.array_equal(views.next_observation[:, lane].numpy(), frames[1:])
            assert views.action[:, lane].tolist() == list(range(8))
    else:
        assert answer.returncode == 2
        assert words in answer.stderr


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_exposure_is_not_known_of_prioritised_draws(tmp_path: Path):
    run = tmp_path / "run"
    assert train(atari_runs.config("bbf-rl", "--env-steps", "40"), run, quiet=True) == 0
    answer = primacy("exposure", str(run))
    assert answer.returncode == 2
    assert len(answer.stderr.strip().splitlines()) == 2
    assert "by priority" in answer.stderr


def test_an_evaluation_is_that_of_each_episode_played_alone():
    """Episodes of different length, of which only those that are not over are looked at."""
    config = atari_runs.config("bbf-rl", "--evaluation-epsilon", "0.3")
    spaces, random = spaces_of(config), Randomness(config.seeds)
    agent: Any = make_agent(config, random, spaces)[0]
    evaluator = Evaluator(config, spaces, 3)
    scores = evaluator.evaluate(agent, random, 5, lambda: None)
    evaluator.close()
    assert len(set(scores.lengths.flatten().tolist())) > 3
    for lane in range(2):
        for episode in range(3):
            env: Any = make(config.task, 4)
            frame, _ = env.reset(seed=random.integers("evaluation", 5, str(episode))[lane])
            life, total, step, over = [frame], 0.0, 0, False
            while not over:
                stack = np.stack([*[np.zeros_like(frame)] * 4, *life][-4:])
                seen = torch.from_numpy(np.stack([stack, stack]))[:, None]
                source = random.source("evaluation", step, 1)
                u, v = source.uniform("choice 5", (3, 2))[lane, 0, episode].float().tolist()
                greedy = int(agent.act_greedily(seen)[lane, 0])
                action = int(v * spaces.actions) if u <= np.float32(0.3) else greedy
                frame, reward, over, _, info = env.step(action)
                life = [frame] if info["life_lost"] else [*life, frame]
                total, step = total + reward, step + 1
            assert (total, step) == (scores.returns[lane, episode], scores.lengths[lane, episode])
            env.close()
