"""DrQ, soft actor-critic from pixels (Kostrikov, Yarats and Fergus 2020), as the primacy-bias study
ran it (Nikishin et al. 2022, rl_with_resets), and other published settings of it.

Read top to bottom: configuration, published settings, losses, the agent and its update. The Atari
agents of the same name are settings of BBF.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from primacy.agents.agent import Batch, Plans, Source
from primacy.agents.convolutions import Plain, Shape, Taps, encode
from primacy.agents.distributions import LOG_STD_BOUNDS, tanh_gaussian
from primacy.agents.initialisers import Generators
from primacy.agents.latent_networks import LatentMLP
from primacy.agents.networks import MLP, Head, Net, q_values
from primacy.agents.optimiser import Adam
from primacy.agents.sac import METRICS, actor_loss, critic_loss, soft_target
from primacy.agents.shifts import random_shift
from primacy.agents.soft import SoftActorCritic
from primacy.agents.stacked import Figures, Gradients
from primacy.agents.transitions import Transitions, minibatches
from primacy.plasticity.contract import Architecture


@dataclass(frozen=True)
class DrQConfig:
    """Defaults are the study's (rl_with_resets, train_pixels.py), for 64 x 64 grey frames."""

    channels: tuple[int, ...] = (32, 64, 128, 256)
    """Of each 3x3 convolution."""
    strides: tuple[int, ...] = (2, 2, 2, 2)
    """Of each convolution."""
    padding: Literal["same", "valid"] = "same"
    """Whether convolutions see zeros around their input."""
    latent_size: int = 50
    """Units between the convolutions and the hidden layers, of actor and critics each."""
    latent_initialiser: Literal["lecun_normal", "orthogonal"] = "lecun_normal"
    """How the weights of that layer are drawn; lecun_normal has gain 1."""
    hidden_sizes: tuple[int, ...] = (256, 256)
    """Units of each hidden layer, actor and critics alike."""
    gain: float = sqrt(2.0)
    """Of the orthogonal weights of dense layers, but for the actor's heads."""
    mean_gain: float = sqrt(2.0)
    """Of the orthogonal weights of the actor's mean; that of its log-stds is 1."""
    norm_epsilon: float = 1e-6
    """Added to the variance by the layer norm of the latent (flax)."""
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
    """Share of the new critic in the target critic at each of its updates."""
    critics: int = 2
    """Ensemble members; targets and policy use their minimum."""
    initial_temperature: float = 0.1
    """Entropy temperature alpha at initialisation."""
    target_entropy: float = -1.0
    """Entropy that the temperature is steered to, in nats per action dimension."""
    log_std_bound: Literal["tanh", "clip"] = "tanh"
    """How log-stds are kept in [-10, 2]: tanh (the study; std 0.018 at birth) or clip (jaxrl; std 1
    at birth)."""
    pad: int = 4
    """Pixels by which images are shifted at most, in each direction; 0 for no augmentation."""
    target_augmentations: int = 1
    """K, shifts of s' whose targets are averaged."""
    augmentations: int = 1
    """M, shifts of s whose losses are summed."""
    critic_steps: int = 1
    """Critic steps for each step of actor, temperature and target."""
    frame_stack: int = 3
    """Frames in an observation."""
    before_start: ClassVar[Literal["zero", "repeat"]] = "repeat"
    """What stands for frames before an episode began: its first one."""

    @property
    def steps_per_update(self) -> int:
        """Gradient steps in one call of the agent's update."""
        return self.critic_steps


def drq_study(config: DrQConfig) -> DrQConfig:
    """The study's setting, which is the default: 64 x 64 grey, jaxrl's drq_faster with the study's
    log-stds."""
    return config


def drq_jaxrl(config: DrQConfig) -> DrQConfig:
    """jaxrl's drq_default, for 84 x 84 RGB frames (configs/drq_default.py)."""
    return replace(
        config,
        channels=(32, 32, 32, 32),
        strides=(2, 1, 1, 1),
        padding="valid",
        mean_gain=1.0,
        log_std_bound="clip",
    )


def drq_original(config: DrQConfig) -> DrQConfig:
    """DrQ as published with K = M = 2, for 84 x 84 RGB frames (denisyarats/drq, config.yaml)."""
    return replace(
        config,
        channels=(32, 32, 32, 32),
        strides=(2, 1, 1, 1),
        padding="valid",
        latent_initialiser="orthogonal",
        hidden_sizes=(1024, 1024),
        gain=1.0,
        mean_gain=1.0,
        norm_epsilon=1e-5,
        learning_rate=1e-3,
        target_rate=0.01,
        target_augmentations=2,
        augmentations=2,
        critic_steps=2,
    )


SETTINGS: dict[str, Callable[[DrQConfig], DrQConfig]] = {
    "study": drq_study,
    "jaxrl": drq_jaxrl,
    "original": drq_original,
}
"""The published settings by name."""


