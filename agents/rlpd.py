"""RLPD, reinforcement learning with prior data (Ball, Smith, Kostrikov and Levine 2023; rlpd): soft
actor-critic with an ensemble of layer-normed critics, targets from the minimum over a random subset
of them, and G critic steps for each step of the actor.

Read top to bottom: configuration, losses, the agent and its update. Sampling half of each batch
from prior data is the protocol's doing, not the agent's.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from primacy.agents.agent import Batch, Plans, Source
from primacy.agents.distributions import clip_log_std, tanh_gaussian
from primacy.agents.initialisers import Generators
from primacy.agents.networks import MLP, Head, q_values
from primacy.agents.optimiser import Adam
from primacy.agents.sac import soft_target
from primacy.agents.soft import SoftActorCritic
from primacy.agents.transitions import Transitions, minibatches
from primacy.plasticity.contract import Architecture

INITIALISER = "xavier_uniform"
NORM_EPSILON = 1e-6
"""flax's default; torch's is 1e-5."""


@dataclass(frozen=True)
class RLPDConfig:
    """Defaults are the locomotion settings (rlpd, configs/rlpd_config.py and README)."""

    hidden_sizes: tuple[int, ...] = (256, 256)
    """Units of each hidden layer, actor and critics alike."""
    actor_learning_rate: float = 3e-4
    """Adam's step size for the actor."""
    critic_learning_rate: float = 3e-4
    """Adam's step size for the critics."""
    temperature_learning_rate: float = 3e-4
    """Adam's step size for the temperature."""
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
    """Share of the new critics in the target critics after each critic step."""
    critics: int = 10
    """Ensemble members E; the policy uses their mean."""
    subset: int = 2
    """Members M, drawn anew for each critic step, whose minimum is the target."""
    critic_steps: int = 20
    """Critic steps G for each step of actor and temperature (update-to-data ratio)."""
    entropy_backup: bool = True
    """Whether targets hold the entropy bonus of the next action."""
    critic_normaliser: Literal["layer_norm", "none"] = "layer_norm"
    """What stands between a critic's hidden layer and its non-linearity."""
    initial_temperature: float = 1.0
    """Entropy temperature alpha at initialisation."""
    target_entropy: float = -0.5
    """Entropy that the temperature is steered to, in nats per action dimension."""
    log_std_low: float = -20.0
    """Lower clip of the actor's log-stds (tanh_normal.py)."""
    log_std_high: float = 2.0
    """Upper clip of the actor's log-stds (tanh_normal.py)."""

    @property
    def steps_per_update(self) -> int:
        """Gradient steps in one call of the agent's update."""
        return self.critic_steps


def antmaze(config: RLPDConfig) -> RLPDConfig:
    """The AntMaze settings (README): three layers, one member as the target, no entropy in it."""
    return replace(config, hidden_sizes=(256, 256, 256), subset=1, entropy_backup=False)


def adroit(config: RLPDConfig) -> RLPDConfig:
    """The settings of Adroit with sparse rewards (README)."""
    return replace(config, hidden_sizes=(256, 256, 256), entropy_backup=False)


def ensemble_loss(q: Tensor, target: Tensor) -> Tensor:
    """mean_{E, B} (Q_e - y)^2, [S]; q [S, E, B], one target [S, B] for all members."""
    return (q - target.unsqueeze(1)).square().mean((1, 2))


def ensemble_actor_loss(log_density: Tensor, q: Tensor, alpha: Tensor) -> Tensor:
    """mean_B (alpha log pi - mean_e Q_e), [S]; log_density [S, B], q [S, E, B], alpha [S, 1]."""
    return (alpha * log_density - q.mean(1)).mean(-1)


def distinct(uniforms: Tensor, count: int) -> Tensor:
    """`count` different indices below E, each set equally likely: [..., E] -> int64 [...,
    count]."""
    return uniforms.argsort(-1)[..., :count]


class Numbers(NamedTuple):
    """The random numbers of one update."""

    following: Tensor
    """Normal [G, S, B, A], for the next actions of each critic step."""
    policy: Tensor
    """Normal [S, B, A], for the actor's actions."""
    subset: Tensor
    """int64 [G, S, M], the target members of each critic step."""


CRITIC_METRICS = ("critic_loss", "mean_q", "mean_target", "critic_grad_norm")
ACTOR_METRICS = ("actor_loss", "temperature", "entropy", "actor_grad_norm")


