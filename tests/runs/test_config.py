"""Configurations: published values, exact replay ratios, JSON, and what is refused."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primacy.runs.config import RunConfig, from_dict, sac, sr_sac, to_dict
from primacy.runs.errors import UserError


def test_the_studys_values():
    config = sac("quadruped-run")
    assert (config.replay_ratio, config.batch_size, config.start_steps) == ("1", 256, 10_000)
    assert (config.replay_capacity, config.env_steps, config.action_repeat) == (10**6, 2 * 10**6, 1)
    assert (config.eval_every, config.eval_episodes) == (5_000, 10)
    agent = config.sac
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
