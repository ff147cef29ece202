"""Soft actor-critic as the primacy-bias study ran it (Haarnoja et al. 2018; Nikishin et al. 2022,
rl_with_resets).

Read top to bottom: configuration, losses, the agent and its one gradient step. Losses are free
functions with the paper's symbols in their docstrings and return one number per seed, [S].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.func import grad_and_value

from primacy.agents.agent import Batch, Remedies, Source
from primacy.agents.distributions import LOG_STD_BOUNDS, tanh_gaussian
from primacy.agents.graph import whole_graph
from primacy.agents.initialisers import Generators
from primacy.agents.networks import MLP, Head
from primacy.agents.optimiser import Adam, clip_by_norm, gradient_norm, polyak
from primacy.plasticity.chain import Chain
from primacy.plasticity.contract import Architecture, Layer, PlasticNetwork, Role


@dataclass(frozen=True)
class SACConfig:
    """Defaults are those of the study (rl_with_resets, configs/sac.py)."""

    hidden_sizes: tuple[int, ...] = (256, 256)
    """Units of each hidden layer, actor and critics alike."""
    learning_rate: float = 3e-4
    """Adam's step size for actor, critics and temperature."""
    adam_beta1: float = 0.9
    """Adam's decay of the mean gradient, per update."""
    adam_beta2: float = 0.999
    """Adam's decay of the mean squared gradient, per update."""
    adam_epsilon: float = 1e-8
    """Adam's term in the denominator."""
    gradient_clip: float = 0.0
    """Largest gradient norm per seed and network; 0 clips nothing."""
    discount: float = 0.99
    """Discount per env step."""
    target_rate: float = 0.005
    """Share of the new critic in the target critic at each update."""
    critics: int = 2
    """Ensemble members; targets and policy use their minimum."""
    initial_temperature: float = 1.0
    """Entropy temperature alpha at initialisation."""
    target_entropy: float = -0.5
    """Entropy that the temperature is steered to, in nats per action dimension."""
    log_std_bound: Literal["tanh", "clip"] = "tanh"
    """How log-stds are kept in [-10, 2]: tanh (the study; std 0.018 at birth) or clip (jaxrl; std 1
    at birth)."""


def soft_target(reward: Tensor, discount: Tensor, q: Tensor, entropy_cost: Tensor) -> Tensor:
    """y = r + gamma m (min_k Q'_k - alpha log pi), [S, B] (eq. 4); q [S, E, B], discount carries
    gamma m."""
    return reward + discount * (q.amin(1) - entropy_cost)


def critic_loss(q: Tensor, target: Tensor) -> Tensor:
    """mean_B sum_k (Q_k - y)^2, [S] (eq. 5); q [S, E, B], target [S, B]; a sum over heads, no
    factor 1/2."""
    return (q - target.unsqueeze(1)).square().sum(1).mean(-1)


def actor_loss(log_density: Tensor, q: Tensor, alpha: Tensor) -> Tensor:
    """mean_B (alpha log pi - min_k Q_k), [S] (eq. 7); log_density [S, B], q [S, E, B], alpha [S,
    1]."""
    return (alpha * log_density - q.amin(1)).mean(-1)


def temperature_loss(log_alpha: Tensor, entropy: Tensor, target_entropy: float) -> Tensor:
    """alpha (H - H_target), [S] (eq. 8); log_alpha [S, 1], entropy [S]."""
    return log_alpha.exp().squeeze(-1) * (entropy - target_entropy)


class Transitions(NamedTuple):
    """The update's input with fixed strides, whatever sampled it."""

    observation: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_observation: Tensor

    @classmethod
    def of(cls, batch: Batch) -> "Transitions":
        """The five tensors of a batch, without copying."""
        return cls(
            batch.observation, batch.action, batch.reward, batch.discount, batch.next_observation
        )


