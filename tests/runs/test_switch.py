"""The options of the switch from offline to online, and what is refused of them."""

from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import pytest

from primacy.runs.config import SCHEMA, RunConfig, from_dict, to_dict
from primacy.runs.errors import UserError
from primacy.runs.folder import LATER_FIELDS, RunFolder
from primacy.runs.settings import bbf
from primacy.runs.shares import online_share
from primacy.runs.switch import NEVER, switch_remedies


@pytest.mark.parametrize(
    ("text", "batch", "share"),
    [
        ("append", 7, None),
        ("symmetric:0.5", 256, Fraction(1, 2)),
        ("symmetric:1/4", 8, Fraction(1, 4)),
    ],
)
def test_the_share_of_given_transitions(text, batch, share):
    assert online_share(text, batch) == share


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"online_sampling": "half"}, ("half", "symmetric:0.5")),
        ({"online_sampling": "symmetric:1"}, ("symmetric:1", "between 0 and 1")),
        ({"online_sampling": "symmetric:0.3"}, ("76.8 of 256", "multiple of 10")),
        ({"online_sampling": "symmetric:0.5", "offline_data": ""}, ("symmetric", "--offline-data")),
        ({"normalize_observations": True, "offline_data": ""}, ("--normalize-obs", "transplant")),
        ({"relearn_updates": 5, "offline_data": ""}, ("--relearn-updates", "--offline-data")),
        ({"relearn_updates": -1}, ("--relearn-updates", "0 switches")),
        ({"at_switch": ("reset:every=5",)}, ("every", "once")),
        ({"at_switch": ("l2-init",)}, ("l2-init", "reset or shrink-perturb")),
        ({"at_switch": ("hare-tortoise",)}, ("hare-tortoise", "reset or shrink-perturb")),
        ({"at_switch": ("rest",)}, ("rest", "did you mean reset")),
        ({"at_switch": ("reset",), "env_steps": 0, "offline_updates": 9}, ("at-switch", "env-st")),
        ({"online_sampling": "symmetric:0.5", "replay_capacity": 9}, ("replay holds 9", "100")),
    ],
)
def test_what_is_refused(changes, words):
    sound = {"task": "cartpole-swingup", "env_steps": 100, "offline_data": "data.npz"}
    RunConfig(**sound)
    with pytest.raises(UserError) as fault:
        RunConfig(**sound | changes)
    said = f"{fault.value} / {fault.value.hint}"
    assert all(word in said for word in words), said


def test_remedies_at_the_switch_never_come_by_themselves():
    reset, perturb = switch_remedies(("reset:networks=critic", "none", "shrink-perturb:shrink=0.5"))
    assert reset.networks == ("critic",)
    assert perturb.shrink == 0.5
    assert reset.event(10**12, 10**13) is None
    assert reset.next_after(7) == NEVER


FIRST_FIELDS = (
    "task agent seeds replay_ratio remedies env_steps start_steps action_repeat batch_size n_step "
    "replay_capacity prime_updates prime_transitions eval_every eval_episodes diagnose_every "
    "log_every checkpoint_every keep_checkpoints given_transitions offline_updates device compile "
    "threads label algorithm"
).split()
"""What configurations had before any other field came."""


def test_every_field_that_came_later_says_what_folders_without_it_did():
    later = {f.name for f in fields(RunConfig)} - set(FIRST_FIELDS)
    assert later | {"priority"} == set(LATER_FIELDS)
    written = to_dict(RunConfig(task="cartpole-swingup"))
    assert {name: written[name] for name in later} == {name: LATER_FIELDS[name] for name in later}
    assert to_dict(bbf("atari-pong"))["priority"] == LATER_FIELDS["priority"]


def test_a_folder_without_the_fields_is_read_and_goes_on(tmp_path: Path):
    config = RunConfig(task="cartpole-swingup")
    old = {k: v for k, v in to_dict(config).items() if k not in LATER_FIELDS}
    assert (
        len(old) == len(to_dict(config)) - len(LATER_FIELDS) + 1
    )  # Without priority, of another agent.
    assert from_dict(old) == config
    RunFolder.open(tmp_path, old, SCHEMA).close()
    RunFolder.open(tmp_path, to_dict(config), SCHEMA).close()
    changed = to_dict(replace(config, warmup_policy="agent"))
    with pytest.raises(UserError, match="warmup_policy: random there, agent here"):
        RunFolder.open(tmp_path, changed, SCHEMA)
