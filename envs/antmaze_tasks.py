"""The AntMaze tasks of D4RL: their maps, goals and time limits. Importing this loads no simulator.

Fu et al. 2020, "D4RL: Datasets for Deep Data-Driven Reinforcement Learning"; the numbers are those
of d4rl/locomotion/__init__.py and maze_env.py at version 2 of the tasks.
"""

from dataclasses import dataclass

CELL = 4.0
"""Side of a cell of every maze, in metres."""

BACKENDS = ("mujoco", "d4rl")
"""What can simulate them: our own model, or the package of that name."""

# "#" is a wall, "S" the cell where every episode starts, "G" the one where its goal lies.
_UMAZE = """
#####
#S..#
###.#
#G..#
#####
"""

_MEDIUM = """
########
#S.##..#
#..#...#
##...###
#..#...#
#.#..#.#
#...#.G#
########
"""

_LARGE = """
############
#S...#.....#
#.##.#.#.#.#
#......#...#
#.####.###.#
#..#.#.....#
##.#.#.#.###
#..#...#.G.#
############
"""


@dataclass(frozen=True)
class Maze:
    """A map of cells; the centre of the start cell is the origin, x grows with the column and y
    with the row."""

    rows: tuple[str, ...]

    @property
    def walls(self) -> list[tuple[float, float]]:
        """Centre (x, y) of each wall cell, in metres, row by row."""
        return self._centres("#")

    @property
    def goal(self) -> tuple[float, float]:
        """Centre (x, y) of the goal cell, in metres."""
        (centre,) = self._centres("G")
        return centre

    @property
    def free(self) -> list[tuple[float, float]]:
        """Centre (x, y) of each cell without a wall, in metres."""
        return self._centres(".SG")

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the whole map, in metres."""
        width, height = self.size
        return (width - CELL) / 2.0 - CELL, (height - CELL) / 2.0 - CELL

    @property
    def size(self) -> tuple[float, float]:
        """Width along x and height along y, outer walls included, in metres."""
        return CELL * len(self.rows[0]), CELL * len(self.rows)

    def _centres(self, kinds: str) -> list[tuple[float, float]]:
        # The start is the cell (1, 1) of each map.
        return [
            (CELL * column - CELL, CELL * row - CELL)
            for row, cells in enumerate(self.rows)
            for column, cell in enumerate(cells)
            if cell in kinds
        ]


@dataclass(frozen=True)
class Task:
    """A maze and the longest episode in it, in control steps of 0.1 s."""

    maze: Maze
    limit: int


_U = Task(Maze(tuple(_UMAZE.split())), 700)
_M = Task(Maze(tuple(_MEDIUM.split())), 1000)
_L = Task(Maze(tuple(_LARGE.split())), 1000)

# Play and diverse are one environment: only their data sets differ.
TASKS: dict[str, Task] = {
    "antmaze-umaze-v2": _U,
    "antmaze-umaze-diverse-v2": _U,
    "antmaze-medium-play-v2": _M,
    "antmaze-medium-diverse-v2": _M,
    "antmaze-large-play-v2": _L,
    "antmaze-large-diverse-v2": _L,
}
