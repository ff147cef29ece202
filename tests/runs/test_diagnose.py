"""The batch of the diagnostics resolves the ranks it is for."""

from pathlib import Path

import numpy as np
import pytest

from primacy.agents.sac import SAC, SACConfig
from primacy.plasticity.contract import Architecture
from primacy.runs.assembly import assemble
from primacy.runs.diagnose import FRAME_STATES, Diagnostics, batch_size
from primacy.runs.tables import Tables
from primacy.tests.support import atari_runs
from primacy.tests.support.sac_pairs import ACTION, OBSERVATION, generators


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
