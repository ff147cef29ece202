import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ale_py import roms
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.envs.atari import Atari
from primacy.envs.atari_frames import AreaResize
from primacy.envs.atari_games import GAMES
from primacy.envs.faults import ActionFault, NotRepeatable, RomFault
from primacy.envs.suites import make
from primacy.runs.normalisation import atari_bounds, key
from primacy.tests.support.envs_plain_atari import PlainAtari

STEPS = 40


def actions(env: Atari, count: int, seed: int) -> list[int]:
    return np.random.default_rng(seed).integers(len(env.actions), size=count).tolist()


def play(env: Atari, choices: list[int]) -> list[tuple]:
    """Everything that comes of some actions; a game that ends begins anew."""
    found = []
    for number, action in enumerate(choices):
        observation, reward, terminated, truncated, info = env.step(action)
        found.append((observation.tobytes(), reward, terminated, truncated, *info.values()))
        if terminated or truncated:
            found.append((env.reset(seed=number)[0].tobytes(),))
    return found


@pytest.fixture(scope="module", params=GAMES)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Atari, Atari]]:
    """A console on which much has been played, and one just switched on: of each of the games."""
    task = f"atari-{request.param}"
    dirty, fresh = Atari(task), Atari(task)
    dirty.reset(seed=11)
    play(dirty, actions(dirty, 100, 11))
    yield dirty, fresh
    dirty.close()
    fresh.close()


def test_a_state_goes_on_exactly_on_a_console_just_switched_on(pair: tuple[Atari, Atari]):
    dirty, _ = pair
    saved = dirty.state()
    wanted = play(dirty, actions(dirty, STEPS, 1))
    restored = Atari(dirty._name)
    first = restored.restore(saved)
    assert play(restored, actions(dirty, STEPS, 1)) == wanted
    assert first.tobytes() == dirty.restore(saved).tobytes()
    assert play(dirty, actions(dirty, STEPS, 1)) == wanted
    restored.close()


def test_an_episode_is_a_function_of_its_seed_whatever_went_before(pair: tuple[Atari, Atari]):
    dirty, fresh = pair
    first, info = dirty.reset(seed=7)
    again, same = fresh.reset(seed=7)
    assert (first.tobytes(), info) == (again.tobytes(), same)
    choices = actions(fresh, STEPS, 2)
    assert play(dirty, choices) == play(fresh, choices)


def test_it_is_the_protocol_written_frame_by_frame(pair: tuple[Atari, Atari]):
    env, _ = pair
    game = env._name.removeprefix("atari-")
    observation, info = env.reset(seed=5)
    plain = PlainAtari(game, info["noops"])
    resize = AreaResize(plain.screen.shape, (84, 84))
    assert env.actions == plain.ale.getMinimalActionSet()
    np.testing.assert_array_equal(observation, resize(plain.screen))
    for action in actions(env, STEPS, 3):
        reward, terminal, game_over, frames = plain.step(action)
        observation, *outcome, info = env.step(action)
        assert outcome == [reward, game_over, False]
        assert (info["life_lost"] or game_over, info["frames"]) == (terminal, frames)
        assert info["lives"] == plain.ale.lives()
        np.testing.assert_array_equal(observation, resize(plain.screen))


def test_the_games_are_those_of_the_table_of_scores():
    assert len(GAMES) == 26
    assert {key(f"atari-{game}") for game in GAMES} == set(atari_bounds())


@pytest.fixture(scope="module")
def breakout() -> Iterator[Atari]:
    env = make("atari-breakout")
    assert isinstance(env, Atari)
    yield env
    env.close()


def test_gymnasium_accepts_it(breakout: Atari):
    check_env(breakout, skip_render_check=True)
    assert breakout.render().shape == (210, 160, 3)
    assert breakout.action_repeat == 4


def test_frame_skip_is_as_asked():
    env = make("atari-pong", 2)
    env.reset(seed=0)
    assert env.step(0)[-1]["frames"] == 2


def test_full_actions_are_eighteen():
    assert len(Atari("atari-pong", full_actions=True).actions) == 18
    assert len(Atari("atari-pong").actions) == 6


def test_noops_are_0_to_29_steps_drawn_from_the_seed(monkeypatch: pytest.MonkeyPatch):
    env, played = Atari("atari-breakout"), list[int]()
    monkeypatch.setattr(env, "_switch_on", played.clear)
    monkeypatch.setattr(env, "_play", lambda action: (played.append(action), 4, False))
    drawn = []
    for seed in range(600):
        _, info = env.reset(seed=seed)
        assert played == [0] * info["noops"]
        drawn.append(info["noops"])
    assert set(drawn) == set(range(30))
    assert [env.reset(seed=seed)[1]["noops"] for seed in range(50)] == drawn[:50]


