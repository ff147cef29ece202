"""DrQ on DeepMind Control from pixels: killed and repeated, forked, refused without OpenGL."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from primacy.runs.conduct import train
from primacy.runs.digest import digest
from primacy.runs.fork import fork
from primacy.runs.options import parse_train
from primacy.runs.settings import drq
from primacy.tests.support.killed_runs import assert_same, train_killed
from primacy.tests.support.small_runs import primacy

torch.set_num_threads(1)

SMALL = (
    "--seeds 3 7 --action-repeat 20 --replay-ratio 1/2 --batch-size 4 --start-steps 20 --env-steps "
    "60 --replay-capacity 50 --eval-every 60 --eval-episodes 1 --diagnose-every 60 --log-every 20 "
    "--checkpoint-every 20 --keep-checkpoints every=40 --compile never --channels 2 2 2 2 "
    "--latent-size 5 --hidden-sizes 8 8 --remedies reset:every=10,networks=critic+actor "
    "shrink-perturb:every=8,layers=encoder,networks=critic hare-tortoise:every=6 --quiet"
).split()


def config(agent: str, variant: str):
    given = ("--agent", agent, "--task", f"cartpole-swingup-{variant}", *SMALL, "--out", "x")
    return parse_train(given).run


@pytest.mark.parametrize(
    ("agent", "variant"),
    [
        ("drq", "pixels"),
        pytest.param("drq-jaxrl", "pixels84", marks=pytest.mark.slow),
        pytest.param("drq-original", "pixels84", marks=pytest.mark.slow),
    ],
)
def test_killed_and_repeated_or_forked_it_has_the_same_digest(
    agent: str, variant: str, tmp_path: Path
):
    run = config(agent, variant)
    assert train(run, tmp_path / "whole", quiet=True) == 0
    train_killed(run, tmp_path / "run", at=53, saved=40)
    assert_same(tmp_path / "run", tmp_path / "whole")
    fork(tmp_path / "whole", 40, run, tmp_path / "fork")
    assert train(run, tmp_path / "fork", quiet=True) == 0
    assert digest(tmp_path / "fork") == digest(tmp_path / "whole")


def test_the_setting_knows_the_study_s_figures():
    pole, run = drq("cartpole-swingup-pixels"), drq("quadruped-run-pixels")
    assert (pole.action_repeat, pole.env_steps) == (8, 62_500)
    assert (run.action_repeat, run.env_steps) == (2, 1_000_000)
    assert (run.batch_size, run.start_steps, run.replay_capacity) == (512, 1_000, 100_000)
    given = ("--agent", "drq", "--task=cheetah-run-pixels", "--out", "x")
    assert parse_train(given).run == replace(
        pole, task="cheetah-run-pixels", action_repeat=4, env_steps=500_000
    )


@pytest.mark.parametrize("options", [(), ("--normalize-observations",)])
def test_what_is_refused(options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MUJOCO_GL", "nothing")
    task = "cartpole-swingup-pixels"
    answer = primacy(
        "train", "--agent", "drq", "--task", task, *options, "--out", str(tmp_path / "run")
    )
    assert answer.returncode == 2
    assert len(answer.stderr.strip().splitlines()) == 2, answer.stderr
    assert ("apt install" in answer.stderr) != bool(options)
