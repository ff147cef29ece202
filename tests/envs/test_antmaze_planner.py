import numpy as np
import pytest

from primacy.envs.antmaze_planner import (
    MARKED,
    RULES,
    Cell,
    cell_centred,
    cell_d4rl,
    centre,
    free_cells,
    next_cell,
    steps_to,
    waypoint,
)
from primacy.envs.antmaze_tasks import TASKS, Maze

MAZES = list(MARKED)


def brute_force(maze: Maze) -> tuple[list[Cell], np.ndarray]:
    """Cells, and shortest paths between all of them by Floyd and Warshall."""
    cells = free_cells(maze)
    steps = np.full((len(cells), len(cells)), np.inf)
    for i, (row, column) in enumerate(cells):
        for j, (other, another) in enumerate(cells):
            if abs(row - other) + abs(column - another) <= 1:
                steps[i, j] = float(i != j)
    for k in range(len(cells)):
        steps = np.minimum(steps, steps[:, k : k + 1] + steps[k : k + 1])
    return cells, steps


@pytest.mark.parametrize("maze", MAZES)
def test_paths_are_as_short_as_brute_force_finds(maze: Maze):
    cells, steps = brute_force(maze)
    assert np.isfinite(steps).all()
    for j, goal in enumerate(cells):
        assert [steps_to(maze, goal)[cell] for cell in cells] == steps[:, j].tolist()
        for i, here in enumerate(cells):
            walked = 0
            while here != goal:
                here, walked = next_cell(maze, here, goal), walked + 1
                assert here in cells
            assert walked == steps[i, j]


@pytest.mark.parametrize("maze", MAZES)
def test_marked_cells_are_free_and_free_cells_are_not_walls(maze: Maze):
    assert set(MARKED[maze]) <= set(free_cells(maze))
    walls = {tuple(place) for place in maze.walls}
    assert not walls & {tuple(centre(cell)) for cell in free_cells(maze)}


def test_every_task_has_a_maze_with_marked_goals():
    assert {task.maze for task in TASKS.values()} == set(MARKED)


@pytest.mark.parametrize(
    ("xy", "d4rl", "centred"),
    [
        ((0.0, 0.0), (1, 1), (1, 1)),
        ((-0.9, -1.9), (1, 1), (1, 1)),
        ((3.9, 0.1), (1, 1), (1, 2)),
        ((4.1, 0.1), (1, 2), (1, 2)),
        ((8.2, 7.9), (2, 3), (3, 3)),
        ((1.4, 9.4), (3, 1), (3, 1)),
    ],
)
def test_the_two_rules_for_a_cell(xy: tuple[float, float], d4rl: Cell, centred: Cell):
    assert cell_d4rl(np.array(xy)) == d4rl
    assert cell_centred(np.array(xy)) == centred


@pytest.mark.parametrize("rule", RULES)
def test_a_waypoint_lies_in_the_next_cell_and_at_last_is_the_goal(rule: str):
    maze, goal = TASKS["antmaze-umaze-v2"].maze, np.array([0.7, 8.6])
    generator = np.random.default_rng(0)
    begin = RULES[rule][1]
    drawn = [waypoint(maze, np.zeros(2), goal, rule, generator) for _ in range(300)]
    low, high = np.min(drawn, axis=0), np.max(drawn, axis=0)
    np.testing.assert_allclose(low, [4 + begin, begin], atol=0.05)
    np.testing.assert_allclose(high, [5 + begin, 1 + begin], atol=0.05)
    np.testing.assert_array_equal(waypoint(maze, np.array([4.2, 8.1]), goal, rule, generator), goal)
