"""The batch of the diagnostics resolves the ranks it is for."""

import pytest

from primacy.agents.sac import SAC, SACConfig
from primacy.plasticity.contract import Architecture
from primacy.runs.diagnose import batch_size
from primacy.tests.support.sac_pairs import ACTION, OBSERVATION, generators


@pytest.mark.parametrize(
    ("units", "activation", "states"), [(32, "relu", 512), (256, "relu", 512), (190, "crelu", 760)]
)
def test_at_least_twice_the_features(units, activation, states):
    shape = Architecture(hidden_sizes=(units, units), activation=activation)
    both = {"actor": shape, "critic": shape}
    agent = SAC(SACConfig(), OBSERVATION, ACTION, generators((0,)), both)
    assert batch_size(agent.networks().values()) == states
