"""Diagnostics during training: rows of plasticity.csv at intervals and around interventions."""

from collections.abc import Iterable
from typing import Any, cast

from primacy.agents.agent import Batch
from primacy.plasticity.contract import PlasticNetwork
from primacy.plasticity.diagnostics import measure
from primacy.runs.assembly import Parts
from primacy.runs.sampling import sampler
from primacy.runs.tables import Table

SMALLEST_BATCH = 512
"""Replay states per seed; wide layers get twice their features, which ranks need."""

FRAME_STATES = 256
"""The same of stacks of frames, which cost a thousand times as much: ranks above it do not show."""


def batch_size(networks: Iterable[PlasticNetwork]) -> int:
    """States that resolve the rank of every last hidden layer, whose features the heads read."""
    features = [x.fan_in for network in networks for x in network.layers if x.depth == 0]
    return max(SMALLEST_BATCH, 2 * max(features))


class Diagnostics:
    """Measures networks on a batch that the gradient step decides; changes nothing and shares no
    random number."""

    def __init__(self, parts: Parts, table: Table) -> None:
        self.parts = parts
        self.table = table
        self._sampler = sampler(parts)
        self.states = self.probed = batch_size(parts.agent.networks().values())
        if parts.spaces.stack:
            # Gradients cost several times what features do: those of one batch, as in training.
            self.states = FRAME_STATES
            self.probed = min(FRAME_STATES, parts.config.batch_size)
        self.claimed = -1
        """The last interval in which an intervention was measured."""

    def claim(self, env_step: int) -> bool:
        """Whether the interventions at this env step are measured: the first of each interval, to
        bound the cost."""
        interval = env_step // self.parts.config.diagnose_every
        fresh = interval > self.claimed or self.claimed < 0
        self.claimed = max(self.claimed, interval)
        return fresh

    def measure(self, phase: str, env_step: int, gradient_step: int) -> None:
        """Write one row per seed, network, layer and metric."""
        parts, config = self.parts, self.parts.config
        if not parts.replay.size:
            return
        source = parts.randomness.source("diagnostics", gradient_step, 1)
        uniforms = source.uniform("batch", (self.states,))[:, 0]
        batch = self._sampler.look(uniforms)
        inputs = {"observation": batch.observation, "action": batch.action}
        rows = []
        for network in parts.agent.networks().values():
            initial = parts.initial[network.name]
            for layer, metric, values in measure(network, inputs, initial):
                rows.append((network.name, layer, metric, values))
        noise = parts.agent.draw(source, self.probed)[0]
        for name, figures in parts.agent.probe(_rows(batch, self.probed), noise).items():
            rows += [(name, "", metric, values) for metric, values in figures.items()]
        for network, layer, metric, values in rows:
            for seed, value in zip(config.seeds, values.tolist(), strict=True):
                self.table.add(
                    seed, env_step, gradient_step, phase, network, layer, metric, float(value)
                )


def _rows(batch: Batch, count: int) -> Batch:
    """The first `count` transitions of each seed."""
    columns = cast(Any, batch)
    return columns._replace(**{name: x[:, :count] for name, x in columns._asdict().items()})
