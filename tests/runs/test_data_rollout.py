from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from primacy.envs.antmaze_planner import MARKED, cell_centred, free_cells
from primacy.envs.antmaze_tasks import TASKS
from primacy.replay.offline import load, transitions
from primacy.runs import data_file, data_rollout
from primacy.runs.data_cloning import Cloning
from primacy.runs.data_controller import Controller
from primacy.runs.data_file import figures, generate, read_header, table
from primacy.runs.data_recipe import Recipe
from primacy.runs.data_rollout import LONGEST, SPELL, Lane, Walk, route, walks
from primacy.runs.errors import UserError

RECIPE = Recipe("antmaze-umaze-v2", 60, 0.5)
UNSCORED = Cloning(steps=0, episodes=0)


def lazy(observations: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Leans towards the direction, and walks nowhere."""
    return np.tile(directions, (1, 4)).astype(np.float32)


def walk(length: int, reached: list[int], goal: float = 0.0) -> Walk:
    rows = np.arange(length * 29, dtype=np.float32).reshape(length, 29)
    rows[:, :2] = 0.0
    return Walk(
        rows,
        np.zeros((length, 8), dtype=np.float32),
        np.isin(np.arange(length), reached),
        np.array([goal, goal]),
        None,
        False,
    )


def test_the_table_of_walks_that_stop_at_the_goal_by_hand():
    found = [walk(3, [2], 1.0), walk(2, [], 2.0), walk(4, [3], 3.0)]
    arrays = table(replace(RECIPE, rows=7), found)
    assert arrays["rewards"].tolist() == [0, 0, 1, 0, 0, 0, 0]
    assert arrays["terminals"].tolist() == [False, False, True, False, False, False, False]
    assert arrays["timeouts"].tolist() == [False, False, False, False, True, False, True]
    assert arrays["infos/goal"][:, 0].tolist() == [1, 1, 1, 2, 2, 3, 3]
    data = transitions(arrays, 29, 8)
    assert data.reward.tolist() == [0, 0, 1, 0, 0]
    assert data.terminated.tolist() == [False, False, True, False, False]
    assert data.truncated.tolist() == [False, False, False, True, True]
    assert "warning" not in data.statistics.text()


def test_the_table_of_walks_that_go_on_by_hand():
    found = [walk(4, [1, 2]), walk(3, [2])]
    arrays = table(replace(RECIPE, rows=7, stop_at_goal=False), found)
    assert arrays["terminals"].tolist() == [False, True, True, False, False, False, True]
    assert arrays["timeouts"].tolist() == [False, False, False, True, False, False, True]


def test_rewards_are_where_the_next_row_is_near_the_goal():
    lane = Lane(replace(RECIPE, stop_at_goal=False, quality=1.0))
    lane.start(0)
    # 0.52 m from the goal, and thrown towards it.
    lane.physics.data.qpos[:2] = lane.physics.goal - [0.52, 0.0]
    lane.physics.data.qvel[0] = 2.0
    lane.state = lane.physics.observation()
    ended = None
    for _ in range(LONGEST):
        assert ended is None
        lane.direction()
        ended = lane.step(np.zeros(8))
    assert ended is not None
    assert len(ended) == LONGEST
    gaps = np.linalg.norm(ended.observations[1:, :2] - ended.goal, axis=1)
    assert ended.reached[:-1].tolist() == (gaps <= 0.5).tolist()
    assert 0 < ended.reached.sum()
    assert ended.arrived == 1 + int(np.argmax(ended.reached))


def test_a_walk_stops_at_its_goal():
    lane = Lane(replace(RECIPE, quality=1.0))
    lane.start(0)
    lane.direction()
    assert lane.step(np.zeros(8)) is None
    lane.physics.data.qpos[:2] = lane.physics.goal
    lane.direction()
    ended = lane.step(np.zeros(8))
    assert ended is not None
    assert ended.reached.tolist() == [False, True]


def test_quality_is_the_share_of_time_at_waypoints():
    for quality, low, high in ((0.0, 0.0, 0.0), (0.3, 0.2, 0.4), (1.0, 1.0, 1.0)):
        lane = Lane(replace(RECIPE, quality=quality, stop_at_goal=False))
        lane.start(0)
        standing = (lane.state, 0.0, False)
        lane.physics.step = lambda action, answer=standing: answer
        follows = []
        for _ in range(300 * SPELL):
            lane.direction()
            follows.append(not lane._wanders)
            lane.step(np.zeros(8))
        assert low <= np.mean(follows) <= high
        spells = np.array(follows).reshape(-1, SPELL)
        assert (spells == spells[:, :1]).all()


@pytest.mark.parametrize("task", TASKS)
def test_walks_begin_and_end_where_the_task_s_data_do(task: str):
    maze, generator = TASKS[task].maze, np.random.default_rng(0)
    routes = [route(task, generator) for _ in range(400)]
    goals = {goal for _, goal in routes}
    assert goals == set(free_cells(maze) if "diverse" in task else MARKED[maze])
    starts = {cell_centred(begin) for begin, _ in routes}
    everywhere = set(free_cells(maze))
    assert starts == ({(1, 1)} if task == "antmaze-umaze-v2" else everywhere - goals | starts)
    assert all(cell_centred(begin) != goal for begin, goal in routes)


def test_the_goal_is_the_task_s_once_an_episode_or_once_for_all():
    def goals(relabel: str, task: str) -> np.ndarray:
        lane = Lane(replace(RECIPE, task=task, relabel=relabel))  # pyright: ignore[reportArgumentType]
        found = []
        for number in range(20):
            lane.start(number)
            found.append(lane.physics.goal)
        return np.array(found)

    for task in ("antmaze-umaze-v2", "antmaze-large-diverse-v2"):
        cell = np.array(TASKS[task].maze.goal)
        each, fixed = goals("episode", task), goals("fixed", task)
        assert len(np.unique(each[:, 0])) == 20
        assert len(np.unique(fixed[:, 0])) == 1
        for found in (each, fixed):
            assert (found >= cell).all()
            assert (found <= cell + 1.5).all()


def test_an_episode_depends_on_its_number_and_not_on_its_lane(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(data_rollout, "LONGEST", 30)
    recipe = replace(RECIPE, rows=150)
    many = list(islice(walks(recipe, lazy), 4))
    monkeypatch.setattr(data_rollout, "LANES", 1)
    for one, other in zip(islice(walks(recipe, lazy), 4), many, strict=True):
        np.testing.assert_array_equal(one.observations, other.observations)
        np.testing.assert_array_equal(one.actions, other.actions)
    assert not np.array_equal(many[0].actions, many[1].actions)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_rollout, "LONGEST", 60)


def make_file(path: Path, recipe: Recipe) -> bytes:
    said: list[str] = []
    generate(recipe, Controller(lazy, 1.0, 0.5, {"seeds": [0]}), UNSCORED, path, said.append)
    assert "generated, not D4RL" in said[-1]
    return path.read_bytes()


@pytest.mark.usefixtures("short")
def test_a_file_is_a_function_of_what_was_asked_for(tmp_path: Path):
    first = make_file(tmp_path / "a.npz", RECIPE)
    assert first == make_file(tmp_path / "b.npz", RECIPE)
    assert first != make_file(tmp_path / "c.npz", replace(RECIPE, seed=1))
    assert {p.name for p in tmp_path.iterdir()} == {
        f"{n}.{s}" for n in "abc" for s in ("npz", "json")
    }
    data = load(tmp_path / "a.npz", 29, 8)
    assert data.statistics.rows == 60
    assert len(data) == 59
    header = read_header(tmp_path / "a.npz")
    assert (header["made"], header["rows"], header["episodes"]) == ("generated, not D4RL", 60, 1)
    assert header["cloning_score"] is None


@pytest.mark.usefixtures("short")
def test_nothing_is_written_before_all_of_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def stop(*arguments: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(data_file, "cloning_score", stop)
    controller = Controller(lazy, 1.0, 0.5, {})
    with pytest.raises(KeyboardInterrupt):
        generate(RECIPE, controller, Cloning(), tmp_path / "a.npz", lambda line: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("short")
def test_another_file_is_not_written_over(tmp_path: Path):
    make_file(tmp_path / "a.npz", RECIPE)
    asked = data_file.request(RECIPE, {"seeds": [0]}, UNSCORED)
    assert data_file.is_there(tmp_path / "a.npz", asked)
    assert not data_file.is_there(tmp_path / "b.npz", asked)
    other = data_file.request(replace(RECIPE, quality=0.9), {"seeds": [0]}, UNSCORED)
    with pytest.raises(UserError, match="another recipe") as caught:
        data_file.is_there(tmp_path / "a.npz", other)
    assert "--out" in caught.value.hint
    (tmp_path / "c.npz").write_text("not a data set")
    with pytest.raises(UserError, match="no data set"):
        data_file.is_there(tmp_path / "c.npz", asked)


def test_figures_count_walks():
    found = [replace(walk(3, [2]), arrived=3), replace(walk(5, []), flipped=True), walk(4, [])]
    assert figures(found) == {
        "episodes": 3,
        "success_share": pytest.approx(1 / 3),
        "arrived_share": pytest.approx(1 / 3),
        "median_steps_to_goal": 3.0,
        "median_length": 4.0,
        "flipped_share": pytest.approx(1 / 3),
    }
