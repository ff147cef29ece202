"""What batches of agents that see are asked for, beside how replay assembles them."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from primacy.replay.frames import Drawn
from primacy.runs.frame_sampling import PrioritisedSampler
from primacy.runs.settings import SETTINGS


class Asked:
    """A replay that keeps what it is asked for."""

    def at(self, drawn: Drawn, returns: Any) -> Any:
        self.returns = returns
        return SimpleNamespace(reward=torch.zeros(3, 1), _replace=lambda **fields: self)

    def draw(self, *given: Any) -> Drawn:
        return Drawn(torch.zeros(3, 1, dtype=torch.int64), torch.ones(3, 1), 0)


@pytest.mark.parametrize(
    ("alive", "wanted"),
    [
        ((True, True, True), (10, 0.97)),
        ((False, True, True), (3, 0.995)),
        ((False, False, True), (3, 0.995)),
        ((False, False, False), (10, 0.97)),
    ],
)
def test_the_horizon_is_that_of_seeds_that_learn(alive: tuple[bool, ...], wanted):
    """Seed 0 was frozen before a reset began the annealing of the others anew."""
    n, discount = torch.tensor([10, 3, 3]), torch.tensor([0.97, 0.995, 0.995], dtype=torch.float64)
    agent = SimpleNamespace(
        alive=torch.tensor(alive), horizon=lambda: (n, discount), sequence_length=1
    )
    config = replace(SETTINGS["drq-atari"]("atari-pong"), env_steps=5_000)
    replay = Asked()
    parts: Any = SimpleNamespace(config=config, agent=agent, replay=replay)
    PrioritisedSampler(parts).draw(torch.zeros(3, 1), 0)
    assert (replay.returns.n_step, replay.returns.discount) == wanted
    assert isinstance(replay.returns.n_step, int)
