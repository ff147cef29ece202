"""Hare & Tortoise (Lee et al. 2024): a slow average follows the network, which is set back to it
now and then."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from primacy.plasticity.contract import (
    Generators,
    PlasticNetwork,
    SelectionError,
    forget,
    select_layered,
    write,
)
from primacy.plasticity.schedule import RemedyError, Schedule


@dataclass(frozen=True, kw_only=True)
class HareTortoise(Schedule):
    """tau <- decay tau + (1 - decay) theta after each gradient step; theta <- tau at each event."""

    decay: float = 0.999
    """Share of the old average per gradient step."""
    networks: tuple[str, ...] = ("critic",)
    """Networks: all, or names joined by +. A single scalar (the temperature) has no tortoise."""
    shadow: Literal["own", "target"] = "own"
    """The tortoise: an average of its own, or the agent's target network (decay is then the
    target's)."""
    optimiser: Literal["keep", "reset"] = "keep"
    """Adam's moments and counters at the copy."""

    def __post_init__(self) -> None:
        if self.decay >= 1.0:
            raise RemedyError(
                f"remedy hare-tortoise: field decay={self.decay} is out of range",
                "it is at least 0 and less than 1: an average with decay 1 never moves",
            )

    def init(self, networks: Mapping[str, PlasticNetwork]) -> dict[str, Tensor]:
        """The tortoise starts where the hare does; raises SelectionError where there is none."""
        state = {}
        for network in self._networks(networks):
            if self.shadow == "own":
                state |= {name: value.clone() for name, _, _, value in network.parameters()}
                state[f"{network.name}/steps"] = torch.zeros(
                    network.num_seeds, device=next(network.parameters())[3].device
                )
            else:
                state[f"{network.name}/edited"] = torch.zeros(
                    network.num_seeds,
                    dtype=torch.bool,
                    device=next(network.parameters())[3].device,
                )
        return state

    def _networks(self, networks: Mapping[str, PlasticNetwork]) -> list[PlasticNetwork]:
        chosen = select_layered(networks, self.networks)
        if self.shadow == "own":
            return chosen
        followed = [network for network in chosen if network.target is not None]
        if not followed or (len(followed) < len(chosen) and self.networks != ("all",)):
            without = "+".join(x.name for x in chosen if x.target is None)
            raise SelectionError(
                f"field shadow: target asks for a target network, which {without} has not",
                "leave that network out, or use shadow=own",
            )
        return followed

    def before_step(
        self,
        network: PlasticNetwork,
        name: str,
        value: Tensor,
        learning_rate: float | Tensor,
        state: Mapping[str, Tensor],
    ) -> Tensor:
        """No say in the step."""
        return value

    def after_step(self, network: PlasticNetwork, state: Mapping[str, Tensor]) -> None:
        """The average takes one step towards the network."""
        edited, steps = (state.get(f"{network.name}/{key}") for key in ("edited", "steps"))
        if edited is not None:
            edited.zero_()
        if steps is not None:
            for name, _, _, value in network.parameters():
                state[name].lerp_(value, 1.0 - self.decay)
            steps.add_(1.0)

    def apply(
        self,
        networks: Mapping[str, PlasticNetwork],
        state: dict[str, Tensor],
        fire: Tensor,
        generators: Callable[[str], Generators],
    ) -> set[str]:
        """theta <- tau for the seeds in `fire`; the agent's target network stays as it is.

        Left out is a copy before 1 / (1 - decay) steps of averaging, which would nearly be a reset
        to the initial weights, and one of a target network just after another remedy's edit, which
        would put the target's draw in place of the network's own.
        """
        edited = set()
        for network in self._networks(networks):
            if self.shadow == "own":
                # decay^n <= exp(-1) is n >= 1 / (1 - decay), to rounding.
                ripe = fire & (state[f"{network.name}/steps"] * (1.0 - self.decay) >= 1.0 - 1e-6)
                source = state
            else:
                assert network.target is not None
                ripe = fire & ~state[f"{network.name}/edited"]
                source = {name: value for name, _, _, value in network.target.parameters()}
            for name, _, _, value in network.parameters():
                write(value, source[name], ripe)
                if self.optimiser == "reset":
                    forget(network, name, ripe)
            if bool(ripe.any()):
                edited.add(network.name)
        return edited

    def follow(
        self,
        networks: Mapping[str, PlasticNetwork],
        state: dict[str, Tensor],
        changed: Mapping[str, Tensor],
        redrawn: bool,
    ) -> None:
        """Another remedy edited parameters: the tortoise's own take the new values and it must
        ripen anew.

        Left alone it would carry the old weights back at its next copy and undo the edit;
        parameters that were not edited keep their average.
        """
        for network in self._networks(networks):
            for name, _, _, value in network.parameters():
                if self.shadow == "target":
                    state[f"{network.name}/edited"].logical_or_(changed[name])
                    continue
                steps = state[f"{network.name}/steps"]
                write(state[name], value, changed[name])
                write(steps, torch.zeros_like(steps), changed[name])
