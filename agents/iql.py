"""Implicit Q-learning (Kostrikov, Nair and Levine 2021; implicit_q_learning): a value function by
expectile regression, critics by its bootstrap, an actor by advantage-weighted regression.

Read top to bottom: configuration, losses, the agent and its one gradient step. No action outside
the data is ever valued, so the same step serves the offline and the online phase.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log, pi
from typing import ClassVar, Literal

import torch
from torch import Tensor

from primacy.agents.agent import Batch, Plans, Source
from primacy.agents.initialisers import Generators
from primacy.agents.networks import MLP, Head, q_values
from primacy.agents.optimiser import Adam, cosine
from primacy.agents.sac import critic_loss
from primacy.agents.stacked import Figures, Gradients, StackedAgent
from primacy.agents.transitions import Transitions
from primacy.plasticity.contract import Architecture, Layer, Moments


@dataclass(frozen=True)
class IQLConfig:
    """Defaults are the locomotion settings (implicit_q_learning, configs/mujoco_config.py, with
    the constant actor rate of its fine-tuning runs)."""

    steps_per_update: ClassVar[int] = 1
    """Gradient steps in one call of the agent's update."""

    hidden_sizes: tuple[int, ...] = (256, 256)
    """Units of each hidden layer, of all three networks."""
    actor_learning_rate: float = 3e-4
    """Adam's step size for the actor (with a schedule: at its start)."""
    value_learning_rate: float = 3e-4
    """Adam's step size for the value function."""
    critic_learning_rate: float = 3e-4
    """Adam's step size for the critics."""
    adam_beta1: float = 0.9
    """Adam's decay of the mean gradient, per update (optax)."""
    adam_beta2: float = 0.999
    """Adam's decay of the mean squared gradient, per update (optax)."""
    adam_epsilon: float = 1e-8
    """Adam's term in the denominator (optax)."""
    discount: float = 0.99
    """Discount per env step."""
    n_step: int = 1
    """Length of the n-step return in env steps."""
    target_rate: float = 0.005
    """Share of the new critics in the target critics at each update."""
    critics: int = 2
    """Ensemble members; their targets' minimum is regressed on."""
    expectile: float = 0.7
    """The expectile that the value function estimates, in (0, 1)."""
    temperature: float = 3.0
    """Inverse temperature beta of the advantage weights, per unit of reward."""
    weight_cap: float = 100.0
    """Largest advantage weight (actor.py)."""
    log_std_low: float = -5.0
    """Lower clamp of the actor's log-stds (policy.py)."""
    log_std_high: float = 2.0
    """Upper clamp of the actor's log-stds (policy.py)."""
    actor_schedule: Literal["constant", "cosine"] = "constant"
    """The actor's rate: constant (fine-tuning), or cosine to 0 over `schedule_steps`
    (offline-only runs)."""
    schedule_steps: int = 1_000_000
    """Gradient steps until the cosine is 0; it stays there."""


def antmaze(config: IQLConfig) -> IQLConfig:
    """The AntMaze settings (configs/antmaze_config.py, antmaze_finetune_config.py)."""
    return replace(config, expectile=0.9, temperature=10.0)


def offline_only(config: IQLConfig, gradient_steps: int = 1_000_000) -> IQLConfig:
    """The schedule of runs without an online phase (train_offline.py: opt_decay_schedule
    "cosine")."""
    return replace(config, actor_schedule="cosine", schedule_steps=gradient_steps)


