"""What soft actor-critics share: a tanh-Gaussian actor, an ensemble of critics with a target, and
an entropy temperature (Haarnoja et al. 2018)."""

from collections.abc import Callable, Mapping
from math import log

import torch
from torch import Tensor

from primacy.agents.distributions import tanh_gaussian
from primacy.agents.initialisers import Generators
from primacy.agents.networks import Net, q_values
from primacy.agents.optimiser import Adam
from primacy.agents.stacked import Figures, Gradients, StackedAgent
from primacy.agents.transitions import Transitions
from primacy.plasticity.contract import Layer, PlasticNetwork


def temperature_loss(log_alpha: Tensor, entropy: Tensor, target_entropy: float) -> Tensor:
    """alpha (H - H_target), [S] (eq. 8); log_alpha [S, 1], entropy [S]."""
    return log_alpha.exp().squeeze(-1) * (entropy - target_entropy)


class SoftActorCritic(StackedAgent):
    """S agents with the networks actor, critic (and its target) and temperature."""

    def __init__(
        self,
        actor_net: Net,
        critic_net: Net,
        log_std_bound: Callable[[Tensor], Tensor],
        initial_temperature: float,
        optimisers: Mapping[str, Adam],
        generators: Generators,
        metrics: tuple[str, ...],
        device: str | torch.device,
        gradient_clip: float = 0.0,
    ) -> None:
        """`actor_net` has the heads mean and log_std, `critic_net` the head q and E members."""
        self.actor_net, self.critic_net = actor_net, critic_net
        self._log_std_bound = log_std_bound
        self._initial_temperature = initial_temperature
        first = {
            "actor": actor_net.initialise(generators),
            "critic": critic_net.initialise(generators),
            "temperature": {"temperature.value": self._first_log_alpha(generators)},
        }
        super().__init__(first, optimisers, metrics, device, gradient_clip)
        self.actor, self.critic, self.temperature = self.parameters.values()
        self.target = {name: value.clone() for name, value in self.critic.items()}
        scalar = Layer(
            path="temperature",
            kind="scalar",
            group="head",
            depth=0,
            parameters={"value": self.temperature["temperature.value"]},
            initialise=lambda generators: {"value": self._first_log_alpha(generators)},
            units=1,
            fan_in=1,
        )
        self._publish(
            self._network(critic_net, ("observation", "action"), self.target),
            self._network(actor_net),
            PlasticNetwork("temperature", (scalar,), self.moments.get),
        )

    def _first_log_alpha(self, generators: Generators) -> Tensor:
        return torch.full((len(generators), 1), log(self._initial_temperature))

    # Acting

    def _features(self, critic: Mapping[str, Tensor], observation: Tensor) -> Tensor:
        """What actor and critics read of observations: these, or what the critic's encoder makes of
        them."""
        return observation

    def _policy(self, parameters: dict[str, Tensor], features: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = self.actor_net.forward(parameters, features)
        return mean, self._log_std_bound(raw)

    @torch.no_grad()
    def act(self, observation: Tensor, noise: Tensor) -> Tensor:
        """A sample of the policy for each seed: [S, O] and noise [S, A] -> [S, A]."""
        features = self._features(self.critic, observation.unsqueeze(1))
        mean, log_std = self._policy(self.actor, features)
        return torch.tanh(mean + log_std.exp() * noise.unsqueeze(1)).squeeze(1)

    @torch.no_grad()
    def act_greedily(self, observation: Tensor) -> Tensor:
        """tanh of the mean, [S, B, O] -> [S, B, A]."""
        features = self._features(self.critic, observation)
        return torch.tanh(self._policy(self.actor, features)[0])

    # Learning

    @property
    def _alpha(self) -> Tensor:
        return self.temperature["temperature.value"].exp()

    def _critic_gradients(
        self, batch: Transitions, target: Tensor, loss_of: Callable[[Tensor, Tensor], Tensor]
    ) -> tuple[Gradients, Figures]:
        """Of loss_of(q [S, E, B], target [S, B]) -> [S]."""

        def loss(parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            features = self._features(parameters, batch.observation)
            q = q_values(self.critic_net, parameters, features, batch.action)
            return loss_of(q, target), q

        gradients, figures, q = self._differentiate("critic", loss)
        return gradients, figures | {"mean_q": q.mean((1, 2))}

    def _actor_gradients(
        self,
        features: Tensor,
        alpha: Tensor,
        noise: Tensor,
        loss_of: Callable[[Tensor, Tensor, Tensor], Tensor],
    ) -> tuple[Gradients, Figures]:
        """Of loss_of(log density [S, B], q [S, E, B], alpha [S, 1]) -> [S]."""

        def loss(parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            action, density = tanh_gaussian(*self._policy(parameters, features), noise)
            q = q_values(self.critic_net, self.critic, features, action)
            return loss_of(density, q, alpha), density

        gradients, figures, density = self._differentiate("actor", loss)
        return gradients, figures | {"entropy": -density.mean(-1)}

    def _improve_temperature(self, entropy: Tensor, goal: float) -> None:
        """One step on the temperature, towards the entropy `goal` in nats."""
        # The derivative of alpha (H - H_target) in log alpha is the loss itself.
        loss = temperature_loss(self.temperature["temperature.value"], entropy, goal)
        gradients = {"temperature.value": loss.unsqueeze(-1)}
        figures = {"temperature_loss": loss, "temperature_grad_norm": loss.abs()}
        self._descend("temperature", gradients, figures)

    # What others see

    def _probed(self, critic: Figures, actor: Figures) -> dict[str, Figures]:
        return {
            "critic": {"mean_q": critic["mean_q"], "grad_norm": critic["critic_grad_norm"]},
            "actor": {"grad_norm": actor["actor_grad_norm"], "entropy": actor["entropy"]},
            "temperature": {"value": self._alpha.squeeze(-1)},
        }
