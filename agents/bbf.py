"""Value-based agents that learn from frames: BBF (Schwarzer et al. 2023) and, as settings of it,
SR-SPR, SPR, DrQ and DrQ(eps).

Read top to bottom: how values are represented, the agent and its one gradient step. Losses are in
value_losses.py, networks in value_networks.py, published settings in value_settings.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod, sqrt

import torch
from torch import Tensor

from primacy.agents.agent import Batch, Plans, Source
from primacy.agents.convolutions import ENCODERS, Shape
from primacy.agents.exploration import annealed, annealed_discount, epsilon_greedy
from primacy.agents.initialisers import Generators
from primacy.agents.optimiser import Adam
from primacy.agents.sequences import Sequences
from primacy.agents.shifts import random_shift
from primacy.agents.stacked import Figures, Gradients, StackedAgent
from primacy.agents.value_losses import (
    chosen,
    cross_entropy,
    expectation,
    huber,
    intensity,
    project,
    self_prediction_loss,
    support,
    weighted_loss,
)
from primacy.agents.value_networks import ValueNetwork
from primacy.agents.value_settings import BBFConfig
from primacy.plasticity.contract import Architecture, PlasticNetwork

METRICS = (
    "critic_loss",
    "td_loss",
    "self_prediction_loss",
    "mean_q",
    "mean_target",
    "critic_grad_norm",
)
GAINS = {"xavier_uniform": 1.0, "kaiming_uniform": sqrt(2.0), "fan_in_uniform": 1.0}
PASSES = 3
"""Draws of parameter noise: online on s_t, online on s_{t+n}, target (Fortunato et al. 2018)."""


@dataclass(frozen=True)
class Categorical:
    """Distributions over atoms on [-limit, limit] (Bellemare et al. 2017)."""

    limit: float

    def q(self, outputs: Tensor) -> Tensor:
        """Means of distributions given as logits, [..., atoms] -> [...]."""
        return expectation(outputs, support(self.limit, outputs.shape[-1], outputs))

    def target(self, outputs: Tensor, reward: Tensor, discount: Tensor) -> Tensor:
        """The projected distribution of r + discount z, [..., atoms]."""
        z = support(self.limit, outputs.shape[-1], outputs)
        return project(outputs.softmax(-1), reward, discount, z)

    def mean(self, target: Tensor) -> Tensor:
        """[..., atoms] -> [...]."""
        return (target * support(self.limit, target.shape[-1], target)).sum(-1)

    def loss(self, target: Tensor, outputs: Tensor) -> Tensor:
        """[..., atoms] -> [...]."""
        return cross_entropy(target, outputs)

    def least(self, target: Tensor) -> Tensor:
        """The least loss there is, the target's entropy, [..., atoms] -> [...]."""
        return torch.special.entr(target).sum(-1)


@dataclass(frozen=True)
class Scalar:
    """One number per action, and Huber's loss."""

    limit: float

    def q(self, outputs: Tensor) -> Tensor:
        """[..., 1] -> [...]."""
        return outputs.squeeze(-1)

    def target(self, outputs: Tensor, reward: Tensor, discount: Tensor) -> Tensor:
        """r + discount Q, [..., 1]."""
        return (reward + discount * outputs.squeeze(-1)).unsqueeze(-1)

    def mean(self, target: Tensor) -> Tensor:
        """[..., 1] -> [...]."""
        return target.squeeze(-1)

    def loss(self, target: Tensor, outputs: Tensor) -> Tensor:
        """[..., 1] -> [...]."""
        return huber(target, outputs).squeeze(-1)

    def least(self, target: Tensor) -> Tensor:
        """Zeros, [..., 1] -> [...]."""
        return torch.zeros_like(target).squeeze(-1)


VALUES: dict[str, type[Categorical] | type[Scalar]] = {"categorical": Categorical, "huber": Scalar}


@dataclass(frozen=True)
class Goal:
    """What one gradient step is drawn towards."""

    value: Tensor
    """[S, B, atoms]."""
    latents: Tensor | None
    """Projections of the target network at s_{t+1} .. s_{t+K}, [S, B, K, P]."""


@dataclass(frozen=True)
class Draw:
    """The random numbers of one update, by use."""

    shift: Tensor  # uniform [S, B, T, 2]
    brightness: Tensor  # standard normal [S, B, T]
    parameters: Tensor  # standard normal [S, PASSES, noises]


