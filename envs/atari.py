"""Atari-100k: 26 games of the Arcade Learning Environment as the BBF line of agents plays them.

Schwarzer et al. 2023, "Bigger, Better, Faster", with the preprocessing of google/dopamine's
atari_lib (Castro et al. 2018). Importing this module imports ale_py. docs/atari.md says what equals
those and what differs.
"""

import json
from importlib.metadata import version
from typing import Any

import gymnasium
import numpy as np
from ale_py import ALEInterface, ALEState, LoggerMode
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box, Discrete

from primacy.envs.atari_frames import AreaResize
from primacy.envs.atari_games import TASKS, rom
from primacy.envs.faults import ActionFault, NotRepeatable

SIZE = 84
"""Height and width of an observation."""


class Atari(gymnasium.Env):
    """One game: observations uint8 [84, 84], grey, one of each step; actions are whole numbers.

    A step is `action_repeat` emulator frames of one action, or fewer where the game ends or a life
    is lost; the observation is the maximum of the last two frames. Rewards are the game's own, not
    clipped. `terminated` at game over alone: info["life_lost"] says where a life was lost, which a
    training run may take for a termination (see Lanes). `truncated` at the time limit. The episode
    that begins with `reset(seed=k)` is a function of k and the actions, whatever went before.
    """

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(
        self,
        task: str,
        action_repeat: int = 4,
        max_noops: int = 30,
        full_actions: bool = False,
        episode_frames: int = 108_000,
        render_mode: str | None = "rgb_array",
    ) -> None:
        """An episode begins with 0 to max_noops - 1 steps (not counted) that do nothing.

        `full_actions` gives all 18 actions instead of the game's own. The time limit is
        episode_frames / action_repeat steps. No action is sticky. Raises RomFault for a game file
        that will not do.
        """
        if action_repeat < 1:
            raise ValueError(f"action_repeat is {action_repeat}, and must be at least 1")
        options: dict[str, Any] = {"task": task, "action_repeat": action_repeat}
        options |= {"max_noops": max_noops}
        options |= {"full_actions": full_actions, "episode_frames": episode_frames}
        self.spec = EnvSpec(task, entry_point="primacy.envs.atari:Atari", kwargs=options)
        self._ale = _load(TASKS[task])
        legal = self._ale.getLegalActionSet()
        self.actions = legal if full_actions else self._ale.getMinimalActionSet()
        """What the numbers of the action space mean."""
        self.action_repeat = action_repeat
        self.max_noops = max_noops
        self.episode_frames = episode_frames
        self.render_mode = render_mode
        self.metadata = self.metadata | {"render_fps": max(1, round(60 / action_repeat))}
        self.observation_space = Box(0, 255, (SIZE, SIZE), np.uint8)
        self.action_space = Discrete(len(self.actions))
        self._switched_on = self._ale.cloneSystemState()
        height, width = self._ale.getScreenDims()
        self._screens = np.zeros((2, height, width), dtype=np.uint8)
        self._resize = AreaResize((height, width), (SIZE, SIZE))
        self._frame = np.zeros((SIZE, SIZE), dtype=np.uint8)
        self._lives = 0
        self._steps: int | None = None
        """Steps of the episode, None outside of one."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode; without a seed, the next one of the stream of the last seed.

        info["noops"] is the number of steps that did nothing before it. As in BBF the game begins
        anew where one of them ends it or costs a life.
        """
        super().reset(seed=seed)
        noops = int(self.np_random.integers(self.max_noops)) if self.max_noops else 0
        self._switch_on()
        for _ in range(noops):
            _, _, lost = self._play(0)
            if lost or self._over():
                self._switch_on()
        self._steps = 0
        return self._frame.copy(), {"frames": 0, "noops": noops, "lives": self._lives}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """info["frames"] counts the step's frames, "lives" are left, "life_lost" tells of one gone.

        Raises ActionFault for anything but a whole number below the number of actions, ResetNeeded
        after an end.
        """
        choice = np.asarray(action)
        count = len(self.actions)
        if choice.shape != () or choice.dtype.kind not in "iu" or not 0 <= choice < count:
            raise ActionFault(
                f"{self._name} takes an action from 0 to {count - 1}, not {action!r}",
                "the policy belongs to another game",
            )
        if self._steps is None:
            raise ResetNeeded(f"the episode of {self._name} is over or has not begun: call reset")
        reward, frames, lost = self._play(int(choice))
        self._steps += 1
        terminated = self._over()
        limit = self._steps >= self.episode_frames // self.action_repeat
        truncated = limit and not terminated
        if terminated or truncated:
            self._steps = None
        info = {"frames": frames, "lives": self._lives, "life_lost": lost}
        return self._frame.copy(), reward, terminated, truncated, info

    def render(self) -> np.ndarray:
        """The game's screen in colour, uint8 [210, 160, 3]."""
        return self._ale.getScreenRGB()

    def close(self) -> None:
        """Free the emulator: ale-py reports one that is alive when Python ends as leaked."""
        for name in ("_ale", "_switched_on", "actions"):
            self.__dict__.pop(name, None)

    def state(self) -> bytes:
        """The whole emulator and episode, about 22 kB; `restore` goes on from there exactly."""
        about = self._about() | {"steps": self._steps, "lives": self._lives}
        system = self._ale.cloneSystemState().serialize()
        return json.dumps(about).encode() + b"\n" + self._frame.tobytes() + system

    def restore(self, state: bytes) -> np.ndarray:
        """Go on where `state` was taken; the observation there, uint8 [84, 84].

        Raises NotRepeatable for the state of another game, other settings or another ale-py.
        """
        line, _, rest = state.partition(b"\n")
        about = json.loads(line)
        for name, mine in self._about().items():
            if about.get(name) != mine:
                raise NotRepeatable(
                    f"a state of {about.get('task')} with {name} {about.get(name)} cannot go on in "
                    f"{self._name} with {name} {mine}",
                    "go on with the settings and the versions that began the run",
                )
        self._steps, self._lives = about["steps"], about["lives"]
        self._frame = np.frombuffer(rest[: SIZE * SIZE], np.uint8).reshape(SIZE, SIZE).copy()
        self._set(ALEState(rest[SIZE * SIZE :]))
        return self._frame.copy()

    @property
    def _name(self) -> str:
        return self.spec.id if self.spec else type(self).__name__

    def _about(self) -> dict[str, Any]:
        options = self.spec.kwargs if self.spec else {}
        return {**options, "ale_py": version("ale-py")}

    def _set(self, state: ALEState) -> None:
        # Q*bert goes on exactly only where a frame was played since the game was loaded.
        self._ale.act(0)
        self._ale.restoreSystemState(state)

    def _switch_on(self) -> None:
        # The console as it was when it was switched on: Assault remembers earlier games.
        self._set(self._switched_on)
        self._ale.reset_game()
        self._lives = self._ale.lives()
        self._ale.getScreenGrayscale(self._screens[0])
        self._frame = self._resize(self._screens[0])

    def _play(self, choice: int) -> tuple[float, int, bool]:
        """One step: reward, frames, whether a life was lost."""
        button = self.actions[choice]
        reward, frames, lost, pooled = 0.0, 0, False, 0
        while True:
            reward += self._ale.act(button)
            frames += 1
            lives = self._ale.lives()
            lost = lives < self._lives
            self._lives = lives
            last = lost or self._over() or frames == self.action_repeat
            if last or frames == self.action_repeat - 1:
                self._ale.getScreenGrayscale(self._screens[pooled])
                pooled += 1
            if last:
                break
        self._frame = self._resize(self._screens[:pooled].max(0))
        return reward, frames, lost

    def _over(self) -> bool:
        return self._ale.game_over(with_truncation=False)


def _load(game: str) -> ALEInterface:
    path = rom(game)
    # Otherwise each game prints a banner.
    ALEInterface.setLoggerMode(LoggerMode.Error)
    ale = ALEInterface()
    ale.setInt("random_seed", 0)
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(path)
    return ale
