"""Soft actor-critic as the primacy-bias study ran it (Haarnoja et al. 2018; Nikishin et al. 2022,
rl_with_resets).

Read top to bottom: configuration, losses, the agent and its one gradient step. Losses are free
functions with the paper's symbols in their docstrings and return one number per seed, [S].
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from primacy.agents.agent import Batch, Plans, Source
from primacy.agents.distributions import LOG_STD_BOUNDS, tanh_gaussian
from primacy.agents.initialisers import Generators
from primacy.agents.networks import MLP, Head, q_values
from primacy.agents.optimiser import Adam
from primacy.agents.soft import SoftActorCritic, temperature_loss
from primacy.agents.transitions import Transitions
from primacy.plasticity.contract import Architecture

__all__ = ["SAC", "SACConfig", "actor_loss", "critic_loss", "soft_target", "temperature_loss"]


@dataclass(frozen=True)
class SACConfig:
    """Defaults are those of the study (rl_with_resets, configs/sac.py)."""

    steps_per_update: ClassVar[int] = 1
    """Gradient steps in one call of the agent's update."""

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
    n_step: int = 1
    """Length of the n-step return in env steps."""
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


class SAC(SoftActorCritic):
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
        self.config = config
        self.action_size = action_size
        plans = self.plans(config, observation_size, action_size)
        chosen = {name: plan for name, (plan, _) in plans.items()} | (architectures or {})
        adam = Adam(config.learning_rate, config.adam_beta1, config.adam_beta2, config.adam_epsilon)
        heads = (Head("mean", action_size), Head("log_std", action_size, gain=1.0))
        super().__init__(
            MLP("actor", plans["actor"][1], heads, chosen["actor"]),
            MLP("critic", plans["critic"][1], (Head("q", 1),), chosen["critic"], config.critics),
            LOG_STD_BOUNDS[config.log_std_bound],
            config.initial_temperature,
            dict.fromkeys(("actor", "critic", "temperature"), adam),
            generators,
            METRICS,
            device,
            config.gradient_clip,
        )
        self._step = self._update

    @staticmethod
    def plans(config: SACConfig, observation_size: int, action_size: int) -> Plans:
        """Each network's architecture without remedies, and its input features."""
        plain = Architecture(hidden_sizes=config.hidden_sizes)
        return {
            "actor": (plain, observation_size),
            "critic": (plain, observation_size + action_size),
        }

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
        self._step = self._graph(self._update)

    @torch.no_grad()
    def _update(self, batch: Transitions, noise: Tensor) -> None:
        alpha = self._alpha
        target = self._targets(batch, alpha, noise[:, 0])
        gradients, critic = self._critic_gradients(batch, target, critic_loss)
        self._descend("critic", gradients, critic)
        self._follow("critic", self.config.target_rate)
        # The actor sees the new critic; the temperature sees the entropy of the actor before its
        # step.
        gradients, actor = self._actor_gradients(batch.observation, alpha, noise[:, 1], actor_loss)
        self._descend("actor", gradients, actor)
        self._improve_temperature(actor["entropy"], self.config.target_entropy * self.action_size)
        self._record(critic | actor | {"temperature": alpha, "mean_target": target.mean(-1)})

    def _targets(self, batch: Transitions, alpha: Tensor, noise: Tensor) -> Tensor:
        action, density = tanh_gaussian(*self._policy(self.actor, batch.next_observation), noise)
        q = q_values(self.critic_net, self.target, batch.next_observation, action)
        return soft_target(batch.reward, batch.discount, q, alpha * density)

    @torch.no_grad()
    def probe(self, batch: Batch, noise: Tensor) -> dict[str, dict[str, Tensor]]:
        """Figures on a batch by network, [S] each, with the losses' own gradients; changes
        nothing."""
        transitions, alpha = Transitions.of(batch), self._alpha
        target = self._targets(transitions, alpha, noise[:, 0])
        critic = self._critic_gradients(transitions, target, critic_loss)[1]
        observation = transitions.observation
        actor = self._actor_gradients(observation, alpha, noise[:, 1], actor_loss)[1]
        return self._probed(critic, actor)
