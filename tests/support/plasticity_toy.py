"""A second implementation of the contract, written independently of the agents: stacked regression
networks with autograd and a textbook Adam."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import sqrt
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from primacy.plasticity.chain import Chain
from primacy.plasticity.contract import (
    Architecture,
    Generators,
    Layer,
    Moments,
    PlasticNetwork,
    Role,
)

INPUTS, BATCH, LEARNING_RATE = 3, 32, 1e-2
MEMBERS = {"critic": (2,), "actor": ()}
OUTPUTS = {"critic": 1, "actor": 2}
Plan = Callable[[str, Architecture, int], Architecture]


def crelu(u: Tensor) -> Tensor:
    return torch.cat((u.clamp(min=0), (-u).clamp(min=0)), -1)


def linear(stack: tuple[int, ...], rows: int, columns: int) -> Callable:
    """Uniform weights AND biases, so that a reset of a bias is seen."""

    def initialise(generators: Generators) -> dict[Role, Tensor]:
        bound = 1 / sqrt(rows)
        shapes: dict[Role, tuple[int, ...]] = {
            "weight": (*stack, rows, columns),
            "bias": (*stack, 1, columns),
        }
        return {
            role: torch.tensor(
                np.stack([g.uniform(-bound, bound, shape) for g in generators]),
                dtype=torch.float32,
            )
            for role, shape in shapes.items()
        }

    return initialise


def norm(stack: tuple[int, ...], width: int) -> Callable:
    def initialise(generators: Generators) -> dict[Role, Tensor]:
        shape = (len(generators), *stack, 1, width)
        return {"scale": torch.ones(shape), "offset": torch.zeros(shape)}

    return initialise


class Toy:
    """critic (two members and a target), actor and temperature, fitted to fixed random data."""

    def __init__(self, seeds: tuple[int, ...], plan: Plan = lambda name, plain, inputs: plain):
        self.seeds = seeds
        self.alive = torch.ones(len(seeds), dtype=torch.bool)
        plain = Architecture(hidden_sizes=(8, 8))
        self.architecture = {name: plan(name, plain, INPUTS) for name in OUTPUTS}
        self.values: dict[str, Tensor] = {"temperature.value": torch.zeros(len(seeds), 1)}
        layers = {name: self._layers(name) for name in OUTPUTS}
        self.target = {
            name: value.clone() for name, value in self.values.items() if name.startswith("critic")
        }
        self.moments = {
            name: Moments(
                torch.zeros_like(value),
                torch.zeros_like(value),
                torch.zeros(len(seeds), *[1] * (value.ndim - 1)),
            )
            for name, value in self.values.items()
        }
        target = PlasticNetwork(
            "critic", tuple(self._moved(x, self.target) for x in layers["critic"]), lambda _: None
        )
        scalar = Layer(
            path="temperature",
            kind="scalar",
            group="head",
            depth=0,
            parameters={"value": self.values["temperature.value"]},
            initialise=lambda generators: {"value": torch.zeros(len(generators), 1)},
            units=1,
            fan_in=1,
        )
        self.published = {
            "critic": PlasticNetwork(
                "critic", layers["critic"], self.moments.get, target, self._taps("critic")
            ),
            "actor": PlasticNetwork(
                "actor", layers["actor"], self.moments.get, activations=self._taps("actor")
            ),
            "temperature": PlasticNetwork("temperature", (scalar,), self.moments.get),
        }
        self.chain = Chain((), self.published)

    def _layers(self, name: str) -> tuple[Layer, ...]:
        architecture, stack = self.architecture[name], MEMBERS[name]
        sizes = architecture.hidden_sizes
        generators = [np.random.default_rng([seed, len(name)]) for seed in self.seeds]
        found, rows = [], INPUTS
        for i, width in enumerate((*sizes, OUTPUTS[name])):
            depth = len(sizes) - i
            path = f"{name}.{i}" if depth else f"{name}.out"
            kinds: list[tuple[Literal["dense", "norm"], str, Callable]]
            kinds = [("dense", path, linear(stack, rows, width))]
            if depth and architecture.normaliser == "layer_norm":
                kinds.append(("norm", f"{path}n", norm(stack, width)))
            for kind, where, initialise in kinds:
                roles = initialise(generators)
                self.values |= {f"{where}.{role}": value for role, value in roles.items()}
                found.append(
                    Layer(
                        path=where,
                        kind=kind,
                        group="torso" if depth else "head",
                        depth=depth,
                        parameters=roles,
                        initialise=initialise,
                        units=width,
                        fan_in=rows,
                        activation=architecture.activation if depth else None,
                        tap=where if depth and kind == "dense" else None,
                    )
                )
            rows = 2 * width if architecture.activation == "crelu" else width
        return tuple(found)

    @staticmethod
    def _moved(layer: Layer, values: Mapping[str, Tensor]) -> Layer:
        parameters: dict[Role, Tensor] = {role: values[n] for role, n in layer.names().items()}
        return replace(layer, parameters=parameters)

    def _forward(self, name: str, values: Mapping[str, Tensor], x: Tensor, taps: dict) -> Tensor:
        architecture = self.architecture[name]
        squash = {"relu": torch.relu, "crelu": crelu, "tanh": torch.tanh}[architecture.activation]
        h = x.unsqueeze(1) if MEMBERS[name] else x
        for i in range(len(architecture.hidden_sizes)):
            u = h @ values[f"{name}.{i}.weight"] + values[f"{name}.{i}.bias"]
            if architecture.normaliser == "layer_norm":
                u = (u - u.mean(-1, keepdim=True)) / (u.var(-1, False, keepdim=True) + 1e-5).sqrt()
                u = u * values[f"{name}.{i}n.scale"] + values[f"{name}.{i}n.offset"]
            h = taps[f"{name}.{i}"] = squash(u)
        return h @ values[f"{name}.out.weight"] + values[f"{name}.out.bias"]

    def _taps(self, name: str) -> Callable[[Mapping[str, Tensor]], dict[str, Tensor]]:
        def activations(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
            taps: dict[str, Tensor] = {}
            self._forward(name, self.values, batch["observation"], taps)
            return taps

        return activations

    def batch(self) -> dict[str, Tensor]:
        draws = [
            np.random.default_rng([seed, 99]).standard_normal((BATCH, 3)) for seed in self.seeds
        ]
        return {"observation": torch.tensor(np.stack(draws), dtype=torch.float32)}

    def _loss(self, name: str, values: Mapping[str, Tensor]) -> Tensor:
        if name == "temperature":
            return (values["temperature.value"] - 1.0).square().sum(-1)
        x = self.batch()["observation"]
        wanted = torch.sin(3 * x[..., :1]) * x[..., 1:2]
        error = self._forward(name, values, x, {}) - (
            wanted.unsqueeze(1) if MEMBERS[name] else wanted
        )
        return error.square().flatten(1).mean(-1)

    def losses(self) -> dict[str, Tensor]:
        """[S] by network."""
        return {name: self._loss(name, self.values) for name in self.published}

    def gradients(self, name: str) -> dict[str, Tensor]:
        """Of the loss with the penalties, by parameter."""
        network = self.published[name]
        own = {key: value.clone().requires_grad_() for key, _, _, value in network.parameters()}
        total = (self._loss(name, own) + self.chain.penalty(network, own)).sum()
        return dict(zip(own, torch.autograd.grad(total, list(own.values())), strict=True))

    def update(self, step: int) -> None:
        """One Adam step of every network, then of the target."""
        for name, network in self.published.items():
            for key, gradient in self.gradients(name).items():
                value, (mean, variance, count) = self.values[key], self.moments[key]
                start = self.chain.before_step(network, key, value, LEARNING_RATE)
                count += 1
                mean.mul_(0.9).add_(0.1 * gradient)
                variance.mul_(0.999).add_(0.001 * gradient**2)
                size = (variance / (1 - 0.999**count)).sqrt() + 1e-8
                value.copy_(start - LEARNING_RATE * mean / (1 - 0.9**count) / size)
            self.chain.after_step(network)
        for key, value in self.target.items():
            value.lerp_(self.values[key], 0.1)

    def networks(self) -> dict[str, PlasticNetwork]:
        return self.published

    def attach(self, chain: Chain) -> None:
        self.chain = chain

    def tensors(self) -> dict[str, Tensor]:
        """Everything a checkpoint holds."""
        found = self.values | {f"target/{key}": value for key, value in self.target.items()}
        for key, moments in self.moments.items():
            found |= {f"adam/{key}/{part}": x for part, x in moments._asdict().items()}
        return found
