"""S environments stepped in lock-step by a plain loop, with resets of our own.

Threads and worker processes are no faster here, and in one process an episode stays what exact
resume needs: a function of its seed and its actions.
"""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete

from primacy.envs.atari_frames import FrameStack
from primacy.envs.faults import ActionFault, EnvironmentFault, Fault, NotRepeatable


class Episode(NamedTuple):
    """A finished training episode."""

    lane: int
    number: int
    episode_return: float
    """Undiscounted sum of rewards."""
    length: int
    """Env steps."""
    success: bool | None = None
    """Whether it reached the task's goal, None for a task without one."""


class Transitions(NamedTuple):
    """One step of every lane, float32 and bool; the arrays are the caller's to keep.

    Frames instead of vectors are uint8 [S, (C,) H, W], and one of several choices is int64 [S].
    """

    observation: np.ndarray  # [S, O]
    action: np.ndarray  # [S, A]
    reward: np.ndarray  # [S]
    terminated: np.ndarray  # [S]; where a lost life counts as an end, there too
    truncated: np.ndarray  # [S]
    next_observation: np.ndarray  # [S, O], the true last one at an episode's end
    finished: list[Episode]


@runtime_checkable
class Savable(Protocol):
    """An environment that goes on exactly from what it says of itself, which is quicker than
    stepping anew (Atari)."""

    def state(self) -> bytes:
        """All that the rest of the episode depends on, its last observation included."""
        ...

    def restore(self, state: bytes) -> np.ndarray:
        """Go on there; returns that observation."""
        ...


