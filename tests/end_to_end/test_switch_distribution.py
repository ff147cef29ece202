"""A 100% reset at the switch leaves an agent from scratch, in distribution: row E of the comparison
on AntMaze is row B, and C is F (docs/antmaze.md), at smoke size."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from primacy.runs import cli
from primacy.tests.support.offline_runs import write

SEEDS = 40
SIZES = (
    f"--task cartpole-swingup --action-repeat 8 --seeds {' '.join(map(str, range(SEEDS)))} "
    "--hidden-sizes 16 16 --batch-size 16 --start-steps 5 --env-steps 40 --eval-every 0 "
    "--diagnose-every 40 --log-every 40 --compile never --quiet"
).split()
OFFLINE = ("--offline-updates", "150")
AGENTS = {
    "iql": (),
    "rlpd": "--critics 4 --critic-steps 2 --replay-ratio 4 --online-sampling symmetric:0.5 "
    "--actor-learning-rate 1e-2 --critic-learning-rate 1e-2".split(),
}
ROWS = {
    "scratch": (),
    "kept": OFFLINE,
    "reset": (*OFFLINE, "--at-switch", "reset"),
}


@pytest.fixture(scope="module", params=AGENTS)
def measured(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pd.DataFrame]:
    """Row -> network, layer, metric -> the values of all seeds after 40 online steps."""
    folder = tmp_path_factory.mktemp(request.param)
    data = write(folder / "data.npz")
    for row, options in ROWS.items():
        out = ("--offline-data", str(data), "--out", str(folder / row))
        given = ("train", "--agent", request.param, *SIZES, *AGENTS[request.param], *options, *out)
        assert cli.main(list(given)) == 0
    return {row: _last(folder / row) for row in ROWS}


def _last(run: Path) -> pd.DataFrame:
    table = pd.read_csv(run / "plasticity.csv", keep_default_na=False)
    # Distances from the first initialisation are those of another one after a reset.
    table = table[(table["env_step"] == 40) & (table["metric"] != "dist_init")]
    return table.pivot_table(
        index=["network", "layer", "metric"], columns="seed", values="value", aggfunc="first"
    )


def _least_p(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """The least p-value over all diagnostics, times their number (Bonferroni)."""
    shared = one.index.intersection(other.index)
    tests: list[Any] = [stats.ks_2samp(one.loc[key], other.loc[key]) for key in shared]
    found = [test.pvalue for test in tests]
    assert len(found) > 20
    return min(found) * len(found)


def test_after_the_reset_all_diagnostics_are_those_of_an_agent_from_scratch(measured):
    assert _least_p(measured["reset"], measured["scratch"]) > 0.01


def test_without_it_they_are_not(measured):
    assert _least_p(measured["kept"], measured["scratch"]) < 1e-6