def averaged_target(reward: Tensor, discount: Tensor, q: Tensor, entropy_cost: Tensor) -> Tensor:
    """y = 1/K sum_k [r + gamma m (min_j Q'_j(f_k s') - alpha log pi_k)], [S, B] (eq. 4 of the
    paper); q [S, E, K, B], entropy_cost [S, K, B]."""
    targets = soft_target(reward.unsqueeze(1), discount.unsqueeze(1), q, entropy_cost)
    return targets.mean(1)


def augmented_critic_loss(q: Tensor, target: Tensor) -> Tensor:
    """sum_m sum_j mean_B (Q_j(f_m s) - y)^2, [S]; q [S, E, M, B], target [S, B]. Summed over m as
    in the code (drq.py), twice the paper's mean at M = 2."""
    return critic_loss(q.flatten(1, 2), target)


class Numbers(NamedTuple):
    """The random numbers of one update with G critic steps."""

    shift: Tensor
    """Uniform [G, S, M + K, B, 2], offsets for s, then for s'."""
    following: Tensor
    """Normal [G, S, K * B, A], for the next actions of each critic step."""
    policy: Tensor
    """Normal [S, B, A], for the actor's actions."""


class DrQ(SoftActorCritic):
    """S DrQ agents with the networks critic (the encoder is its own; and its target), actor and
    temperature."""

    def __init__(
        self,
        config: DrQConfig,
        observation_shape: Shape,
        action_size: int,
        generators: Generators,
        architectures: Mapping[str, Architecture] | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        """`observation_shape` is that of a stack of frames; `architectures` replaces the plain one
        of the hidden layers by network name; `generators` draw the initial weights, one per
        seed."""
        self.config = config
        self.action_size = action_size
        self.steps_per_update = config.steps_per_update
        self.encoder = _encoder(config, observation_shape)
        plans = self.plans(config, observation_shape, action_size)
        chosen = {name: plan for name, (plan, _) in plans.items()} | dict(architectures or {})
        adam = Adam(config.learning_rate, config.adam_beta1, config.adam_beta2, config.adam_epsilon)
        heads = (
            Head("mean", action_size, config.mean_gain),
            Head("log_std", action_size, gain=1.0),
        )
        gain, members = config.gain, config.critics
        actor = MLP("actor", plans["actor"][1], heads, chosen["actor"], gain=gain)
        q = (Head("q", 1, gain),)
        critic = MLP("critic", plans["critic"][1], q, chosen["critic"], members, gain=gain)
        super().__init__(
            self._behind(actor, None),
            self._behind(critic, self.encoder),
            LOG_STD_BOUNDS[config.log_std_bound],
            config.initial_temperature,
            dict.fromkeys(("actor", "critic", "temperature"), adam),
            generators,
            METRICS,
            device,
            config.gradient_clip,
        )
        self._step = self._update

    def _behind(self, mlp: MLP, encoder: Plain | None) -> LatentMLP:
        config = self.config
        gain = {"lecun_normal": 1.0, "orthogonal": config.gain}[config.latent_initialiser]
        return LatentMLP(
            self.encoder.output,
            config.latent_size,
            mlp,
            encoder,
            config.latent_initialiser,
            gain,
            config.norm_epsilon,
        )

    @staticmethod
    def plans(config: DrQConfig, observation_shape: Shape, action_size: int) -> Plans:
        """The architecture of each network's hidden layers without remedies, and their input
        features."""
        plain = Architecture(hidden_sizes=config.hidden_sizes)
        return {
            "actor": (plain, config.latent_size),
            "critic": (plain, config.latent_size + action_size),
        }

    # Random numbers

    def draw(self, source: Source, batch_size: int) -> Tensor:
        """The numbers of K updates in one tensor [K, S, N]; `numbers` takes it apart."""
        config = self.config
        steps, following = config.critic_steps, config.target_augmentations
        images = steps * (config.augmentations + following) * batch_size
        actions = (steps * following + 1) * batch_size * self.action_size
        parts = source.uniform("shift", (2 * images,)).float(), source.normal("drq", (actions,))
        return torch.cat(parts, -1).transpose(0, 1).contiguous().to(self.device)

    def numbers(self, noise: Tensor, batch_size: int) -> Numbers:
        """One update's part of what `draw` made, [S, N]; B is the batch of one critic step."""
        config = self.config
        steps, following = config.critic_steps, config.target_augmentations
        images = steps * (config.augmentations + following) * batch_size
        shift, normal = noise[:, : 2 * images], noise[:, 2 * images :]
        last = normal.shape[1] - batch_size * self.action_size
        shift = shift.view(len(noise), steps, -1, batch_size, 2).transpose(0, 1)
        ahead = normal[:, :last].view(len(noise), steps, -1, self.action_size).transpose(0, 1)
        return Numbers(shift, ahead, normal[:, last:].view(len(noise), batch_size, -1))

    # Seeing

    def _augmented(self, images: Tensor, shift: Tensor) -> Tensor:
        """Each of the images [S, B, C, H, W] shifted once for every row of offsets [S, R, B, 2]:
        uint8 [S, R * B, C, H, W]."""
        copies = images.unsqueeze(1).expand(-1, shift.shape[1], *images.shape[1:]).flatten(1, 2)
        if self.config.pad == 0:
            return copies
        return random_shift(copies, shift.flatten(1, 2), self.config.pad)

    def _features(self, critic: Mapping[str, Tensor], observation: Tensor) -> Tensor:
        """What the convolutions make of uint8 [S, N, C, H, W], flattened by channel, row, column:
        [S, N, features]."""
        return encode(self.encoder, critic, observation.float() / 255.0).flatten(2)

    # Learning

    def update(self, batch: Batch, noise: Tensor) -> None:
        """G critic steps, each on its own B of the G * B rows, then a step of target, actor and
        temperature, the latter two on the last B (drq.py: every second update at G = 2)."""
        self._step(Transitions.of(batch), noise)

    def compile(self) -> None:
        """Take the whole update as one graph from now on, with the remedies attached so far."""
        self._step = self._graph(self._update)

    @torch.no_grad()
    def _update(self, batch: Transitions, noise: Tensor) -> None:
        alpha, parts = self._alpha, minibatches(batch, self.config.critic_steps)
        numbers = self.numbers(noise, parts[0].reward.shape[1])
        steps, images = [], parts[-1].observation
        for part, shift, following in zip(parts, numbers.shift, numbers.following, strict=True):
            gradients, figures, images = self._towards_target(part, alpha, shift, following)
            self._descend("critic", gradients, figures)
            steps.append(figures)
        critic = {name: torch.stack([step[name] for step in steps]).mean(0) for name in steps[0]}
        self._follow("critic", self.config.target_rate)
        # The actor sees what the new convolutions make of the same images, and does not change them
        # (stop_gradient; the encoder that jaxrl copies into its actor).
        features = self._features(self.critic, images)
        gradients, actor = self._actor_gradients(features, alpha, numbers.policy, actor_loss)
        self._descend("actor", gradients, actor)
        self._improve_temperature(actor["entropy"], self.config.target_entropy * self.action_size)
        self._record(critic | actor | {"temperature": alpha})

    def _towards_target(
        self, batch: Transitions, alpha: Tensor, shift: Tensor, noise: Tensor
    ) -> tuple[Gradients, Figures, Tensor]:
        """The critic's gradients on a batch, figures, and the first augmentation of s."""
        count = self.config.augmentations
        images = self._augmented(batch.observation, shift[:, :count])
        ahead = self._augmented(batch.next_observation, shift[:, count:])
        target = self._targets(batch, ahead, alpha, noise)
        action = batch.action.repeat(1, count, 1)
        seen = batch._replace(observation=images, action=action)

        def loss(q: Tensor, y: Tensor) -> Tensor:
            return augmented_critic_loss(q.unflatten(-1, (count, -1)), y)

        gradients, figures = self._critic_gradients(seen, target, loss)
        figures["mean_target"] = target.mean(-1)
        return gradients, figures, images[:, : batch.reward.shape[1]]

    def _targets(self, batch: Transitions, ahead: Tensor, alpha: Tensor, noise: Tensor) -> Tensor:
        """[S, B]; `ahead` are K augmentations of s', uint8 [S, K * B, C, H, W]."""
        policy = self._policy(self.actor, self._features(self.critic, ahead))
        action, density = tanh_gaussian(*policy, noise)
        q = q_values(self.critic_net, self.target, self._features(self.target, ahead), action)
        rows = (self.config.target_augmentations, -1)
        cost = (alpha * density).unflatten(-1, rows)
        return averaged_target(batch.reward, batch.discount, q.unflatten(-1, rows), cost)

    # What others see

    @torch.no_grad()
    def _activations(
        self, net: Net, reads: tuple[str, ...], batch: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        taps: Taps = {}
        images = batch["observation"].float() / 255.0
        features = encode(self.encoder, self.critic, images, taps).flatten(2)
        seen = torch.cat((features, *(batch[name] for name in reads[1:])), -1)
        own = {} if net is self.actor_net else taps
        net.forward(self.parameters[net.name], net.spread(seen), own)
        return own

    @torch.no_grad()
    def probe(self, batch: Batch, noise: Tensor) -> dict[str, dict[str, Tensor]]:
        """Figures on a batch [S, B, ...] by network, [S] each, with the losses' own gradients;
        changes nothing. `noise` is that of an update on G * B rows."""
        transitions, alpha = Transitions.of(batch), self._alpha
        numbers = self.numbers(noise, transitions.reward.shape[1])
        shift, following = numbers.shift[0], numbers.following[0]
        _, critic, images = self._towards_target(transitions, alpha, shift, following)
        features = self._features(self.critic, images)
        actor = self._actor_gradients(features, alpha, numbers.policy, actor_loss)[1]
        return self._probed(critic, actor)


def _encoder(config: DrQConfig, shape: Shape) -> Plain:
    windows = tuple((3, stride) for stride in config.strides)
    gain = sqrt(2.0)
    return Plain("critic", shape, config.channels, config.padding, "orthogonal", gain, windows)