def test_the_game_begins_anew_where_doing_nothing_costs_a_life(monkeypatch: pytest.MonkeyPatch):
    env, events = Atari("atari-breakout"), list[str]()
    monkeypatch.setattr(env, "_switch_on", lambda: events.append("on"))

    def lose_the_third(action: int) -> tuple[float, int, bool]:
        events.append("play")
        return 0.0, 4, events.count("play") == 3

    monkeypatch.setattr(env, "_play", lose_the_third)
    noops = next(n for seed in range(99) if (n := env.reset(seed=seed)[1]["noops"]) > 3)
    events.clear()
    seed = next(s for s in range(99) if env.reset(seed=s)[1]["noops"] == noops)
    events.clear()
    env.reset(seed=seed)
    assert events == ["on", *["play"] * 3, "on", *["play"] * (noops - 3)]


def test_no_fire_is_pressed(breakout: Atari):
    breakout.reset(seed=0)
    for _ in range(20):  # No ball without FIRE: it is in none of these frames.
        _, reward, _, _, info = breakout.step(0)
        assert (reward, info["lives"]) == (0.0, 5)


@settings(max_examples=12, deadline=None)
@given(steps=st.integers(1, 12), repeat=st.integers(1, 5), rest=st.integers(0, 4))
def test_the_time_limit_truncates(breakout: Atari, steps: int, repeat: int, rest: int):
    breakout.reset(seed=0)
    kept = breakout.episode_frames, breakout.action_repeat
    breakout.episode_frames, breakout.action_repeat = steps * repeat + rest % repeat, repeat
    try:
        ends = [breakout.step(0)[2:4] for _ in range(steps)]
        assert ends == [(False, False)] * (steps - 1) + [(False, True)]
        with pytest.raises(ResetNeeded):
            breakout.step(0)
    finally:
        breakout.episode_frames, breakout.action_repeat = kept
    assert kept == (108_000, 4)


def test_game_over_at_the_limit_is_an_end_not_a_cut(monkeypatch: pytest.MonkeyPatch):
    env = Atari("atari-breakout", episode_frames=4)
    env.reset(seed=0)
    monkeypatch.setattr(env, "_over", lambda: True)
    assert env.step(0)[2:4] == (True, False)


def test_a_lost_life_cuts_the_step_short_and_the_game_goes_on(breakout: Atari):
    breakout.reset(seed=1)
    lost, lives = [], 5
    while True:
        _, _, terminated, _, info = breakout.step(1)
        assert info["life_lost"] == (info["lives"] < lives)
        assert info["frames"] == 4 or info["life_lost"] or terminated
        lives = info["lives"]
        lost.append(info["life_lost"])
        if terminated:
            break
    assert sum(lost) == 5
    assert lost[-1]
    assert lives == 0


@pytest.mark.parametrize("action", [-1, 4, 1.0, True, np.array([1]), np.nan])
def test_what_is_no_action_is_refused(breakout: Atari, action: object):
    breakout.reset(seed=0)
    with pytest.raises(ActionFault, match="from 0 to 3") as caught:
        breakout.step(action)  # pyright: ignore[reportArgumentType]
    assert "another game" in caught.value.hint


def test_before_a_reset_there_is_no_step():
    with pytest.raises(ResetNeeded):
        Atari("atari-pong").step(0)
    with pytest.raises(ValueError, match="at least 1"):
        Atari("atari-pong", action_repeat=0)


@pytest.mark.parametrize(
    ("task", "repeat", "what"),
    [("atari-pong", 4, "atari-pong"), ("atari-breakout", 3, "action_repeat 4")],
)
def test_a_state_of_something_else_is_refused(breakout: Atari, task: str, repeat: int, what: str):
    other = Atari(task, repeat)
    breakout.reset(seed=0)
    with pytest.raises(NotRepeatable, match=what) as caught:
        other.restore(breakout.state())
    assert "settings" in caught.value.hint


@pytest.mark.parametrize(
    ("make_file", "what"),
    [
        (None, "missing"),
        (lambda path: path.mkdir(), "missing"),
        (lambda path: path.write_bytes(b"no game" * 100), "damaged"),
        (lambda path: shutil.copy(Path(roms.__file__).with_name("pong.bin"), path), "not breakout"),
    ],
)
def test_a_game_file_that_will_not_do_is_named(
    make_file, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if make_file:
        make_file(tmp_path / "breakout.bin")
    monkeypatch.setenv("ALE_ROMS_DIR", str(tmp_path))
    with pytest.raises(RomFault, match=f"breakout.bin: .*{what}") as caught:
        make("atari-breakout")
    assert "ALE_ROMS_DIR" in caught.value.hint
    assert "\n" not in str(caught.value)
