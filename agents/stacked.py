"""What S agents in one process have in common, whatever their losses: parameters by network, an
optimiser for each, seeds that are frozen, metrics, and what a checkpoint holds."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.func import grad_and_value

from primacy.agents.agent import Remedies
from primacy.agents.graph import whole_graph
from primacy.agents.networks import Net
from primacy.agents.optimiser import Adam, clip_by_norm, gradient_norm, polyak
from primacy.plasticity.chain import Chain
from primacy.plasticity.contract import Layer, Moments, PlasticNetwork

P = ParamSpec("P")
R = TypeVar("R")
Gradients = dict[str, Tensor]
Figures = dict[str, Tensor]
Loss = Callable[[dict[str, Tensor]], tuple[Tensor, Tensor]]
"""Parameters -> a loss [S], and a tensor that its computation leaves behind."""


class StackedAgent:
    """S agents. Parameters live in dicts by name and are only ever edited in place.

    An algorithm's constructor hands over its parameters, then publishes its networks.
    """

    steps_per_update: int = 1
    """Gradient steps that one call of `update` does, each on its own part of the batch."""

    def __init__(
        self,
        parameters: Mapping[str, Mapping[str, Tensor]],
        optimisers: Mapping[str, Adam],
        metrics: tuple[str, ...],
        device: str | torch.device,
        gradient_clip: float = 0.0,
    ) -> None:
        """`parameters` by network and name; `optimisers` by network; `metrics` are the figures that
        updates record."""
        self.device = torch.device(device)
        self.parameters = {
            network: {name: value.to(self.device) for name, value in values.items()}
            for network, values in parameters.items()
        }
        self.num_seeds = len(next(iter(next(iter(self.parameters.values())).values())))
        self.optimisers = optimisers
        self.moments = {
            name: moments
            for network, values in self.parameters.items()
            for name, moments in optimisers[network].initialise(values).items()
        }
        self.target: dict[str, Tensor] = {}
        self.alive = torch.ones(self.num_seeds, dtype=torch.bool, device=self.device)
        self.metrics = metrics
        # In float32 sums over a million updates between two calls of `pop_metrics` drift by 1%.
        running = partial(torch.zeros, dtype=torch.float64, device=self.device)
        self._sums = running(self.num_seeds, len(metrics))
        self._updates = running(self.num_seeds, 1)
        self._gradient_clip = gradient_clip
        self._networks: dict[str, PlasticNetwork] = {}
        self._remedies: Remedies = Chain((), {})
        self._compiled = False

    def _publish(self, *networks: PlasticNetwork) -> None:
        self._networks = {network.name: network for network in networks}
        self._remedies = Chain((), self._networks)

    def _network(
        self,
        net: Net,
        reads: tuple[str, ...] = ("observation",),
        target: Mapping[str, Tensor] | None = None,
        free: Sequence[Layer] = (),
    ) -> PlasticNetwork:
        """A network as remedies see it; `reads` are the parts of a batch that it takes, `free` its
        parameters that belong to no layer."""
        follower = None
        if target is not None:
            follower = PlasticNetwork(net.name, net.layers(target), lambda name: None)
        return PlasticNetwork(
            net.name,
            (*net.layers(self.parameters[net.name]), *free),
            self.moments.get,
            follower,
            partial(self._activations, net, reads),
        )

    @torch.no_grad()
    def _activations(
        self, net: Net, reads: tuple[str, ...], batch: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        taps: dict[str, Tensor] = {}
        x = torch.cat([batch[name] for name in reads], -1)
        net.forward(self.parameters[net.name], net.spread(x), taps)
        return taps

    # Learning

    def _graph(self, step: Callable[P, R]) -> Callable[P, R]:
        self._compiled = True
        return whole_graph(step, self.device)

    def _differentiate(self, name: str, loss_of: Loss) -> tuple[Gradients, Figures, Tensor]:
        """Gradients of a network's loss and penalties, NAME_loss and NAME_grad_norm [S], and what
        `loss_of` leaves behind."""

        def objective(parameters: dict[str, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            loss, left = loss_of(parameters)
            total = loss + self._remedies.penalty(self._networks[name], parameters)
            return total.sum(), (loss, left)

        gradients, (_, (loss, left)) = grad_and_value(objective, has_aux=True)(
            self.parameters[name]
        )
        figures = {f"{name}_loss": loss, f"{name}_grad_norm": gradient_norm(gradients)}
        return gradients, figures, left

    def _rates(self, network: str, moments: Sequence[Moments]) -> Sequence[float | Tensor]:
        """The step size of each parameter of a network at its next step."""
        return [self.optimisers[network].learning_rate] * len(moments)

    def _descend(
        self, name: str, gradients: dict[str, Tensor], figures: Mapping[str, Tensor]
    ) -> None:
        """One Adam step of a network; freezes the seeds whose loss or gradient is not finite."""
        network, parameters = self._networks[name], self.parameters[name]
        optimiser = self.optimisers[name]
        finite = figures[f"{name}_loss"].isfinite() & figures[f"{name}_grad_norm"].isfinite()
        self.alive.logical_and_(finite)
        if self._gradient_clip > 0:
            gradients = clip_by_norm(gradients, self._gradient_clip)
        moments = [self.moments[key] for key in parameters]
        rates = self._rates(name, moments)
        corrections = optimiser.corrections(moments)
        for (key, value), moment, factors, rate in zip(
            parameters.items(), moments, corrections, rates, strict=True
        ):
            start = self._remedies.before_step(network, key, value, rate)
            start = optimiser.decay(key, start, rate)
            optimiser.step(value, gradients[key], moment, factors, start, self.alive, rate)
        self._remedies.after_step(network)

    def _follow(self, name: str, rate: float) -> None:
        """The target network takes one step towards its network."""
        for key, value in self.target.items():
            polyak(value, self.parameters[name][key], rate, self.alive)

    def _record(self, figures: Mapping[str, Tensor]) -> None:
        self._sums.add_(torch.stack([figures[name].view(-1) for name in self.metrics], -1))
        self._updates.add_(1.0)

    # What others see

    def attach(self, remedies: Remedies) -> None:
        """Let these remedies act inside the updates, which are not compiled yet."""
        if self._compiled:
            raise RuntimeError("remedies are attached before the update is compiled")
        self._remedies = remedies

    def on_edit(self, edited: set[str]) -> None:
        """Nothing to do: what anneals is counted by the optimiser, and is reset with it."""

    def networks(self) -> dict[str, PlasticNetwork]:
        """The networks by name."""
        return self._networks

    def pop_metrics(self) -> dict[str, Tensor]:
        """Means [S] over the updates since the last call, by name."""
        if not self._updates.any():
            return {}
        means = (self._sums / self._updates).float().cpu().unbind(-1)
        self._sums.zero_()
        self._updates.zero_()
        return dict(zip(self.metrics, means, strict=True))

    def state(self) -> dict[str, Tensor]:
        """Parameters, targets, moments, counters, running metrics and the mask of living seeds."""
        tensors = {name: x for values in self.parameters.values() for name, x in values.items()}
        tensors |= {f"target/{name}": value for name, value in self.target.items()}
        for name, moments in self.moments.items():
            for field, value in moments._asdict().items():
                tensors[f"adam/{name}/{field}"] = value
        return tensors | {"alive": self.alive, "sums": self._sums, "updates": self._updates}