class Lanes:
    """S environments; a lane whose episode ends is reset at once to its next episode number."""

    def __init__(
        self,
        envs: Sequence[gymnasium.Env],
        episode_seed: Callable[[int, int], int],
        life_ends: bool = False,
        life_begins: bool = True,
    ) -> None:
        """`episode_seed(lane, episode number)` is the seed of an episode.

        `life_ends` makes a transition that costs a life (info["life_lost"]) a terminated one: the
        game goes on, and so does its Episode, but nothing may be learned across it. `life_begins`
        makes what follows it the first observation of a life.
        """
        self.envs = list(envs)
        self._episode_seed = episode_seed
        self._life_ends = life_ends
        self._life_begins = life_begins
        count = len(self.envs)
        observation, action = self.envs[0].observation_space, self.envs[0].action_space
        self.discrete = isinstance(action, Discrete)
        """Whether an action is one of a few choices, int64 [S], not numbers float32 [S, A]."""
        self.observation_size = _length(observation)
        self.action_size = int(action.n) if isinstance(action, Discrete) else _length(action)
        """Numbers in an action, or choices."""
        self._action_dtype = np.int64 if self.discrete else np.float32
        self._action_shape = (count,) if self.discrete else (count, self.action_size)
        seen = observation.dtype == np.uint8
        frame = (observation.shape or ()) if seen else (self.observation_size,)
        self.observations = np.zeros((count, *frame), dtype=np.uint8 if seen else np.float32)
        """Where each lane stands, float32 [S, O] or uint8 [S, (C,) H, W]; overwritten by the
        next step."""
        self.began = np.ones(count, dtype=bool)
        """Whether each lane stands at the first observation of an episode or of a life: nothing
        before it belongs into a stack of frames."""
        self.episodes = np.zeros(count, dtype=np.int64)
        self.lengths = np.zeros(count, dtype=np.int64)
        self.returns = np.zeros(count, dtype=np.float64)
        self.successes: list[bool | None] = [None] * count
        """info["success"] of each lane's last step, None where there is no such entry."""

    def start(self) -> None:
        """Begin the current episode of every lane."""
        for lane in range(len(self.envs)):
            self._reset(lane)

    def step(self, actions: np.ndarray) -> Transitions:
        """Take actions [S, A], as float32: what a journal keeps is what the simulator got. Choices
        are whole numbers [S].

        Raises ActionFault for a wrong shape or a number that is not finite, EnvironmentFault where
        a simulator diverges or gives a reward or observation that is not finite.
        """
        actions = self._as_actions(actions)
        count = len(self.envs)
        before = self.observations.copy()
        reward = np.empty(count, dtype=np.float32)
        terminated, truncated = np.empty(count, dtype=bool), np.empty(count, dtype=bool)
        for lane in range(count):
            reward[lane], terminated[lane], truncated[lane] = self._advance(lane, actions[lane])
        after = self.observations.copy()
        lives = self.began & self._life_ends
        finished = [self._finish(lane) for lane in np.flatnonzero(terminated | truncated).tolist()]
        return Transitions(before, actions, reward, terminated | lives, truncated, after, finished)

    def restore(
        self,
        episodes: Sequence[int],
        actions: Sequence[np.ndarray],
        observations: Sequence[np.ndarray],
        last: np.ndarray | None = None,
    ) -> None:
        """Re-step every unfinished episode, lane by lane, with its own n actions [n, A].

        `observations` [n, O] are those in which the actions were taken, `last` [S, O] those that
        the last actions led to. They must come back bit for bit, else NotRepeatable is raised.
        """
        self.episodes[:] = episodes
        self.start()
        for lane in range(len(self.envs)):
            # A journal keeps choices as float32, too.
            for step, action in enumerate(np.asarray(actions[lane], self._action_dtype)):
                self._compare(lane, observations[lane][step])
                _, terminated, truncated = self._advance(lane, action)
                if terminated or truncated:
                    raise self._not_repeatable(lane, "ends, which it did not do in the journal")
            if last is not None and len(actions[lane]):
                self._compare(lane, last[lane])

    def states(self) -> list[bytes] | None:
        """What `resume` takes, or None where a simulator cannot tell its state."""
        found = []
        for lane, env in enumerate(self.envs):
            if not isinstance(env, Savable):
                return None
            about = {name: getattr(self, name)[lane].item() for name in _COUNTED}
            found.append(json.dumps(about).encode() + b"\n" + env.state())
        return found

    def resume(self, states: Sequence[bytes]) -> None:
        """Go on where `states` were taken, in the middle of every episode."""
        for lane, (env, saved) in enumerate(zip(self.envs, states, strict=True)):
            if not isinstance(env, Savable):
                raise TypeError(f"{_name(env)} has no states: restore it by its actions")
            line, _, state = saved.partition(b"\n")
            for name, value in json.loads(line).items():
                getattr(self, name)[lane] = value
            self.observations[lane] = env.restore(state)

    def _as_actions(self, actions: np.ndarray) -> np.ndarray:
        wanted = self._action_shape
        whole = not self.discrete or np.asarray(actions).dtype.kind in "iu"
        # A copy even of the right type, for the caller may write the next actions over these.
        taken = np.array(actions, dtype=self._action_dtype)
        if taken.shape != wanted or not whole:
            kind = "whole numbers" if self.discrete else "actions"
            raise ActionFault(
                f"{wanted[0]} lanes of {_name(self.envs[0])} take {kind} of shape {wanted}, "
                f"not {'' if whole else 'fractions of shape '}{taken.shape}",
                "the policy belongs to another task or number of seeds",
            )
        return taken

    def close(self) -> None:
        """Close every environment."""
        for env in self.envs:
            env.close()

    def _reset(self, lane: int) -> None:
        seed = self._episode_seed(lane, int(self.episodes[lane]))
        self.lengths[lane] = 0
        self.returns[lane] = 0.0
        try:
            observation, _ = self.envs[lane].reset(seed=seed)
        except Fault as fault:
            raise self._placed(lane, fault) from fault
        self.began[lane] = True
        self._arrive(lane, observation, 0.0)

    def _advance(self, lane: int, action: np.ndarray) -> tuple[float, bool, bool]:
        """Step one lane: reward, terminated, truncated."""
        self.lengths[lane] += 1
        try:
            observation, reward, terminated, truncated, info = self.envs[lane].step(action)
        except Fault as fault:
            raise self._placed(lane, fault) from fault
        reward = float(reward)
        self.successes[lane] = info.get("success")
        self.began[lane] = self._life_begins and info.get("life_lost", False)
        self._arrive(lane, observation, reward)
        return reward, terminated, truncated

    def _arrive(self, lane: int, observation: np.ndarray, reward: float) -> None:
        # As float32, in which they are kept: a number too large for it becomes infinite.
        with np.errstate(over="ignore"):
            observation = np.asarray(observation, dtype=self.observations.dtype)
            kept_reward = np.float32(reward)
        sound = np.isfinite(observation).all()
        if not (sound and np.isfinite(kept_reward)):
            fault = EnvironmentFault(
                f"{_name(self.envs[lane])} gave {'a reward' if sound else 'an observation'} "
                "that is not finite",
                "the simulator is at fault, not the agent: try another seed",
            )
            raise self._placed(lane, fault)
        self.observations[lane] = observation
        self.returns[lane] += reward

    def _finish(self, lane: int) -> Episode:
        number, length = int(self.episodes[lane]), int(self.lengths[lane])
        ended = Episode(lane, number, float(self.returns[lane]), length, self.successes[lane])
        self.episodes[lane] += 1
        self._reset(lane)
        return ended

    def _compare(self, lane: int, recorded: np.ndarray) -> None:
        # As bytes, for == takes 0.0 for -0.0.
        if self.observations[lane].tobytes() != recorded.astype(self.observations.dtype).tobytes():
            raise self._not_repeatable(lane, "gives another observation than the journal holds")

    def _not_repeatable(self, lane: int, what: str) -> Fault:
        fault = NotRepeatable(
            f"re-stepped, {_name(self.envs[lane])} {what}",
            "go on with the machine and the versions that began the run, or start a new one",
        )
        return self._placed(lane, fault)

    def _placed(self, lane: int, fault: Fault) -> Fault:
        """The same fault, with where it happened."""
        place = f"lane {lane}, episode {self.episodes[lane]}, env step {self.lengths[lane]}"
        return type(fault)(f"{fault} ({place})", fault.hint)


