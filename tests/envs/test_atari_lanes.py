import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from primacy.envs.atari import Atari
from primacy.envs.atari_frames import FrameStack
from primacy.envs.faults import ActionFault, NotRepeatable
from primacy.envs.lanes import Lanes, Transitions, run_episodes
from primacy.replay.frame_layout import FrameLayout
from primacy.replay.frames import Drawn, FrameReplay, Returns
from primacy.tests.support.envs_toys import Toy

COUNT = 2


def episode_seed(lane: int, episode: int) -> int:
    return 100 * lane + episode


class Pool:
    """Lanes of one game: consoles are costly to make and free to reset."""

    def __init__(self) -> None:
        self.made: list[Lanes] = []

    def __call__(
        self, task: str, life_ends: bool = True, limit: int = 108_000, life_begins: bool = True
    ) -> Lanes:
        envs = [Atari(task, episode_frames=limit) for _ in range(COUNT)]
        self.made.append(Lanes(envs, episode_seed, life_ends, life_begins))
        return self.made[-1]


@pytest.fixture
def lanes_of() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    for lanes in pool.made:
        lanes.close()


def choices(lanes: Lanes, steps: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(lanes.action_size, size=(steps, COUNT))


def walk(lanes: Lanes, steps: int, seed: int) -> tuple[list[Transitions], str]:
    """Random steps, and a digest of all that came of them."""
    everything, digest = [], hashlib.sha256()
    for actions in choices(lanes, steps, seed):
        everything.append(lanes.step(actions))
        state = (lanes.observations, lanes.episodes, lanes.lengths, lanes.returns, lanes.began)
        for part in (*everything[-1][:-1], *state):
            digest.update(part.tobytes())
        digest.update(repr(everything[-1].finished).encode())
    return everything, digest.hexdigest()


def journal(
    lanes: Lanes, walked: list[Transitions]
) -> tuple[list[int], list[np.ndarray], list[np.ndarray], np.ndarray]:
    """The arguments of `restore`, choices as the float32 numbers that a journal holds."""
    starts = [len(walked) - n for n in lanes.lengths]
    actions = [
        np.array([t.action[s] for t in walked[start:]], dtype=np.float32)
        for s, start in enumerate(starts)
    ]
    seen = [np.array([t.observation[s] for t in walked[start:]]) for s, start in enumerate(starts)]
    return lanes.episodes.tolist(), actions, seen, walked[-1].next_observation


def test_lanes_keep_frames_as_bytes_and_choices_whole(lanes_of: Pool):
    lanes = lanes_of("atari-pong")
    lanes.start()
    (step,), _ = walk(lanes, 1, 0)
    assert (lanes.discrete, lanes.action_size, lanes.observation_size) == (True, 6, 84 * 84)
    assert (step.observation.shape, step.observation.dtype) == ((COUNT, 84, 84), np.uint8)
    assert (step.action.shape, step.action.dtype) == ((COUNT,), np.int64)
    toys = Lanes([Toy()], episode_seed)
    assert (toys.discrete, toys.states()) == (False, None)
    with pytest.raises(TypeError, match="no states"):
        toys.resume([b"{}\n"])


@pytest.mark.parametrize("actions", [np.zeros(3, int), np.zeros((2, 1), int), np.zeros(2)])
def test_actions_of_another_kind_are_refused(lanes_of: Pool, actions: np.ndarray):
    lanes = lanes_of("atari-pong")
    lanes.start()
    with pytest.raises(ActionFault, match=r"whole numbers of shape \(2,\)"):
        lanes.step(actions)


@pytest.mark.parametrize(
    ("task", "steps", "limit"),
    [("atari-breakout", 90, 108_000), ("atari-qbert", 60, 100), ("atari-assault", 60, 140)],
)
def test_lanes_go_on_exactly_by_their_states_or_by_their_actions(
    lanes_of: Pool, task: str, steps: int, limit: int
):
    lanes = lanes_of(task, limit=limit)
    lanes.start()
    walked, _ = walk(lanes, steps, 0)
    states = lanes.states()
    assert states is not None
    by_states, by_actions = (lanes_of(task, limit=limit) for _ in range(2))
    by_states.resume(states)
    by_actions.restore(*journal(lanes, walked))
    for restored in (by_states, by_actions):
        for name in ("observations", "episodes", "lengths", "returns", "began"):
            np.testing.assert_array_equal(getattr(restored, name), getattr(lanes, name))
    _, wanted = walk(lanes, 60, 1)
    assert walk(by_states, 60, 1)[1] == wanted
    assert walk(by_actions, 60, 1)[1] == wanted


def test_a_state_goes_on_in_another_process(lanes_of: Pool, tmp_path: Path):
    lanes = lanes_of("atari-qbert")
    lanes.start()
    walk(lanes, 30, 0)
    states = lanes.states()
    assert states is not None
    for lane, state in enumerate(states):
        (tmp_path / str(lane)).write_bytes(state)
    code = (
        "import sys, pathlib; from primacy.tests.envs.test_atari_lanes import Pool, walk; "
        "pool = Pool(); lanes = pool('atari-qbert'); folder = pathlib.Path(sys.argv[1]); "
        "lanes.resume([(folder / str(lane)).read_bytes() for lane in range(2)]); "
        "print(walk(lanes, 40, 1)[1]); lanes.close()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert (found.stdout.strip(), found.stderr) == (walk(lanes, 40, 1)[1], "")


def test_one_changed_pixel_is_found_and_named(lanes_of: Pool):
    lanes = lanes_of("atari-pong")
    lanes.start()
    walked, _ = walk(lanes, 5, 0)
    arguments = journal(lanes, walked)
    arguments[2][1][3][40, 40] += 1
    with pytest.raises(NotRepeatable, match="atari-pong .*lane 1, episode 0, env step 3"):
        lanes_of("atari-pong").restore(*arguments)


def test_a_lost_life_ends_what_is_learned_from_but_not_the_game(lanes_of: Pool):
    ending, going_on = (lanes_of("atari-breakout", life_ends) for life_ends in (True, False))
    ending.start()
    going_on.start()
    stack, lost, games = FrameStack(COUNT, (84, 84)), 0, 0
    for actions in choices(ending, 160, 4):
        seen, began = stack.push(ending.observations, ending.began), ending.began.copy()
        assert (seen[began, :3] == 0).all()
        assert seen[~began, 2].any(axis=(1, 2)).all()
        before = [env.unwrapped._lives for env in going_on.envs]  # pyright: ignore
        got, plain = ending.step(actions), going_on.step(actions)
        for lane, env in enumerate(going_on.envs):
            over = bool(plain.terminated[lane])
            life = not over and env.unwrapped._lives < before[lane]  # pyright: ignore
            assert got.terminated[lane] == (life or over) == ending.began[lane]
            lost, games = lost + life, games + over
            if not over:
                np.testing.assert_array_equal(got.next_observation[lane], ending.observations[lane])
        assert got.finished == plain.finished
        np.testing.assert_array_equal(ending.episodes, going_on.episodes)
        np.testing.assert_array_equal(ending.observations, going_on.observations)
    assert lost >= 4
    assert games >= 1


def test_where_lives_do_not_count_the_agent_sees_what_replay_shows(lanes_of: Pool):
    lanes = lanes_of("atari-breakout", life_ends=False, life_begins=False)
    replay = FrameReplay(FrameLayout((84, 84)), COUNT, 200, 4, "zero")
    lanes.start()
    stack, seen, lives = FrameStack(COUNT, (84, 84)), [], set()
    for actions in choices(lanes, 150, 4):
        lives |= {env.unwrapped._lives for env in lanes.envs}  # pyright: ignore
        seen.append(stack.push(lanes.observations, lanes.began).copy())
        got = lanes.step(actions)
        replay.add(torch.from_numpy(replay.layout.pack(*got[:6])))
    assert len(lives) > 2
    ages = torch.arange(150)[None].expand(COUNT, -1)
    shown = replay.at(Drawn(ages, torch.ones(COUNT, 150), 149), Returns(1)).observation
    np.testing.assert_array_equal(shown.numpy(), np.stack(seen, 1))


def test_evaluation_episodes_are_those_of_a_plain_loop():
    envs = [Atari("atari-boxing", episode_frames=120) for _ in range(3)]
    count = len(envs[0].actions)

    def decide(stack: np.ndarray) -> int:
        return int(stack.sum()) % count

    def policy(stacks: np.ndarray, going: np.ndarray) -> np.ndarray:
        assert stacks.shape == (3, 4, 84, 84)
        return np.array([decide(stack) for stack in stacks])

    stack = FrameStack(3, (84, 84))
    returns, lengths, _ = run_episodes(envs, (3, 1, 2), policy, stack=stack)
    for env, seed, total, length in zip(envs, (3, 1, 2), returns, lengths, strict=True):
        frames = [np.zeros((84, 84), dtype=np.uint8)] * 3 + [env.reset(seed=seed)[0]]
        rewards, over = [], False
        while not over:
            frame, reward, terminated, truncated, _ = env.step(decide(np.stack(frames[-4:])))
            frames.append(frame)
            rewards.append(reward)
            over = terminated or truncated
        assert (sum(rewards), len(rewards)) == (total, length)
        env.close()
