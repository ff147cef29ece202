"""The batch of the diagnostics resolves the ranks it is for."""

import csv
from pathlib import Path

import numpy as np
import pytest

from primacy.agents.sac import SAC, SACConfig
from primacy.plasticity.contract import Architecture
from primacy.runs.assembly import assemble
from primacy.runs.conduct import train
from primacy.runs.diagnose import FRAME_STATES, Diagnostics, batch_size
from primacy.runs.options import parse_train
from primacy.runs.tables import Tables
from primacy.tests.support import atari_runs
from primacy.tests.support.sac_pairs import ACTION, OBSERVATION, generators
from primacy.tests.support.small_runs import SMALL


@pytest.mark.parametrize(
    ("units", "activation", "states"), [(32, "relu", 512), (256, "relu", 512), (190, "crelu", 760)]
)
def test_at_least_twice_the_features(units, activation, states):
    shape = Architecture(hidden_sizes=(units, units), activation=activation)
    both = {"actor": shape, "critic": shape}
    agent = SAC(SACConfig(), OBSERVATION, ACTION, generators((0,)), both)
    assert batch_size(agent.networks().values()) == states


@pytest.mark.parametrize("batch", [40, 300])
def test_frames_are_probed_with_small_and_large_batches(batch: int, tmp_path: Path):
    parts = assemble(atari_runs.config("drq-eps", "--batch-size", str(batch)), lambda line: None)
    parts.lanes.close()
    frames = np.random.default_rng(0).integers(256, size=(2, 60, 84, 84), dtype=np.uint8)
    none = np.zeros((2, 60), np.float32)
    rows = parts.layout.pack(frames, none, none, none, none, np.roll(frames, -1, 1))
    parts.replay.extend(rows)
    tables = Tables(tmp_path)
    diagnostics = Diagnostics(parts, tables.plasticity)
    assert (diagnostics.states, diagnostics.probed) == (FRAME_STATES, min(batch, FRAME_STATES))
    diagnostics.measure("interval", 1, 1)
    tables.close()
    lines = (tmp_path / "plasticity.csv").read_text().splitlines()
    assert sum(",grad_norm," in line for line in lines) == 2


def test_what_is_due_at_once_is_measured_around_all_of_it(tmp_path: Path):
    out = tmp_path / "run"
    remedies = (
        "reset:every=120,unit=env_steps,networks=critic",
        "shrink-perturb:every=120,unit=env_steps,networks=actor",
    )
    run = parse_train([*SMALL, "--remedies", *remedies, "--out", str(out)]).run
    assert train(run, out, quiet=True) == 0
    with (out / "plasticity.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["phase"] in ("before", "after")]
    assert {row["env_step"] for row in rows} == {"120", "240"}
    for network in ("critic", "actor"):
        norms = [
            [
                float(row["value"])
                for row in rows
                if (row["network"], row["metric"], row["layer"]) == (network, "weight_norm", layer)
                and (row["env_step"], row["phase"], row["seed"]) == ("120", phase, "0")
            ]
            for layer in (f"{network}.0",)
            for phase in ("before", "after")
        ]
        assert [len(found) for found in norms] == [1, 1], network
        assert norms[0] != norms[1], network
