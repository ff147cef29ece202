"""Published settings of the agents that see, value by value: what a run is made of when only agent
and task are given. Written down from the papers and their configuration files, not from ours."""

from dataclasses import asdict
from typing import Any

import pytest

from primacy.envs.dmc_pixel_tasks import published_env_steps
from primacy.runs.config import RunConfig
from primacy.runs.settings import SETTINGS

BENCHMARK = {
    "env_steps": 100_000,
    "action_repeat": 4,
    "batch_size": 32,
    "replay_capacity": 200_000,
    "eval_episodes": 100,
}
BBF = BENCHMARK | {
    "start_steps": 2_001,
    "replay_ratio": "2",
    "encoder": "impala",
    "channels": (64, 128, 128),
    "hidden_size": 2048,
    "separate_streams": False,
    "noisy_sigma": 0.0,
    "renormalised": True,
    "initialiser": "xavier_uniform",
    "value": "categorical",
    "atoms": 51,
    "support": 10.0,
    "head_gradient": 1.0,
    "jumps": 5,
    "self_prediction": 5.0,
    "pad": 4,
    "intensity": 0.05,
    "learning_rate": 1e-4,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1.5e-4,
    "weight_decay": 0.1,
    "gradient_clip": 0.0,
    "target_rate": 0.005,
    "acting": "target",
    "first_n_step": 10,
    "n_step": 3,
    "first_discount": 0.97,
    "discount": 0.997,
    "annealing": 10_000,
    "epsilon_decay": 2_001,
    "final_epsilon": 0.0,
    "evaluation_epsilon": 0.001,
    "frame_stack": 4,
    "life_ends": True,
    "reward_clip": 1.0,
    "priority_exponent": 0.5,
    "priority": "loss",
    "importance": 0.5,
    "final_importance": 0.5,
    "margin": 16,
    "bootstrap_offset": 0,
    "strict_mask": False,
    "remedies": (
        "shrink-perturb:every=40000,networks=critic,layers=encoder,shrink=0.5,target=own",
        "reset:every=40000,networks=critic,layers=head:2,target=own,optimiser=all",
    ),
}
SR_SPR = BBF | {
    "replay_ratio": "8",
    "encoder": "nature",
    "channels": (32, 64, 64),
    "padding": "same",
    "hidden_size": 512,
    "weight_decay": 0.0,
    "first_n_step": 10,
    "n_step": 10,
    "first_discount": 0.99,
    "discount": 0.99,
    "remedies": (
        "shrink-perturb:every=40000,networks=critic,layers=encoder,shrink=0.8,target=own",
        "reset:every=40000,networks=critic,layers=head:2,target=own,optimiser=all",
    ),
}
SPR = SR_SPR | {
    "replay_ratio": "2",
    "padding": "valid",
    "separate_streams": True,
    "noisy_sigma": 0.5,
    "initialiser": "kaiming_uniform",
    "head_gradient": 0.7071067811865475,
    "gradient_clip": 10.0,
    "target_rate": 1.0,
    "acting": "online",
    "priority": "divergence",
    "importance": 0.4,
    "final_importance": 1.0,
    "margin": 0,
    "remedies": (),
}
DRQ = SPR | {
    "hidden_size": 1024,
    "renormalised": False,
    "initialiser": "fan_in_uniform",
    "jumps": 0,
    "learning_rate": 1.4142135623730951e-4,
    "target_rate": 0.01,
    "acting": "target",
    "priority": "loss",
    "epsilon_decay": 1,
}
DRQ_EPS = SR_SPR | {
    "start_steps": 1_601,
    "replay_ratio": "1",
    "renormalised": False,
    "value": "huber",
    "atoms": 1,
    "jumps": 0,
    "target_rate": 1.0,
    "acting": "online",
    "epsilon_decay": 5_000,
    "final_epsilon": 0.01,
    "priority_exponent": 0.0,
    "margin": 0,
    "remedies": (),
}
ATARI = {
    "bbf": BBF,
    "bbf-rl": BBF | {"jumps": 0},
    "sr-spr": SR_SPR,
    "spr": SPR,
    "drq-atari": DRQ,
    "drq-eps": DRQ_EPS,
}


def values(config: RunConfig) -> dict[str, Any]:
    return asdict(config) | asdict(config.algorithm)


@pytest.mark.parametrize("agent", ATARI)
def test_atari_100k(agent: str):
    written = values(SETTINGS[agent]("atari-pong"))
    found = {name: written[name] for name in ATARI[agent]}
    # Without self-prediction its weight means nothing.
    assert found | {"self_prediction": 5.0} == ATARI[agent]


@pytest.mark.parametrize(
    ("agent", "updates"), [("bbf", 196_000), ("sr-spr", 784_000), ("drq-eps", 98_400)]
)
def test_gradient_steps_of_a_whole_run(agent: str, updates: int):
    config = SETTINGS[agent]("atari-pong")
    assert config.updates_until(config.env_steps) == updates


STUDY = {
    "learning_rate": 3e-4,
    "target_rate": 0.005,
    "discount": 0.99,
    "batch_size": 512,
    "start_steps": 1_000,
    "replay_ratio": "1",
    "replay_capacity": 100_000,
    "eval_episodes": 10,
    "channels": (32, 64, 128, 256),
    "strides": (2, 2, 2, 2),
    "padding": "same",
    "latent_size": 50,
    "hidden_sizes": (256, 256),
    "pad": 4,
    "log_std_bound": "tanh",
    "initial_temperature": 0.1,
    "frame_stack": 3,
    "critic_steps": 1,
    "augmentations": 1,
    "target_augmentations": 1,
}
JAXRL = STUDY | {
    "channels": (32, 32, 32, 32),
    "strides": (2, 1, 1, 1),
    "padding": "valid",
    "log_std_bound": "clip",
}
ORIGINAL = JAXRL | {
    "hidden_sizes": (1024, 1024),
    "log_std_bound": "tanh",
    "learning_rate": 1e-3,
    "target_rate": 0.01,
    "critic_steps": 2,
    "augmentations": 2,
    "target_augmentations": 2,
}


@pytest.mark.parametrize(
    ("agent", "expected"), [("drq", STUDY), ("drq-jaxrl", JAXRL), ("drq-original", ORIGINAL)]
)
def test_drq_on_deepmind_control(agent: str, expected: dict[str, Any]):
    written = values(SETTINGS[agent]("cartpole-swingup-pixels"))
    assert {name: written[name] for name in expected} == expected


FRAMES = {
    500_000: (
        "cartpole-balance cartpole-balance_sparse cartpole-swingup finger-spin walker-stand "
        "walker-walk"
    ),
    1_000_000: "hopper-stand pendulum-swingup",
    2_000_000: "cheetah-run reacher-easy quadruped-run walker-run hopper-hop",
}
REPEATS = {"cartpole-swingup": 8, "cheetah-run": 4, "reacher-easy": 4}


@pytest.mark.parametrize("frames", FRAMES)
def test_lengths_of_the_study_s_runs(frames: int):
    for task in FRAMES[frames].split():
        steps = frames // REPEATS.get(task, 2)
        assert published_env_steps(f"{task}-pixels") == steps, task
        assert SETTINGS["drq"](f"{task}-pixels").env_steps == steps, task
