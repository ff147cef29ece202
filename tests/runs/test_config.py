"""Configurations: published values, exact replay ratios, JSON, and what is refused."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primacy.agents.iql import IQLConfig
from primacy.agents.rlpd import RLPDConfig
from primacy.agents.sac import SACConfig
from primacy.envs import antmaze, antmaze_tasks
from primacy.runs.config import RunConfig, from_dict, to_dict
from primacy.runs.environment import environment
from primacy.runs.errors import UserError
from primacy.runs.options import parse_train
from primacy.runs.settings import SETTINGS, iql, rlpd, sac, sr_sac


def test_the_studys_values():
    config = sac("quadruped-run")
    assert (config.replay_ratio, config.batch_size, config.start_steps) == ("1", 256, 10_000)
    assert (config.replay_capacity, config.env_steps, config.action_repeat) == (10**6, 2 * 10**6, 1)
    assert (config.eval_every, config.eval_episodes) == (5_000, 10)
    agent = config.algorithm
    assert isinstance(agent, SACConfig)
    assert (agent.hidden_sizes, agent.learning_rate, agent.discount) == ((256, 256), 3e-4, 0.99)
    assert (agent.target_rate, agent.initial_temperature, agent.target_entropy) == (0.005, 1, -0.5)


def test_sr_sac_resets_every_160_000_env_steps():
    config = sr_sac("quadruped-run")
    assert config.remedies == ("reset:every=2560000,unit=gradient_steps",)
    assert 2_560_000 / config.ratio == 160_000


@given(
    ratio=st.fractions(Fraction(1, 50), 64, max_denominator=50),
    start=st.integers(1, 300),
    steps=st.integers(1, 600),
)
def test_updates_follow_the_ratio_exactly(ratio, start, steps):
    config = replace(RunConfig(task="x"), replay_ratio=str(ratio), start_steps=start)
    done = 0
    for step in range(1, steps + 1):
        due = config.updates_until(step) - config.updates_until(step - 1)
        assert due >= 0
        assert step >= start or due == 0
        done += due
    assert done == int(ratio * max(0, steps - start + 1))


def test_first_updates_come_at_the_start_step():
    config = replace(sac("x"), replay_ratio="32")
    assert config.updates_until(9_999) == 0
    assert config.updates_until(10_000) == 32


def test_json_round_trip_is_flat():
    config = replace(sr_sac("walker-run"), seeds=(3, 7), keep_checkpoints="every=500")
    values = to_dict(config)
    assert values["hidden_sizes"] == [256, 256]
    assert from_dict(values) == config
    assert config.kept_every == 500


def test_unknown_json_field_names_a_near_one():
    values = to_dict(sac("x")) | {"replay_rato": "1"}
    with pytest.raises(UserError) as caught:
        from_dict(values)
    assert "replay_ratio" in caught.value.hint


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"replay_ratio": "0"}, "--replay-ratio"),
        ({"replay_ratio": "-1"}, "--replay-ratio"),
        ({"replay_ratio": "1/0"}, "--replay-ratio"),
        ({"replay_ratio": "fast"}, "--replay-ratio"),
        ({"replay_ratio": "1e400"}, "--replay-ratio"),
        ({"threads": 10**14}, "--threads"),
        ({"env_steps": 10**20}, "--env-steps"),
        ({"seeds": (10**20,)}, "--seeds"),
        ({"seeds": (1, 1)}, "--seeds"),
        ({"seeds": ()}, "--seeds"),
        ({"seeds": (-1,)}, "--seeds"),
        ({"agent": "sacc"}, "agent"),
        ({"batch_size": 0}, "--batch-size"),
        ({"keep_checkpoints": "often"}, "--keep-checkpoints"),
        ({"prime_updates": 5, "prime_transitions": 10**7}, "priming"),
    ],
)
def test_refused(fields, word):
    with pytest.raises(UserError, match=word):
        replace(sac("x"), **fields)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_survives_its_json(name):
    config = SETTINGS[name]("walker-run")
    assert config.agent == name
    assert from_dict(to_dict(config)) == config


def test_a_config_from_before_other_agents_is_read():
    """Flat, with agent sac and the fields of SACConfig beside the run's."""
    old = {"task": "x", "agent": "sr-sac", "hidden_sizes": [8], "critics": 3, "replay_ratio": "2"}
    agent = from_dict(old).algorithm
    assert agent == SACConfig(hidden_sizes=(8,), critics=3)


def test_rlpd_counts_whole_calls():
    config = replace(rlpd("x"), start_steps=10)
    assert [config.updates_until(step) for step in (9, 10, 11)] == [0, 20, 40]
    slow = replace(config, replay_ratio="5/2")
    assert [slow.updates_until(9 + n) for n in (7, 8, 15, 16)] == [0, 20, 20, 40]


@pytest.mark.parametrize(
    ("config", "fields", "agent", "word"),
    [
        (rlpd, {"remedies": ("reset:every=30",)}, {}, "every=30 falls inside an update"),
        (rlpd, {"remedies": ("reset:every=40,offset=3",)}, {}, "offset=3 falls inside"),
        (rlpd, {"prime_updates": 30}, {}, "--prime-updates 30 ends inside"),
        (rlpd, {}, {"subset": 11}, "--subset 11 is more than --critics 10"),
        (rlpd, {}, {"critic_steps": 0}, "--critic-steps must be positive"),
        (rlpd, {}, {"log_std_low": 3.0}, "--log-std-low"),
        (iql, {}, {"expectile": 1.0}, "--expectile"),
        (iql, {}, {"actor_schedule": "cosine", "schedule_steps": 100}, "cosine ends at gradient"),
        (sac, {}, {"discount": 1.0}, "--discount"),
        (sac, {}, {"critics": 0}, "--critics must be positive"),
        (sac, {}, {"hidden_sizes": ()}, "--hidden-sizes"),
        (sac, {"algorithm": RLPDConfig()}, {}, "agent sac with the settings of RLPDConfig"),
    ],
)
def test_an_agents_values_are_refused(config, fields, agent, word):
    changed = {"algorithm": replace(config("x").algorithm, **agent)} | fields
    with pytest.raises(UserError, match=word):
        replace(config("x"), **changed)


def test_a_cosine_as_long_as_the_run_is_taken():
    cosine = IQLConfig(actor_schedule="cosine", schedule_steps=10**6)
    assert replace(iql("x"), algorithm=cosine).algorithm == cosine


def test_backends_are_those_of_antmaze():
    assert set(antmaze_tasks.BACKENDS) == set(antmaze.BACKENDS)
    made = environment(replace(sac("antmaze-umaze-v2"), backend="mujoco"))
    assert isinstance(made.unwrapped, antmaze.AntMaze)


@pytest.mark.parametrize(
    ("task", "backend", "what", "hint"),
    [
        ("antmaze-umaze-v2", "mujoco_py", "unknown backend 'mujoco_py'", "mujoco or d4rl"),
        ("walker-walk", "d4rl", "walker-walk has one simulator", "leave --backend out"),
    ],
)
def test_other_backends_are_refused(task: str, backend: str, what: str, hint: str):
    with pytest.raises(UserError, match=what) as caught:
        parse_train(["--task", task, "--backend", backend, "--out", "x"])
    assert hint in caught.value.hint
