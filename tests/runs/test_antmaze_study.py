"""The rows of the offline-to-online study as commands: what they say is what they run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from primacy.agents.iql import IQLConfig
from primacy.agents.rlpd import RLPDConfig
from primacy.envs.antmaze_tasks import TASKS
from primacy.replay.buffer import Replay
from primacy.replay.layout import Layout
from primacy.runs import run_command
from primacy.runs.antmaze import SCALES, conditions, during
from primacy.runs.arguments import parse
from primacy.runs.config import to_dict
from primacy.runs.data_command import DataOptions, check
from primacy.runs.errors import UserError
from primacy.runs.fork import FIXED
from primacy.runs.observations import as_is
from primacy.runs.options import parse_train
from primacy.runs.sampling import VectorSampler
from primacy.runs.sweep import Cell, run_cells

TASK = "antmaze-umaze-v2"
ROWS = {
    "A-iql-ft": "offline-iql",
    "B-rlpd": "",
    "C-iql-reset": "offline-iql",
    "D-rlpd-pre": "offline-rlpd",
    "E-rlpd-pre-reset": "offline-rlpd",
    "F-iql-scratch": "",
    "G-iql-ft-sym": "offline-iql",
    **{f"H-rlpd-pre-{suffix}": "offline-rlpd" for suffix in ("head", "sp", "ht")},
    **{f"I-iql-ft-{suffix}": "offline-iql" for suffix in ("head", "sp", "ht")},
}
"""Row -> the offline phase that it goes on from."""


def cells(scale: str, task: str = TASK) -> dict[str, Cell]:
    found = list(conditions(task, SCALES[scale]))
    return {cell.name.rpartition("/")[2]: cell for cell in found}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("task", TASKS)
def test_every_command_makes_its_configuration(scale: str, task: str):
    found = cells(scale, task)
    for cell in found.values():
        if cell.arguments[0] == "train":
            assert parse_train([*cell.arguments[1:], "--out", "x"]).run == cell.config
        if cell.arguments[0] == "fork":
            command, parent, at, step, *rest = cell.arguments
            before = found[parent.rpartition("/")[2]].config
            assert (command, at, step) == ("fork", "--at", "0")
            assert parse_train([*rest, "--out", "x"], default=before).run == cell.config
            assert all(getattr(before, n) == getattr(cell.config, n) for n in FIXED)


@pytest.mark.parametrize("scale", SCALES)
def test_the_rows_share_their_offline_phase(scale: str):
    found = cells(scale)
    data = {"data"} if scale != "paper" else set()
    assert set(found) == {*ROWS, "offline-iql", "offline-rlpd", *data}
    first = f"{TASK}/data" if data else ""
    for name, parent in {**ROWS, "offline-iql": "", "offline-rlpd": ""}.items():
        assert found[name].after == (f"{TASK}/{parent}" if parent else first)
    for phase in ("offline-iql", "offline-rlpd"):
        assert found[phase].config.env_steps == 0 < found[phase].config.offline_updates


@pytest.mark.parametrize("scale", SCALES)
def test_rows_differ_in_what_section_4_of_the_comparison_says(scale: str):
    rows = {name[0]: cell.config for name, cell in cells(scale).items() if name in ROWS}
    same = {"label": ""}
    a, b, d, e = (replace(rows[name], **same) for name in "ABDE")
    assert replace(rows["C"], **same) == replace(a, at_switch=("reset",))
    assert replace(rows["G"], **same) == replace(a, online_sampling="symmetric:0.5")
    assert replace(rows["F"], **same) == replace(a, offline_updates=0)
    assert b == replace(d, offline_updates=0, warmup_policy="random")
    assert e == replace(d, at_switch=("reset",), warmup_policy="random")
    assert (a.start_steps, a.online_sampling, d.online_sampling) == (1, "append", "symmetric:0.5")
    assert {config.reward_bias for config in rows.values()} == {-1.0}
    assert len({str(to_dict(config)["hidden_sizes"]) for config in rows.values()}) == 1


def test_the_paper_scale_is_the_papers():
    found = cells("paper")
    iql, rlpd = found["A-iql-ft"].config, found["B-rlpd"].config
    assert (iql.env_steps, iql.offline_updates, iql.batch_size) == (1_000_000, 1_000_000, 256)
    assert isinstance(iql.algorithm, IQLConfig)
    assert (iql.algorithm.expectile, iql.algorithm.temperature) == (0.9, 10.0)
    assert (iql.algorithm.actor_schedule, iql.replay_ratio) == ("constant", "1")
    assert (rlpd.env_steps, rlpd.start_steps, rlpd.replay_ratio) == (300_000, 5_000, "20")
    agent = rlpd.algorithm
    assert isinstance(agent, RLPDConfig)
    assert (agent.critics, agent.subset, agent.critic_steps) == (10, 1, 20)
    assert (agent.entropy_backup, agent.hidden_sizes) == (False, (256, 256, 256))
    assert {c.config.offline_data for c in found.values()} == {f"d4rl:{TASK}"}
    assert not any(c.config.normalize_observations for c in found.values())


def test_remedies_come_after_each_sixth_but_the_last():
    found = during(300_000)
    assert found["sp"] == "shrink-perturb:every=50000,unit=env_steps,until=250000"
    assert found["head"].startswith("reset:layers=head:1,every=50000,")


@pytest.mark.parametrize("scale", ["cpu", "smoke"])
def test_the_data_are_made_first(scale: str):
    cell = cells(scale)["data"]
    options = parse(DataOptions, "primacy data", [*cell.arguments[1:], "--out", "x.npz"])
    check(options)
    assert (options.recipe.task, options.any_controller) == (TASK, scale == "smoke")
    assert cell.config.env_steps == options.controller_steps
    used = {c.config.offline_data for name, c in cells(scale).items() if name != "data"}
    assert used == {f"{{out}}/{TASK}/data.npz"}


def test_a_data_file_takes_the_place_of_making_them(tmp_path):
    path = tmp_path / "own.npz"
    path.touch()
    found = list(conditions(TASK, SCALES["smoke"], str(path)))
    assert {cell.config.offline_data for cell in found} == {str(path)}
    assert {c.after for c in found} == {"", f"{TASK}/offline-iql", f"{TASK}/offline-rlpd"}
    with pytest.raises(UserError, match="no such file"):
        list(conditions(TASK, SCALES["smoke"], str(tmp_path / "none.npz")))
    with pytest.raises(UserError, match="is no AntMaze task") as caught:
        list(conditions("antmaze-umaze-v1", SCALES["smoke"]))
    assert "antmaze-umaze-v2" in caught.value.hint


def test_a_condition_brings_all_that_it_waits_for(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(run_command, "cost", lambda cells, jobs: "")
    common = ["--scale", "smoke", "--dry-run", "--out", str(tmp_path), "--conditions"]
    assert run_command.run(["antmaze", *common, "C-iql-reset"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("primacy")]
    assert [line.split()[1] for line in lines] == ["data", "train", "fork"]
    assert f"--offline-data {tmp_path}/{TASK}/data.npz" in lines[1]
    assert f"--out {tmp_path}/{TASK}/data.npz" in lines[0]
    with pytest.raises(UserError, match="uses no offline data"):
        run_command.run(["dmc-quadruped", *common, "rr1", "--offline-data", "x"])


def test_a_command_that_makes_a_file_is_given_every_time_and_waited_for(tmp_path, capsys):
    config = next(conditions(TASK, SCALES["smoke"])).config
    made = Cell("data", ("--version",), config, file=".npz")
    (tmp_path / "data.npz").touch()
    assert run_cells([made, Cell("after", ("--version",), config, after="data")], tmp_path, 1) == []
    assert capsys.readouterr().out.splitlines()[1:] == ["finished  data", "finished  after"]


def test_rewards_are_shifted_where_they_are_learned_from_alone():
    layout = Layout(1, 1)
    replay = Replay(layout, 1, 4)
    one, no = np.ones((1, 1), np.float32), np.zeros(1, np.float32)
    for reward in (0.0, 1.0, 0.0, 1.0):
        replay.add(layout.pack(one, one, no + np.float32(reward), no, no, one))
    shifted = {"reward_scale": 10.0, "reward_bias": -5.0, "batch_size": 4}
    config = replace(cells("smoke")["F-iql-scratch"].config, **shifted)

    class Parts:
        view = staticmethod(as_is)

    parts = Parts()
    parts.config, parts.replay = config, replay  # pyright: ignore[reportAttributeAccessIssue]
    uniforms = torch.tensor([[0.0, 0.25, 0.5, 0.75]], dtype=torch.float64)
    batch = VectorSampler(parts).draw(uniforms, 0)  # pyright: ignore[reportArgumentType]
    assert batch.reward.tolist() == [[-5.0, 5.0, -5.0, 5.0]]
    assert replay.sample(uniforms).reward.tolist() == [[0.0, 1.0, 0.0, 1.0]]
    with pytest.raises(UserError, match="reward-bias"):
        replace(config, algorithm=replace(config.algorithm, n_step=3))