class BBF(StackedAgent):
    """S agents with one network, `critic`, and its target."""

    def __init__(
        self,
        config: BBFConfig,
        observation_shape: Shape,
        action_count: int,
        generators: Generators,
        architectures: Mapping[str, Architecture] | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        """`observation_shape` is that of a stack of frames; `architectures` replaces the plain one
        of the hidden layer by network name; `generators` draw the initial weights, one per seed."""
        self.config = config
        self.action_count = action_count
        plain = self.plans(config, observation_shape, action_count)["critic"][0]
        architecture = dict(architectures or {}).get("critic", plain)
        self.net = _network(config, observation_shape, action_count, architecture)
        self.value = VALUES[config.value](config.support)
        adam = Adam(
            config.learning_rate,
            config.adam_beta1,
            config.adam_beta2,
            config.adam_epsilon,
            config.weight_decay,
        )
        first = {"critic": self.net.initialise(generators)}
        super().__init__(first, {"critic": adam}, METRICS, device, config.gradient_clip)
        self.critic = self.parameters["critic"]
        self.target = {name: value.clone() for name, value in self.critic.items()}
        follower = PlasticNetwork("critic", self.net.layers(self.target), lambda name: None)
        self._publish(
            PlasticNetwork(
                "critic",
                self.net.layers(self.critic),
                self.moments.get,
                follower,
                self._activations_of,
            )
        )
        self.losses = torch.zeros(self.num_seeds, 0, device=self.device)
        self._images = config.jumps + 2
        self.sequence_length = config.jumps + 1 + config.strict_mask if config.jumps else 1
        self._step = self._update

    @staticmethod
    def plans(config: BBFConfig, observation_shape: Shape, action_count: int) -> Plans:
        """The hidden layer's architecture without remedies, and its input features."""
        plain = Architecture(hidden_sizes=(config.hidden_size,))
        net = _network(config, observation_shape, action_count, plain)
        return {"critic": (plain, prod(net.encoder.output))}

    # Acting

    @property
    def acting_noises(self) -> int:
        """Numbers per observation that `act` takes: epsilon, two uniform ones, and the standard
        normal ones of noisy layers."""
        return 3 + self.net.noises

    @property
    def _acting(self) -> dict[str, Tensor]:
        return self.target if self.config.acting == "target" else self.critic

    @torch.no_grad()
    def act(self, observation: Tensor, noise: Tensor) -> Tensor:
        """Exploring actions int64 [S] for uint8 [S, C, H, W] and noise [S, acting_noises]."""
        q = self._q(observation.unsqueeze(1), noise[:, 3:])
        return epsilon_greedy(q.argmax(-1).squeeze(1), noise, self.action_count)

    @torch.no_grad()
    def act_greedily(self, observation: Tensor) -> Tensor:
        """Actions without exploration: uint8 [S, B, C, H, W] -> int64 [S, B]."""
        return self._q(observation, None).argmax(-1)

    def _q(self, observation: Tensor, noise: Tensor | None) -> Tensor:
        parameters = self._acting
        latent = self.net.encode(parameters, observation.float() / 255.0)
        return self.value.q(self.net.outputs(parameters, latent, noise))

    # Learning

    @torch.no_grad()
    def horizon(self) -> tuple[Tensor, Tensor]:
        """n (int64 [S]) and the discount per step (float64 [S]) for the next update's returns.

        Updates are counted by the optimiser of the output layer: a reset that clears it restarts
        the annealing of its seeds.
        """
        config = self.config
        updates = self.moments["critic.advantage.weight"].step.flatten()
        n = annealed(updates, config.annealing, config.first_n_step, config.n_step)
        discount = annealed_discount(
            updates, config.annealing, config.first_discount, config.discount
        )
        return n.round().long(), discount

    def draw(self, source: Source, batch_size: int) -> Tensor:
        """Numbers of K updates, [K, S, N]: of shifts, of brightness and of noisy layers."""
        images = batch_size * self._images
        parts = [
            source.uniform("shift", (2 * images,)).float(),
            source.normal("brightness", (images,)),
            source.normal("noisy", (PASSES * self.net.noises,)),
        ]
        return torch.cat(parts, -1).transpose(0, 1).contiguous().to(self.device)

    def _split(self, noise: Tensor, batch_size: int) -> Draw:
        shape = batch_size, self._images
        count = batch_size * self._images
        sizes = (2 * count, count, PASSES * self.net.noises)
        shift, brightness, parameters = noise.split(sizes, -1)
        return Draw(
            shift.unflatten(-1, (*shape, 2)),
            brightness.unflatten(-1, shape),
            parameters.unflatten(-1, (PASSES, self.net.noises)),
        )

    def update(self, batch: Batch, noise: Tensor) -> None:
        """One gradient step of the network, then one of its target. `batch` is a FrameSample, or
        a SequenceSample where the agent predicts itself."""
        self.losses = self._step(Sequences.of(batch, self.sequence_length), noise)

    def compile(self) -> None:
        """Take the whole update as one graph from now on, with the remedies attached so far."""
        self._step = self._graph(self._update)

    @torch.no_grad()
    def _update(self, batch: Sequences, noise: Tensor) -> Tensor:
        draw = self._split(noise, batch.reward.shape[1])
        images = self._augmented(batch, draw)
        goal = self._goal(batch, images, draw)
        gradients, figures, losses = self._gradients(batch, images[:, :, 0], goal, draw)
        self._descend("critic", gradients, figures)
        self._follow("critic", self.config.target_rate)
        self._record(figures)
        return losses

    def _augmented(self, batch: Sequences, draw: Draw) -> Tensor:
        """s_t .. s_{t+K} and s_{t+n} in [0, 1], each shifted and dimmed by itself."""
        sequence = batch.observation[:, :, : self.config.jumps + 1]
        images = torch.cat((sequence, batch.next_observation.unsqueeze(2)), 2)
        if self.config.pad:
            images = random_shift(images, draw.shift, self.config.pad)
        return intensity(images.float() / 255.0, draw.brightness, self.config.intensity)

    def _goal(self, batch: Sequences, images: Tensor, draw: Draw) -> Goal:
        net, last = self.net, images[:, :, -1]
        online = net.encode(self.critic, last)
        selection = self.value.q(net.outputs(self.critic, online, draw.parameters[:, 1]))
        later = net.encode(self.target, images[:, :, 1:].flatten(1, 2))
        later = later.unflatten(1, (images.shape[1], -1))
        outputs = net.outputs(self.target, later[:, :, -1], draw.parameters[:, 2])
        best = chosen(outputs, selection.argmax(-1))
        value = self.value.target(best, batch.reward, batch.discount)
        if self.config.jumps == 0:
            return Goal(value, None)
        latents = net.project(self.target, later[:, :, :-1].flatten(1, 2))
        return Goal(value, latents.unflatten(1, (images.shape[1], -1)))

    def _gradients(
        self, batch: Sequences, images: Tensor, goal: Goal, draw: Draw
    ) -> tuple[Gradients, Figures, Tensor]:
        def loss(parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            latent = self.net.encode(parameters, images)
            outputs = self.net.outputs(parameters, latent, draw.parameters[:, 0])
            mine = chosen(outputs, batch.action[:, :, 0])
            td = self.value.loss(goal.value, mine)
            ahead = self._self_prediction(parameters, latent, batch, goal.latents)
            total = weighted_loss(batch.weight, td, ahead, self.config.self_prediction)
            return total, torch.stack((td, ahead, self.value.q(mine)))

        gradients, figures, left = self._differentiate("critic", loss)
        td, ahead, q = left.unbind(0)
        figures |= {
            "td_loss": td.mean(-1),
            "self_prediction_loss": ahead.mean(-1),
            "mean_q": q.mean(-1),
            "mean_target": self.value.mean(goal.value).mean(-1),
        }
        if self.config.priority == "divergence":
            return gradients, figures, (td - self.value.least(goal.value)).clamp(min=0.0)
        return gradients, figures, td

    def _self_prediction(
        self,
        parameters: dict[str, Tensor],
        latent: Tensor,
        batch: Sequences,
        target: Tensor | None,
    ) -> Tensor:
        """[S, B]; 0 where there is nothing to predict."""
        if target is None:
            return torch.zeros_like(batch.reward)
        jumps, state, states = self.config.jumps, latent, []
        for k in range(jumps):
            state = self.net.step(parameters, state, batch.action[:, :, k])
            states.append(state)
        ahead = torch.stack(states, 2).flatten(1, 2)
        prediction = self.net.predict(parameters, ahead).unflatten(1, (-1, jumps))
        first = 1 + self.config.strict_mask
        return self_prediction_loss(prediction, target, batch.mask[:, :, first : first + jumps])

    # What others see

    @torch.no_grad()
    def _activations_of(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        taps: dict[str, Tensor] = {}
        seen = batch["observation"]
        first = seen if seen.ndim == 5 else seen[:, :, 0]
        latent = self.net.encode(self.critic, first.float() / 255.0, taps)
        self.net.outputs(self.critic, latent, None, taps)
        return taps

    @torch.no_grad()
    def probe(self, batch: Batch, noise: Tensor) -> dict[str, dict[str, Tensor]]:
        """Figures on a batch, [S] each, with the losses' own gradients; changes nothing."""
        given = Sequences.of(batch, self.sequence_length)
        draw = self._split(noise, given.reward.shape[1])
        images = self._augmented(given, draw)
        goal = self._goal(given, images, draw)
        figures = self._gradients(given, images[:, :, 0], goal, draw)[1]
        return {"critic": {"mean_q": figures["mean_q"], "grad_norm": figures["critic_grad_norm"]}}


def _network(
    config: BBFConfig, shape: Shape, actions: int, architecture: Architecture
) -> ValueNetwork:
    gain = GAINS[config.initialiser]
    encoder = ENCODERS[config.encoder](
        "critic", shape, config.channels, config.padding, config.initialiser, gain
    )
    return ValueNetwork(
        encoder,
        actions,
        config.atoms,
        architecture,
        config.separate_streams,
        config.noisy_sigma,
        config.renormalised,
        config.jumps,
        config.initialiser,
        gain,
        config.head_gradient,
    )
