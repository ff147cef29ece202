"""Walks through a maze that become offline data: a controller follows waypoints, or wanders.

The recipe is D4RL's (scripts/generation/generate_ant_maze_datasets.py); wandering is OGBench's
exploration (data_gen_scripts/commands.sh): a direction of its own for a second, and noise of 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from primacy.envs.ant_frame import upright
from primacy.envs.antmaze import RADIUS, Physics
from primacy.envs.antmaze_planner import MARKED, Cell, centre, free_cells, waypoint
from primacy.envs.antmaze_tasks import TASKS
from primacy.runs.data_controller import Policy
from primacy.runs.data_recipe import Recipe
from primacy.runs.randomness import Randomness

LONGEST = 1_001
"""Rows of an episode that nothing ends earlier: D4RL's generator counts to 1,000 from 0."""
SPELL = 10
"""Control steps between decisions to wander, and between the directions of an ant that does."""
LANES = 16
"""Walks side by side; they share the calls of the controller and nothing else."""


@dataclass(frozen=True)
class Walk:
    """A finished episode of n rows."""

    observations: np.ndarray  # float32 [n, 29]
    actions: np.ndarray  # float32 [n, 8]
    reached: np.ndarray  # bool [n]: row i led to the task's goal, which is what rewards are for
    goal: np.ndarray  # float64 [2], that goal
    arrived: int | None
    """Control steps until it was where it was walking to, None if it never was."""
    flipped: bool
    """Upside down at the end."""

    def __len__(self) -> int:
        """n."""
        return len(self.actions)


def goal_near(cell: Cell, draw: np.random.Generator) -> np.ndarray:
    """A goal in a cell as D4RL draws it: its centre + U(0, 1) + U(0, 0.5) per axis, not below 0."""
    return np.maximum(centre(cell) + draw.uniform(0.0, 1.0, 2) + draw.uniform(0.0, 0.5, 2), 0.0)


def route(task: str, draw: np.random.Generator) -> tuple[np.ndarray, Cell]:
    """How far from the task's start a walk begins, [2] in metres, and the cell that it goes to.

    Play data go to the marked cells, and begin anywhere except in the umaze; diverse data begin and
    end anywhere. Away from the task's start, U(0, 1) m per axis are added, as D4RL does.
    """
    maze = TASKS[task].maze
    free = free_cells(maze)
    goals = free if "diverse" in task else list(MARKED[maze])
    goal = goals[draw.integers(len(goals))]
    starts = [cell for cell in free if cell != goal]
    begin = starts[draw.integers(len(starts))]
    offset = np.maximum(centre(begin) + draw.uniform(0.0, 1.0, 2), 0.0)
    return (np.zeros(2) if task == "antmaze-umaze-v2" else offset), goal


class Lane:
    """Plays episodes, each a function of the recipe and its number."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.maze = TASKS[recipe.task].maze
        self.physics = Physics(self.maze)
        shared = Randomness((recipe.seed,)).generators("data", 0, "goal")[0]
        (self._cell,) = [cell for cell in free_cells(self.maze) if self._is_goal(cell)]
        self._fixed = goal_near(self._cell, shared)

    def _is_goal(self, cell: Cell) -> bool:
        return tuple(centre(cell)) == self.maze.goal

    def start(self, number: int) -> None:
        """Begin episode `number`."""
        recipe = self.recipe
        self.number = number
        self._draw = draw = Randomness((recipe.seed,)).generators("data", number, "walk")[0]
        begin, cell = route(recipe.task, draw)
        target = goal_near(cell, draw)
        self.physics.reset(draw)
        data, own = self.physics.data, self.physics.goal
        goal = own if recipe.relabel == "episode" else self._fixed
        # A walk to the task's own cell goes where the reward is.
        self._target = goal if cell == self._cell else target
        moved = data.qpos + np.pad(begin, (0, data.qpos.size - 2))
        self.state = self.physics.place(moved, data.qvel.copy(), goal)
        self._goal, self._arrived = goal, None
        self._rows: list[tuple[np.ndarray, np.ndarray, bool]] = []
        self._wanders, self._heading = False, np.zeros(2)

    def direction(self) -> np.ndarray:
        """Where the ant should go now, a unit vector [2]."""
        if len(self._rows) % SPELL == 0:
            self._wanders = self._draw.random() >= self.recipe.quality
            angle = self._draw.uniform(-np.pi, np.pi)
            self._heading = np.array([np.cos(angle), np.sin(angle)])
        if self._wanders:
            return self._heading
        place = self.state[:2]
        way = waypoint(self.maze, place, self._target, self.recipe.rule, self._draw) - place
        return way / max(float(np.linalg.norm(way)), 1e-9)

    def step(self, action: np.ndarray) -> Walk | None:
        """Take the controller's action [8], with noise; the episode, where it has ended."""
        recipe = self.recipe
        scale = recipe.wander_noise if self._wanders else recipe.noise
        noisy = action + scale * self._draw.standard_normal(len(action))
        taken = noisy.clip(-1.0, 1.0).astype(np.float32)
        before = self.state.astype(np.float32)
        self.state, _, reached = self.physics.step(taken)
        self._rows.append((before, taken, reached))
        near = bool(np.linalg.norm(self.state[:2] - self._target) <= RADIUS)
        if near and self._arrived is None:
            self._arrived = len(self._rows)
        ended = recipe.stop_at_goal and (near or reached)
        return self._walk() if ended or len(self._rows) == LONGEST else None

    def _walk(self) -> Walk:
        observations, actions, reached = zip(*self._rows, strict=True)
        return Walk(
            np.array(observations),
            np.array(actions),
            np.array(reached),
            self._goal,
            self._arrived,
            bool(upright(self.state[None])[0] < 0.0),
        )


def walks(recipe: Recipe, act: Policy) -> Iterator[Walk]:
    """Episodes 0, 1, 2, ... without end, in this order whichever ends first."""
    lanes = [Lane(recipe) for _ in range(min(LANES, 1 + recipe.rows // LONGEST))]
    numbers, finished, due = count(), dict[int, Walk](), 0
    for lane in lanes:
        lane.start(next(numbers))
    while True:
        states = np.array([lane.state for lane in lanes])
        actions = act(states, np.array([lane.direction() for lane in lanes]))
        for lane, action in zip(lanes, actions, strict=True):
            walk = lane.step(action)
            if walk is not None:
                finished[lane.number] = walk
                lane.start(next(numbers))
        while due in finished:
            yield finished.pop(due)
            due += 1