class ScheduleError(ValueError):
    """The actor's learning rate would be 0 while it should still learn."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def check_schedule(config: IQLConfig, offline_updates: int, online_updates: int) -> None:
    """Raises ScheduleError for a cosine that ends before the last online gradient step: an actor
    whose rate is 0 cannot be fine-tuned."""
    total = offline_updates + online_updates
    if config.actor_schedule == "cosine" and online_updates and config.schedule_steps < total:
        raise ScheduleError(
            f"the actor's cosine ends at gradient step {config.schedule_steps:,}, "
            f"the online phase at {total:,}",
            f"use --actor-schedule constant, as published, or --schedule-steps {total}",
        )


def expectile_loss(difference: Tensor, expectile: float) -> Tensor:
    """mean_B |tau - 1(d < 0)| d^2, [S] (eq. 5); difference d = q - v, [S, B]."""
    weight = (expectile - (difference < 0).to(difference)).abs()
    return (weight * difference.square()).mean(-1)


def advantage_weights(advantage: Tensor, temperature: float, cap: float) -> Tensor:
    """min(exp(beta A), cap), [S, B] (eq. 7, actor.py)."""
    return (temperature * advantage).exp().clamp(max=cap)


def gaussian_log_density(mean: Tensor, log_std: Tensor, action: Tensor) -> Tensor:
    """log N(action; mean, exp(log_std)), summed over the last axis, [S, B]."""
    z = (action - mean) * (-log_std).exp()
    return (-0.5 * z.square() - log_std - 0.5 * log(2.0 * pi)).sum(-1)


def weighted_cloning_loss(log_density: Tensor, weights: Tensor) -> Tensor:
    """-mean_B w log pi(a | s), [S] (eq. 7); both [S, B], the weights constant."""
    return -(weights * log_density).mean(-1)


def value_target(reward: Tensor, discount: Tensor, value: Tensor) -> Tensor:
    """y = r + gamma m V(s'), [S, B] (eq. 6); discount carries gamma m."""
    return reward + discount * value


METRICS = (
    "value_loss",
    "actor_loss",
    "critic_loss",
    "mean_value",
    "mean_q",
    "mean_target",
    "mean_advantage",
    "mean_weight",
    "value_grad_norm",
    "actor_grad_norm",
    "critic_grad_norm",
)

LOG_STD = "actor.log_std.value"


class IQL(StackedAgent):
    """S implicit Q-learners with the networks critic (and its target), value and actor."""

    def __init__(
        self,
        config: IQLConfig,
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
        inputs = {name: width for name, (_, width) in plans.items()}
        q, v, mean = (Head("q", 1),), (Head("v", 1),), (Head("mean", action_size),)
        self.critic_net = MLP("critic", inputs["critic"], q, chosen["critic"], config.critics)
        self.value_net = MLP("value", inputs["value"], v, chosen["value"])
        self.actor_net = MLP("actor", inputs["actor"], mean, chosen["actor"])
        first = {
            net.name: net.initialise(generators)
            for net in (self.critic_net, self.value_net, self.actor_net)
        }
        first["actor"] |= {LOG_STD: self._first_log_std(generators)}
        rates = {
            "critic": config.critic_learning_rate,
            "value": config.value_learning_rate,
            "actor": config.actor_learning_rate,
        }
        betas = (config.adam_beta1, config.adam_beta2, config.adam_epsilon)
        adams = {name: Adam(rate, *betas) for name, rate in rates.items()}
        super().__init__(first, adams, METRICS, device)
        self.critic, self.value, self.actor = self.parameters.values()
        self.target = {name: value.clone() for name, value in self.critic.items()}
        log_std = Layer(
            path="actor.log_std",
            kind="free",
            group="free",
            depth=0,
            parameters={"value": self.actor[LOG_STD]},
            initialise=lambda generators: {"value": self._first_log_std(generators)},
            units=action_size,
            fan_in=1,
        )
        self._publish(
            self._network(self.critic_net, ("observation", "action"), self.target),
            self._network(self.value_net),
            self._network(self.actor_net, free=(log_std,)),
        )
        self._step = self._update

    @staticmethod
    def plans(config: IQLConfig, observation_size: int, action_size: int) -> Plans:
        """Each network's architecture without remedies, and its input features."""
        plain = Architecture(hidden_sizes=config.hidden_sizes)
        return {
            "actor": (plain, observation_size),
            "critic": (plain, observation_size + action_size),
            "value": (plain, observation_size),
        }

    def _first_log_std(self, generators: Generators) -> Tensor:
        return torch.zeros(len(generators), 1, self.action_size)

    # Acting

    def _policy(
        self, parameters: Mapping[str, Tensor], observation: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Squashed mean [S, B, A] and log-stds [S, 1, A] of an unsquashed Gaussian."""
        mean = torch.tanh(self.actor_net.forward(parameters, observation)[0])
        bounds = (self.config.log_std_low, self.config.log_std_high)
        return mean, parameters[LOG_STD].clamp(*bounds)

    @torch.no_grad()
    def act(self, observation: Tensor, noise: Tensor) -> Tensor:
        """A sample of the policy for each seed, clipped to [-1, 1]: [S, O] and noise [S, A] ->
        [S, A]."""
        mean, log_std = self._policy(self.actor, observation.unsqueeze(1))
        return (mean + log_std.exp() * noise.unsqueeze(1)).clamp(-1.0, 1.0).squeeze(1)

    @torch.no_grad()
    def act_greedily(self, observation: Tensor) -> Tensor:
        """The mean, [S, B, O] -> [S, B, A]."""
        return self._policy(self.actor, observation)[0]

    # Learning

    def draw(self, source: Source, batch_size: int) -> Tensor:
        """No numbers, [K, S, 0]: nothing in the update is random."""
        return source.normal("iql", (0,)).transpose(0, 1).to(self.device)

    def update(self, batch: Batch, noise: Tensor) -> None:
        """One gradient step on value, actor, critics and target, in that order (learner.py)."""
        self._step(Transitions.of(batch))

    def compile(self) -> None:
        """Take the whole update as one graph from now on, with the remedies attached so far."""
        self._step = self._graph(self._update)

    def _rates(self, network: str, moments: Sequence[Moments]) -> Sequence[float | Tensor]:
        if network == "actor" and self.config.actor_schedule == "cosine":
            return cosine(self.config.actor_learning_rate, moments, self.config.schedule_steps)
        return super()._rates(network, moments)

    def _values(self, parameters: Mapping[str, Tensor], observation: Tensor) -> Tensor:
        return self.value_net.forward(parameters, observation)[0].squeeze(-1)

    @torch.no_grad()
    def _update(self, batch: Transitions) -> None:
        q = q_values(self.critic_net, self.target, batch.observation, batch.action).amin(1)
        gradients, value = self._value_gradients(batch.observation, q)
        self._descend("value", gradients, value)
        # Actor and critics see the value function after its step (the original's order; others
        # use the one before).
        both = torch.cat((batch.observation, batch.next_observation), 1)
        now, following = self._values(self.value, both).chunk(2, 1)
        gradients, actor = self._actor_gradients(batch, q - now)
        self._descend("actor", gradients, actor)
        target = value_target(batch.reward, batch.discount, following)
        gradients, critic = self._critic_gradients(batch, target)
        self._descend("critic", gradients, critic)
        self._follow("critic", self.config.target_rate)
        self._record(value | actor | critic | {"mean_target": target.mean(-1)})

    def _value_gradients(self, observation: Tensor, q: Tensor) -> tuple[Gradients, Figures]:
        def loss(parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            v = self._values(parameters, observation)
            return expectile_loss(q - v, self.config.expectile), v

        gradients, figures, v = self._differentiate("value", loss)
        return gradients, figures | {"mean_value": v.mean(-1)}

    def _actor_gradients(self, batch: Transitions, advantage: Tensor) -> tuple[Gradients, Figures]:
        weights = advantage_weights(advantage, self.config.temperature, self.config.weight_cap)

        def loss(parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            policy = self._policy(parameters, batch.observation)
            density = gaussian_log_density(*policy, batch.action)
            return weighted_cloning_loss(density, weights), density

        gradients, figures, _ = self._differentiate("actor", loss)
        means = {"mean_advantage": advantage.mean(-1), "mean_weight": weights.mean(-1)}
        return gradients, figures | means

    def _critic_gradients(self, batch: Transitions, target: Tensor) -> tuple[Gradients, Figures]:
        def loss(parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            q = q_values(self.critic_net, parameters, batch.observation, batch.action)
            return critic_loss(q, target), q

        gradients, figures, q = self._differentiate("critic", loss)
        return gradients, figures | {"mean_q": q.mean((1, 2))}

    # What others see

    @torch.no_grad()
    def probe(self, batch: Batch, noise: Tensor) -> dict[str, dict[str, Tensor]]:
        """Figures on a batch by network, [S] each, with the losses' own gradients; changes
        nothing."""
        given = Transitions.of(batch)
        q = q_values(self.critic_net, self.target, given.observation, given.action).amin(1)
        value = self._value_gradients(given.observation, q)[1]
        actor = self._actor_gradients(given, q - self._values(self.value, given.observation))[1]
        following = self._values(self.value, given.next_observation)
        target = value_target(given.reward, given.discount, following)
        critic = self._critic_gradients(given, target)[1]
        return {
            "critic": {"mean_q": critic["mean_q"], "grad_norm": critic["critic_grad_norm"]},
            "value": {"mean_value": value["mean_value"], "grad_norm": value["value_grad_norm"]},
            "actor": {"grad_norm": actor["actor_grad_norm"], "mean_weight": actor["mean_weight"]},
        }