class RLPD(SoftActorCritic):
    """S RLPD agents with the networks critic (and its target), actor and temperature."""

    def __init__(
        self,
        config: RLPDConfig,
        observation_size: int,
        action_size: int,
        generators: Generators,
        architectures: dict[str, Architecture] | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        """`architectures` replaces the plain one by network name; `generators` draw the initial
        weights, one per seed. Raises ValueError for a subset larger than the ensemble."""
        if not 1 <= config.subset <= config.critics:
            raise ValueError(f"a subset of {config.subset} among {config.critics} critics")
        self.config = config
        self.action_size = action_size
        self.steps_per_update = config.steps_per_update
        plans = self.plans(config, observation_size, action_size)
        chosen = {name: plan for name, (plan, _) in plans.items()} | (architectures or {})
        net = partial(MLP, initialiser=INITIALISER, gain=1.0, norm_epsilon=NORM_EPSILON)
        heads = (Head("mean", action_size, 1.0), Head("log_std", action_size, 1.0))
        q = (Head("q", 1, 1.0),)
        rates = {
            "actor": config.actor_learning_rate,
            "critic": config.critic_learning_rate,
            "temperature": config.temperature_learning_rate,
        }
        betas = (config.adam_beta1, config.adam_beta2, config.adam_epsilon)
        critic = net("critic", plans["critic"][1], q, chosen["critic"], config.critics)
        super().__init__(
            net("actor", plans["actor"][1], heads, chosen["actor"]),
            critic,
            partial(clip_log_std, low=config.log_std_low, high=config.log_std_high),
            config.initial_temperature,
            {name: Adam(rate, *betas) for name, rate in rates.items()},
            generators,
            CRITIC_METRICS + ACTOR_METRICS,
            device,
        )
        self._subset_net = replace(critic, members=config.subset)
        self._lanes = torch.arange(self.num_seeds, device=self.device).unsqueeze(-1)
        self._critic_step, self._policy_step = self._improve_critic, self._improve_policy

    @staticmethod
    def plans(config: RLPDConfig, observation_size: int, action_size: int) -> Plans:
        """Each network's architecture without remedies, and its input features."""
        plain = Architecture(hidden_sizes=config.hidden_sizes)
        return {
            "actor": (plain, observation_size),
            "critic": (
                replace(plain, normaliser=config.critic_normaliser),
                observation_size + action_size,
            ),
        }

    # Random numbers

    def draw(self, source: Source, batch_size: int) -> Tensor:
        """The numbers of K updates in one tensor [K, S, (G + 1) B A + G M]; `numbers` takes it
        apart."""
        steps, members = self.config.critic_steps, self.config.critics
        normal = source.normal("rlpd", (steps + 1, batch_size, self.action_size))
        subset = distinct(source.uniform("rlpd-subset", (steps, members)), self.config.subset)
        packed = torch.cat((normal.flatten(2), subset.flatten(2).float()), -1)
        return packed.transpose(0, 1).contiguous().to(self.device)

    def numbers(self, noise: Tensor) -> Numbers:
        """One update's part of what `draw` made, [S, N]."""
        steps = self.config.critic_steps
        last = steps * self.config.subset
        normal = noise[:, :-last].view(len(noise), steps + 1, -1, self.action_size)
        normal = normal.transpose(0, 1).contiguous()
        subset = noise[:, -last:].view(len(noise), steps, -1).transpose(0, 1)
        return Numbers(normal[:-1], normal[-1], subset.long().contiguous())

    # Learning

    def update(self, batch: Batch, noise: Tensor) -> None:
        """G critic steps, each on its own B of the G * B rows, then a step of actor and temperature
        on the last B (sac_learner.py); targets see the actor as it was before."""
        parts, numbers = minibatches(batch, self.config.critic_steps), self.numbers(noise)
        for part, following, subset in zip(parts, numbers.following, numbers.subset, strict=True):
            self._critic_step(part, following, subset)
        self._policy_step(parts[-1].observation, numbers.policy)

    def compile(self) -> None:
        """Take a critic step as one graph and a policy step as another from now on: G of them in
        one would take G times as long to compile and run no faster."""
        self._critic_step = self._graph(self._improve_critic)
        self._policy_step = self._graph(self._improve_policy)

    @torch.no_grad()
    def _improve_critic(self, batch: Transitions, noise: Tensor, subset: Tensor) -> None:
        target = self._targets(batch, noise, subset)
        gradients, figures = self._critic_gradients(batch, target, ensemble_loss)
        self._descend("critic", gradients, figures)
        self._follow("critic", self.config.target_rate)
        figures["mean_target"] = target.mean(-1)
        rows = torch.stack([figures[name] for name in CRITIC_METRICS], -1)
        self._sums[:, : len(CRITIC_METRICS)].add_(rows / self.config.critic_steps)

    @torch.no_grad()
    def _improve_policy(self, observation: Tensor, noise: Tensor) -> None:
        alpha = self._alpha
        gradients, figures = self._actor_gradients(observation, alpha, noise, ensemble_actor_loss)
        self._descend("actor", gradients, figures)
        goal = self.config.target_entropy * self.action_size
        self._improve_temperature(figures["entropy"], goal)
        figures["temperature"] = alpha.squeeze(-1)
        rows = torch.stack([figures[name] for name in ACTOR_METRICS], -1)
        self._sums[:, len(CRITIC_METRICS) :].add_(rows)
        self._updates.add_(1.0)

    def _targets(self, batch: Transitions, noise: Tensor, subset: Tensor) -> Tensor:
        action, density = tanh_gaussian(*self._policy(self.actor, batch.next_observation), noise)
        # Only the members that are asked are evaluated.
        members = {name: value[self._lanes, subset] for name, value in self.target.items()}
        q = q_values(self._subset_net, members, batch.next_observation, action)
        cost = self._alpha * density if self.config.entropy_backup else torch.zeros_like(density)
        return soft_target(batch.reward, batch.discount, q, cost)

    # What others see

    @torch.no_grad()
    def probe(self, batch: Batch, noise: Tensor) -> dict[str, dict[str, Tensor]]:
        """Figures on a batch [S, B, ...] by network, [S] each, with the losses' own gradients;
        changes nothing."""
        transitions, numbers = Transitions.of(batch), self.numbers(noise)
        target = self._targets(transitions, numbers.following[0], numbers.subset[0])
        critic = self._critic_gradients(transitions, target, ensemble_loss)[1]
        observation = transitions.observation
        loss = ensemble_actor_loss
        actor = self._actor_gradients(observation, self._alpha, numbers.policy, loss)[1]
        return self._probed(critic, actor)
