"""The studies' conditions as commands: what they say is what they run."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from primacy.agents.sac import SACConfig
from primacy.runs import antmaze, cli, run_command
from primacy.runs.dmc_quadruped import SCALES, TASKS, conditions
from primacy.runs.options import as_arguments, parse_train
from primacy.runs.sweep import Cell, at_once, run_cells
from primacy.tests.runs.test_sweep import complaint, put


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("task", TASKS)
def test_every_training_run_is_its_command(name: str, task: str):
    cells = list(conditions(task, SCALES[name]))
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in cells:
        if cell.arguments[0] == "train":
            parsed = parse_train([*cell.arguments[1:], "--out", "x"]).run
            assert parsed == cell.config
            assert as_arguments(parsed) == list(cell.arguments[1:])


@pytest.mark.parametrize("name", SCALES)
def test_forks_and_transplants_follow_their_sources(name: str):
    scale = SCALES[name]
    cells = {cell.name: cell for cell in conditions("walker-walk", scale)}
    fork, transplant = (cells[f"walker-walk/{n}"] for n in ("primed-reset", "transplant"))
    assert fork.after == "walker-walk/primed"
    assert transplant.after == f"walker-walk/rr{scale.ratios[-1]}"
    kept = cells[fork.after].config.kept_every
    assert kept
    assert scale.primed_reset % kept == 0
    assert scale.primed_reset < cells[fork.after].config.env_steps


def test_the_paper_scale_is_the_study():
    config = next(conditions("quadruped-run", SCALES["paper"])).config
    assert (config.env_steps, config.start_steps, config.batch_size) == (2_000_000, 10_000, 256)
    assert config.algorithm == SACConfig()
    assert config.seeds == tuple(range(10))
    assert SCALES["paper"].ratios == ("1", "9", "32")
    assert SCALES["paper"].reset_every == 200_000


def test_what_waits_for_a_failed_run_is_left_out(tmp_path, capsys):
    config = next(conditions("walker-walk", SCALES["smoke"])).config
    broken = Cell("a", ("no-such-command",), config)
    failed = run_cells([broken, Cell("b", ("train",), config, after="a")], tmp_path, 2)
    assert failed == ["a", "b"]
    assert "left out  b: a failed" in capsys.readouterr().out


SMOKE = {cell.name: cell for cell in conditions("walker-walk", SCALES["smoke"])}


def test_a_run_of_another_scale_is_refused_before_any_starts(tmp_path: Path, capsys):
    put(tmp_path / "walker-walk" / "rr1", SMOKE["walker-walk/rr1"].config)
    asked = ("run", "dmc-quadruped", "--tasks", "walker-walk", "--out", str(tmp_path))
    said = complaint(capsys, *asked, "--scale", "cpu", "--conditions", "rr1", "rr1-reset")
    assert "env_steps: 400 there, 8000 here" in said
    assert len(list(tmp_path.iterdir())) == 1


def test_a_finished_study_is_not_run_again(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setattr(run_command, "cost", lambda cells, jobs: "")
    for name, cell in SMOKE.items():
        given = 400 if name.endswith("transplant") else 0
        put(tmp_path / name, replace(cell.config, given_transitions=given))
    asked = ("run", "dmc-quadruped", "--tasks", "walker-walk", "--out", str(tmp_path))
    assert cli.main((*asked, "--scale", "smoke", "--no-report")) == 0
    assert "7 runs, 7 already finished" in capsys.readouterr().out


def test_data_that_a_study_makes_are_in_its_configurations(tmp_path: Path, monkeypatch):
    placed: list[Cell] = []
    monkeypatch.setattr(run_command, "cost", lambda cells, jobs: placed.extend(cells) or "")
    asked = ["antmaze", "--scale", "smoke", "--dry-run", "--out", str(tmp_path)]
    assert run_command.run([*asked, "--conditions", "F-iql-scratch"]) == 0
    data, scratch = placed
    assert scratch.config.offline_data == data.arguments[data.arguments.index("--out") + 1]
    assert scratch.config.offline_data in scratch.arguments


def test_an_offline_phase_has_a_speed():
    cells = antmaze.conditions("antmaze-umaze-v2", antmaze.SCALES["smoke"])
    phase = next(cell for cell in cells if cell.name.endswith("offline-iql"))
    assert phase.config.env_steps == 0
    update, step, longest = run_command.speed(phase.config, 0.05)
    assert min(update, step, longest) > 0


def test_a_study_on_a_gpu_asks_for_it_in_every_run_and_makes_its_data_without():
    scale = antmaze.SCALES["smoke"]
    plain = list(antmaze.conditions("antmaze-umaze-v2", scale, ""))
    on_gpu = [run_command._on("cuda", cell) for cell in plain]
    assert {cell.arguments[0] for cell in plain} == {"data", "train", "fork"}
    for before, cell in zip(plain, on_gpu, strict=True):
        if before.file:
            assert cell == before
            continue
        assert cell.arguments == (*before.arguments, "--device", "cuda")
        assert cell.config == replace(before.config, device="cuda")
        if cell.arguments[0] == "train":
            assert parse_train([*cell.arguments[1:], "--out", "x"]).run == cell.config
    assert (at_once(0, on_gpu), at_once(3, on_gpu)) == (1, 3)
    assert at_once(0, plain) == os.cpu_count()
