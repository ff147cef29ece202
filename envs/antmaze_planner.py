"""Which way through a maze: the waypoints that lead an ant to its goal, cell by cell.

After D4RL's maze_env.py (create_navigation_policy, _xy_to_rowcol). Importing this loads no
simulator.
"""

from collections import deque
from collections.abc import Callable
from functools import cache

import numpy as np

from primacy.envs.antmaze_tasks import CELL, TASKS, Maze

Cell = tuple[int, int]
"""Row and column of a map."""

NEIGHBOURS = ((0, -1), (0, 1), (1, 0), (-1, 0))


def cell_d4rl(xy: np.ndarray) -> Cell:
    """D4RL's cell of a place: it changes at the cells' centres, so that an ant makes for the next
    cell until it is past this one's centre, in the directions that x and y grow."""
    x, y = np.maximum(xy, 1e-4)
    return int(1 + y / CELL), int(1 + x / CELL)


def cell_centred(xy: np.ndarray) -> Cell:
    """The cell that a place lies in."""
    x, y = np.floor(xy / CELL + 1.5)
    return int(y), int(x)


RULES: dict[str, tuple[Callable[[np.ndarray], Cell], float]] = {
    "d4rl": (cell_d4rl, 0.0),
    "centred": (cell_centred, -0.5),
}
"""Rule -> an ant's cell, and where the noise of a waypoint begins: U(begin, begin + 1) metres."""

MARKED: dict[Maze, tuple[Cell, ...]] = {
    TASKS["antmaze-umaze-v2"].maze: ((3, 1),),
    TASKS["antmaze-medium-play-v2"].maze: ((2, 6), (5, 1), (6, 5)),
    TASKS["antmaze-large-play-v2"].maze: (
        *((1, 6), (3, 5), (3, 10), (5, 2)),
        *((7, 4), (7, 6), (7, 9)),
    ),
}
"""The goal cells of D4RL's play data, by maze (U_MAZE, BIG_MAZE, HARDEST_MAZE)."""


def centre(cell: Cell) -> np.ndarray:
    """The middle (x, y) of a cell in metres, [2]."""
    row, column = cell
    return np.array([CELL * column - CELL, CELL * row - CELL])


def free_cells(maze: Maze) -> list[Cell]:
    """Every cell that is no wall, row by row."""
    return [
        (row, column)
        for row, cells in enumerate(maze.rows)
        for column, kind in enumerate(cells)
        if kind != "#"
    ]


@cache
def steps_to(maze: Maze, goal: Cell) -> dict[Cell, int]:
    """How many cells each free cell is from `goal`, by breadth-first search from there."""
    free = set(free_cells(maze))
    found, waiting = {goal: 0}, deque([goal])
    while waiting:
        row, column = waiting.popleft()
        for down, right in NEIGHBOURS:
            near = row + down, column + right
            if near in free and near not in found:
                found[near] = found[row, column] + 1
                waiting.append(near)
    return found


def next_cell(maze: Maze, here: Cell, goal: Cell) -> Cell:
    """The neighbour of `here` on a shortest path to `goal`; `goal` itself where there is none.

    `here` may be a wall, where D4RL's rule places an ant that rounds a corner.
    """
    distances = steps_to(maze, goal)
    near = [(here[0] + down, here[1] + right) for down, right in NEIGHBOURS]
    known = [cell for cell in near if cell in distances]
    if here == goal or not known:
        return goal
    return min(known, key=lambda cell: distances[cell])


def waypoint(
    maze: Maze, xy: np.ndarray, goal: np.ndarray, rule: str, generator: np.random.Generator
) -> np.ndarray:
    """Where an ant at `xy` [2] makes for, [2] in metres: a place near the next cell's centre, drawn
    anew each time, and on the last leg the goal itself."""
    place, begin = RULES[rule]
    target = place(goal)
    ahead = next_cell(maze, place(xy), target)
    noise = generator.uniform(begin, begin + 1.0, 2)
    return goal if ahead == target else centre(ahead) + noise