METRICS = (
    "critic_loss",
    "actor_loss",
    "temperature",
    "entropy",
    "mean_q",
    "mean_target",
    "critic_grad_norm",
    "actor_grad_norm",
)


class SAC:
    """S soft actor-critics. Parameters live in dicts by name and are only ever edited in place."""

    def __init__(
        self,
        config: SACConfig,
        observation_size: int,
        action_size: int,
        generators: Generators,
        architectures: dict[str, Architecture] | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        """`architectures` replaces the plain one by network name; `generators` draw the initial
        weights, one per seed."""
        plain = Architecture(hidden_sizes=config.hidden_sizes)
        chosen = {"actor": plain, "critic": plain} | (architectures or {})
        self.config = config
        self.action_size = action_size
        self.device = torch.device(device)
        self.num_seeds = len(generators)
        self.optimiser = Adam(
            config.learning_rate, config.adam_beta1, config.adam_beta2, config.adam_epsilon
        )
        heads = (Head("mean", action_size), Head("log_std", action_size, gain=1.0))
        self.actor_net = MLP("actor", observation_size, heads, chosen["actor"])
        self.critic_net = MLP(
            "critic",
            observation_size + action_size,
            (Head("q", 1),),
            chosen["critic"],
            members=config.critics,
        )
        self.actor = self._place(self.actor_net.initialise(generators))
        self.critic = self._place(self.critic_net.initialise(generators))
        self.target = {name: value.clone() for name, value in self.critic.items()}
        self.temperature = self._place({"temperature.value": self._first_log_alpha(generators)})
        self.moments = {
            name: moments
            for parameters in (self.actor, self.critic, self.temperature)
            for name, moments in self.optimiser.initialise(parameters).items()
        }
        self.alive = torch.ones(self.num_seeds, dtype=torch.bool, device=self.device)
        self._sums = torch.zeros(len(METRICS), self.num_seeds, device=self.device)
        self._updates = torch.zeros(self.num_seeds, device=self.device)
        self._networks = self._publish()
        self._remedies: Remedies = Chain((), self._networks)
        self._step = self._update
        self._compiled = False

    def _place(self, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(self.device) for name, value in parameters.items()}

    def _first_log_alpha(self, generators: Generators) -> Tensor:
        return torch.full((len(generators), 1), log(self.config.initial_temperature))

    # Acting

    def _policy(self, parameters: dict[str, Tensor], observation: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = self.actor_net.forward(parameters, observation)
        return mean, LOG_STD_BOUNDS[self.config.log_std_bound](raw)

    @torch.no_grad()
    def act(self, observation: Tensor, noise: Tensor) -> Tensor:
        """A sample of the policy for each seed: [S, O] and noise [S, A] -> [S, A]."""
        mean, log_std = self._policy(self.actor, observation.unsqueeze(1))
        return torch.tanh(mean + log_std.exp() * noise.unsqueeze(1)).squeeze(1)

    @torch.no_grad()
    def act_greedily(self, observation: Tensor) -> Tensor:
        """tanh of the mean, [S, B, O] -> [S, B, A]."""
        return torch.tanh(self._policy(self.actor, observation)[0])

    # Learning

    def _q(
        self,
        parameters: Mapping[str, Tensor],
        observation: Tensor,
        action: Tensor,
        taps: dict[str, Tensor] | None = None,
    ) -> Tensor:
        pair = torch.cat((observation, action), -1).unsqueeze(1)
        pairs = pair.expand(-1, self.config.critics, -1, -1)
        return self.critic_net.forward(parameters, pairs, taps)[0].squeeze(-1)

    def draw(self, source: Source, batch_size: int) -> Tensor:
        """Normal noise [K, S, 2, B, A]: for the next action in the target, then for the policy's
        action."""
        noise = source.normal("sac", (2, batch_size, self.action_size))
        return noise.transpose(0, 1).contiguous().to(self.device)

    def update(self, batch: Batch, noise: Tensor) -> None:
        """One gradient step on critics, target, actor and temperature, in that order
        (rl_with_resets)."""
        self._step(Transitions.of(batch), noise)

    def compile(self) -> None:
        """Take the whole update as one graph from now on, with the remedies attached so far."""
        self._step = whole_graph(self._update, self.device)
        self._compiled = True

    @torch.no_grad()
    def _update(self, batch: Transitions, noise: Tensor) -> None:
        alpha = self.temperature["temperature.value"].exp()
        target = self._targets(batch, alpha, noise[:, 0])
        gradients, critic = self._critic_gradients(batch, target)
        self._descend("critic", self.critic, gradients, critic)
        for name, value in self.target.items():
            polyak(value, self.critic[name], self.config.target_rate, self.alive)
        # The actor sees the new critic; the temperature sees the entropy of the actor before its
        # step.
        gradients, actor = self._actor_gradients(batch.observation, alpha, noise[:, 1])
        self._descend("actor", self.actor, gradients, actor)
        self._improve_temperature(actor["entropy"])
        metrics = critic | actor | {"temperature": alpha, "mean_target": target.mean(-1)}
        self._sums.add_(torch.stack([metrics[name].view(-1) for name in METRICS]))
        self._updates.add_(1.0)

    def _targets(self, batch: Transitions, alpha: Tensor, noise: Tensor) -> Tensor:
        action, density = tanh_gaussian(*self._policy(self.actor, batch.next_observation), noise)
        q = self._q(self.target, batch.next_observation, action)
        return soft_target(batch.reward, batch.discount, q, alpha * density)

    def _critic_gradients(
        self, batch: Transitions, target: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        def objective(parameters: dict[str, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            q = self._q(parameters, batch.observation, batch.action)
            loss = critic_loss(q, target)
            total = loss + self._remedies.penalty(self._networks["critic"], parameters)
            return total.sum(), (loss, q)

        gradients, (_, (loss, q)) = grad_and_value(objective, has_aux=True)(self.critic)
        norm = gradient_norm(gradients)
        return gradients, {
            "critic_loss": loss,
            "critic_grad_norm": norm,
            "mean_q": q.mean((1, 2)),
        }

    def _actor_gradients(
        self, observation: Tensor, alpha: Tensor, noise: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        def objective(parameters: dict[str, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            action, density = tanh_gaussian(*self._policy(parameters, observation), noise)
            loss = actor_loss(density, self._q(self.critic, observation, action), alpha)
            total = loss + self._remedies.penalty(self._networks["actor"], parameters)
            return total.sum(), (loss, -density.mean(-1))

        gradients, (_, (loss, entropy)) = grad_and_value(objective, has_aux=True)(self.actor)
        norm = gradient_norm(gradients)
        return gradients, {"actor_loss": loss, "actor_grad_norm": norm, "entropy": entropy}

    def _improve_temperature(self, entropy: Tensor) -> None:
        goal = self.config.target_entropy * self.action_size
        # The derivative of alpha (H - H_target) in log alpha is the loss itself.
        loss = temperature_loss(self.temperature["temperature.value"], entropy, goal)
        gradients = {"temperature.value": loss.unsqueeze(-1)}
        figures = {"temperature_loss": loss, "temperature_grad_norm": loss.abs()}
        self._descend("temperature", self.temperature, gradients, figures)

    def _descend(
        self,
        name: str,
        parameters: dict[str, Tensor],
        gradients: dict[str, Tensor],
        figures: dict[str, Tensor],
    ) -> None:
        """One Adam step of a network; freezes the seeds whose loss or gradient is not finite."""
        network = self._networks[name]
        finite = figures[f"{name}_loss"].isfinite() & figures[f"{name}_grad_norm"].isfinite()
        self.alive.logical_and_(finite)
        if self.config.gradient_clip > 0:
            gradients = clip_by_norm(gradients, self.config.gradient_clip)
        moments = [self.moments[key] for key in parameters]
        corrections = self.optimiser.corrections(moments)
        for (key, value), moment, factors in zip(
            parameters.items(), moments, corrections, strict=True
        ):
            start = self._remedies.before_step(network, key, value, self.config.learning_rate)
            self.optimiser.step(value, gradients[key], moment, factors, start, self.alive)
        self._remedies.after_step(network)

    # What others see

    def attach(self, remedies: Remedies) -> None:
        """Let these remedies act inside the updates, which are not compiled yet."""
        if self._compiled:
            raise RuntimeError("remedies are attached before the update is compiled")
        self._remedies = remedies

    def on_edit(self, edited: set[str]) -> None:
        """SAC anneals nothing: the temperature is a network of its own and is reset as one."""

    def networks(self) -> dict[str, PlasticNetwork]:
        """critic, actor, temperature."""
        return self._networks

    def pop_metrics(self) -> dict[str, Tensor]:
        """Means [S] over the updates since the last call, by name."""
        if not self._updates.any():
            return {}
        means = (self._sums / self._updates).cpu()
        self._sums.zero_()
        self._updates.zero_()
        return dict(zip(METRICS, means, strict=True))

    def state(self) -> dict[str, Tensor]:
        """Parameters, targets, moments, counters, running metrics and the mask of living seeds."""
        tensors = {**self.actor, **self.critic, **self.temperature}
        tensors |= {f"target/{name}": value for name, value in self.target.items()}
        for name, moments in self.moments.items():
            for field, value in moments._asdict().items():
                tensors[f"adam/{name}/{field}"] = value
        return tensors | {"alive": self.alive, "sums": self._sums, "updates": self._updates}

    @torch.no_grad()
    def probe(self, batch: Batch, noise: Tensor) -> dict[str, dict[str, Tensor]]:
        """Figures on a batch by network, [S] each, with the losses' own gradients; changes
        nothing."""
        transitions = Transitions.of(batch)
        alpha = self.temperature["temperature.value"].exp()
        target = self._targets(transitions, alpha, noise[:, 0])
        critic = self._critic_gradients(transitions, target)[1]
        actor = self._actor_gradients(transitions.observation, alpha, noise[:, 1])[1]
        return {
            "critic": {"mean_q": critic["mean_q"], "grad_norm": critic["critic_grad_norm"]},
            "actor": {"grad_norm": actor["actor_grad_norm"], "entropy": actor["entropy"]},
            "temperature": {"value": alpha.squeeze(-1)},
        }

    def _publish(self) -> dict[str, PlasticNetwork]:
        target = PlasticNetwork("critic", self.critic_net.layers(self.target), lambda name: None)
        scalar = Layer(
            path="temperature",
            kind="scalar",
            group="head",
            depth=0,
            parameters={"value": self.temperature["temperature.value"]},
            initialise=self._fresh_temperature,
            units=1,
            fan_in=1,
        )
        networks = (
            PlasticNetwork(
                "critic",
                self.critic_net.layers(self.critic),
                self.moments.get,
                target,
                self._critic_activations,
            ),
            PlasticNetwork(
                "actor",
                self.actor_net.layers(self.actor),
                self.moments.get,
                activations=self._actor_activations,
            ),
            PlasticNetwork("temperature", (scalar,), self.moments.get),
        )
        return {network.name: network for network in networks}

    def _fresh_temperature(self, generators: Generators) -> dict[Role, Tensor]:
        return {"value": self._first_log_alpha(generators)}

    @torch.no_grad()
    def _critic_activations(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        taps: dict[str, Tensor] = {}
        self._q(self.critic, batch["observation"], batch["action"], taps)
        return taps

    @torch.no_grad()
    def _actor_activations(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        taps: dict[str, Tensor] = {}
        self.actor_net.forward(self.actor, batch["observation"], taps)
        return taps