def run_episodes(
    envs: Sequence[gymnasium.Env],
    seeds: Sequence[int],
    policy: Callable[[np.ndarray, np.ndarray], np.ndarray],
    longest: int = 30_000,
    stack: FrameStack | None = None,
    life_begins: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One episode in each of N environments: returns float64 [N], lengths int64 [N] and successes.

    Successes are float64 [N]: 1 where info["success"] held at the last step, 0 where it did not,
    NaN for a task without that entry.

    `policy` maps observations [N, O], or with a `stack` of frames uint8 [N, stack * C, H, W], to
    actions [N, A] or choices [N], and is told which episodes are not over, bool [N]; an environment
    whose episode is over keeps its last row and is not stepped, whatever its action. Episodes are
    cut after `longest` env steps, for lqr has no time limit (Atari's, 27,000, is the longest of
    those that have one). `life_begins` as in Lanes.
    """
    lanes = Lanes(envs, lambda lane, episode: seeds[lane], life_begins=life_begins)
    lanes.start()
    going = np.ones(len(envs), dtype=bool)
    while going.any():
        seen = lanes.observations
        actions = policy(seen if stack is None else stack.push(seen, lanes.began), going)
        actions = lanes._as_actions(actions)
        for lane in np.flatnonzero(going).tolist():
            _, terminated, truncated = lanes._advance(lane, actions[lane])
            going[lane] = not (terminated or truncated or lanes.lengths[lane] >= longest)
    successes = [np.nan if reached is None else float(reached) for reached in lanes.successes]
    return lanes.returns, lanes.lengths, np.array(successes)


_COUNTED = ("episodes", "lengths", "returns", "began")
"""What Lanes itself counts along an episode."""


def _length(space: gymnasium.Space) -> int:
    if space.shape is None:
        raise TypeError(f"{space} has no shape")
    return int(np.prod(space.shape))


def _name(env: gymnasium.Env) -> str:
    return env.spec.id if env.spec else type(env.unwrapped).__name__
