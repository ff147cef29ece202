"""Diagnostics during training: rows of plasticity.csv at intervals and around interventions."""

from collections.abc import Iterable

from primacy.plasticity.contract import PlasticNetwork
from primacy.plasticity.diagnostics import measure
from primacy.runs.assembly import Parts
from primacy.runs.sampling import Sampler
from primacy.runs.tables import Table

SMALLEST_BATCH = 512
"""Replay states per seed; wide layers get twice their features, which ranks need."""


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
        self._sampler = Sampler(parts)
        self.states = batch_size(parts.agent.networks().values())
        self.claimed = -1
        """The last interval in which an intervention was measured."""

    def claim(self, env_step: int) -> bool:
        """Whether the intervention at this env step is measured: the first of each interval, to
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
        batch = self._sampler.draw(uniforms)
        inputs = {"observation": batch.observation, "action": batch.action}
        rows = []
        for network in parts.agent.networks().values():
            initial = parts.initial[network.name]
            for layer, metric, values in measure(network, inputs, initial):
                rows.append((network.name, layer, metric, values))
        for name, figures in parts.agent.probe(
            batch, parts.agent.draw(source, self.states)[0]
        ).items():
            rows += [(name, "", metric, values) for metric, values in figures.items()]
        for network, layer, metric, values in rows:
            for seed, value in zip(config.seeds, values.tolist(), strict=True):
                self.table.add(
                    seed, env_step, gradient_step, phase, network, layer, metric, float(value)
                )
