"""The studies' conditions as commands: what they say is what they run."""

import pytest

from primacy.agents.sac import SACConfig
from primacy.runs.dmc_quadruped import SCALES, TASKS, conditions
from primacy.runs.options import as_arguments, parse_train
from primacy.runs.sweep import Cell, run_cells


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
