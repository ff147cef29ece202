"""A run's ordered list of remedies, with their state."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from primacy.plasticity.contract import Architecture, Generators, PlasticNetwork
from primacy.plasticity.remedies import describe
from primacy.plasticity.schedule import Schedule


@dataclass(frozen=True)
class Due:
    """An intervention that is due."""

    index: int
    """Position in the list."""
    event: int
    """Number of the event, from 1; it keys the event's random numbers."""
    text: str


def options(
    remedies: Sequence[Any], network: str, architecture: Architecture, inputs: int
) -> Architecture:
    """The architecture of a network after the build-time remedies, in order."""
    built = architecture
    for remedy in remedies:
        if hasattr(remedy, "build"):
            built = remedy.build(network, built, inputs)
    return built


class Chain:
    """The remedies of a run attached to its networks; order in the list is order of application."""

    def __init__(self, remedies: Sequence[Any], networks: Mapping[str, PlasticNetwork]) -> None:
        """Allocates all state. Raises SelectionError where a remedy names what is not there."""
        self.remedies = tuple(remedies)
        self.networks = networks
        self.state: list[dict[str, Tensor]] = [
            remedy.init(networks) if hasattr(remedy, "init") else {} for remedy in self.remedies
        ]
        self._penalties = self._with("penalty")
        self._rules = self._with("before_step")
        self._followers = self._with("follow")

    def _with(self, method: str) -> list[tuple[Any, dict[str, Tensor]]]:
        pairs = zip(self.remedies, self.state, strict=True)
        return [(remedy, state) for remedy, state in pairs if hasattr(remedy, method)]

    def penalty(self, network: PlasticNetwork, parameters: Mapping[str, Tensor]) -> Tensor | float:
        """The sum of the penalties on a network, [S]; 0.0 without any."""
        return sum((r.penalty(network, parameters, s) for r, s in self._penalties), 0.0)

    def before_step(
        self, network: PlasticNetwork, name: str, value: Tensor, learning_rate: float | Tensor
    ) -> Tensor:
        """The value that the optimiser's step starts from."""
        start = value
        for rule, state in self._rules:
            start = rule.before_step(network, name, start, learning_rate, state)
        return start

    def after_step(self, network: PlasticNetwork) -> None:
        """Bring what follows the network up to date."""
        for rule, state in self._rules:
            rule.after_step(network, state)

    def due(
        self,
        env_step: int | None,
        gradient_step: int | None,
        frame: int | None,
        totals: Mapping[str, int],
        frames_per_env_step: int = 1,
    ) -> list[Due]:
        """What is due at these counts, in order; a unit whose count is None is not looked at."""
        strides = {"env_steps": 1, "gradient_steps": 1, "frames": frames_per_env_step}
        counts = {"env_steps": env_step, "gradient_steps": gradient_step, "frames": frame}
        found = []
        for index, remedy in enumerate(self.remedies):
            if isinstance(remedy, Schedule):
                count = counts[remedy.unit]
                if count is None:
                    continue
                event = remedy.event(count, totals[remedy.unit], strides[remedy.unit])
                if event is not None:
                    found.append(Due(index, event, describe(remedy)))
        return found

    def next_gradient_step(self, gradient_step: int) -> int | None:
        """The next gradient step at which an intervention may be due, or None."""
        counts = [
            remedy.next_after(gradient_step)
            for remedy in self.remedies
            if isinstance(remedy, Schedule) and remedy.unit == "gradient_steps"
        ]
        return min(counts, default=None)

    def apply(self, due: Due, fire: Tensor, generators: Callable[[str], Generators]) -> set[str]:
        """Apply one intervention to the seeds in `fire` (bool [S]); the remedies that remember
        weights (method `follow`) are told which parameters changed, and whether by a fresh draw.

        Returns the names of the edited networks.
        """
        remedy: Any = self.remedies[due.index]
        state = self.state[due.index]
        followers = [pair for pair in self._followers if pair[1] is not state]
        before = {name: value.clone() for name, value in self._values()} if followers else {}
        edited = remedy.apply(self.networks, state, fire, generators)
        changed = {
            name: fire & (value != before[name]).flatten(1).any(-1)
            for name, value in self._values()
            if name in before
        }
        for follower, own in followers:
            follower.follow(self.networks, own, changed, getattr(remedy, "redraws", False))
        return edited

    def _values(self) -> Iterator[tuple[str, Tensor]]:
        for network in self.networks.values():
            for name, _, _, value in network.parameters():
                yield name, value

    def state_dict(self) -> dict[str, Tensor]:
        """All state by name, "INDEX/NAME"."""
        return {
            f"{index}/{name}": value
            for index, state in enumerate(self.state)
            for name, value in state.items()
        }

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy into the state, in place."""
        for name, value in self.state_dict().items():
            value.copy_(tensors[name])
