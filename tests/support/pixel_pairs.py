"""Small DrQ agents, their data, and plain ones with the same parameters."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from primacy.agents.drq import SETTINGS, DrQ, DrQConfig
from primacy.agents.transitions import Transitions
from primacy.plasticity.contract import Architecture
from primacy.runs.randomness import Randomness
from primacy.tests.support.plain_pixels import Choices, PlainPixels, Sample

SHAPE, ACTION, BATCH = (2, 20, 18), 3, 6


def small(setting: str, **fields: Any) -> DrQConfig:
    """A published setting with small networks."""
    sizes: dict[str, Any] = {"channels": (4, 6, 5, 3), "latent_size": 7, "hidden_sizes": (16, 16)}
    return replace(SETTINGS[setting](DrQConfig()), **(sizes | fields))


def agent(
    setting: str,
    seeds: tuple[int, ...],
    architectures: dict[str, Architecture] | None = None,
    **fields: Any,
) -> DrQ:
    draws = [np.random.default_rng(seed) for seed in seeds]
    return DrQ(small(setting, **fields), SHAPE, ACTION, draws, architectures)


def data(one: DrQ, seeds: tuple[int, ...], step: int, size: int = BATCH) -> Transitions:
    """The rows of one update; a seed's part does not depend on the others."""
    rows = size * one.steps_per_update
    parts = []
    for seed in seeds:
        g = torch.Generator().manual_seed(1000 * seed + step)
        pixels = lambda: torch.randint(0, 256, (rows, *SHAPE), generator=g, dtype=torch.uint8)  # noqa: B023, E731
        parts.append(
            (
                pixels(),
                torch.tanh(torch.randn(rows, ACTION, generator=g)),
                torch.randn(rows, generator=g),
                0.99 * (torch.rand(rows, generator=g) > 0.2).float(),
                pixels(),
            )
        )
    return Transitions(*(torch.stack(column) for column in zip(*parts, strict=True)))


def given(
    one: DrQ, seeds: tuple[int, ...], step: int, size: int = BATCH
) -> tuple[Transitions, Tensor]:
    """A batch and the agent's own numbers of one update."""
    source = Randomness(seeds).source("policy-noise", step, 1)
    return data(one, seeds, step, size), one.draw(source, size)[0]


def modules(plain: PlainPixels) -> Iterator[tuple[str, int | None, nn.Module, nn.Module | None]]:
    """Our paths and ensemble members, beside the plain modules and their target's."""
    critic, target = plain.critic, plain.target
    convs = zip(critic.encoder.convs, target.encoder.convs, strict=True)
    for i, (conv, follower) in enumerate(convs):
        yield f"critic.conv{i}", None, conv, follower
    yield "critic.latent", None, critic.latent.linear, target.latent.linear
    yield "critic.latent.norm", None, critic.latent.norm, target.latent.norm
    heads = ((critic.one, target.one), (critic.two, target.two))
    for member, (head, follower) in enumerate(heads):
        for path, at in (("0", 0), ("1", 2), ("q", 4)):
            yield f"critic.{path}", member, head[at], follower[at]
    actor = plain.actor
    yield "actor.latent", None, actor.latent.linear, None
    yield "actor.latent.norm", None, actor.latent.norm, None
    yield "actor.0", None, actor.trunk[0], None
    yield "actor.1", None, actor.trunk[2], None
    yield "actor.mean", None, actor.mean, None
    yield "actor.log_std", None, actor.log_std, None


def _role(module: nn.Module, name: str) -> str:
    return {"weight": "scale", "bias": "offset"}[name] if isinstance(module, nn.LayerNorm) else name


def _ours(
    state: dict[str, Tensor], name: str, lane: int, member: int | None, like: Tensor
) -> Tensor:
    value = state[name][lane] if member is None else state[name][lane, member]
    return value.reshape(like.shape) if like.ndim == 1 else value.T.reshape(like.shape)


def plain_twin(one: DrQ, lane: int) -> PlainPixels:
    """The plain agent with the parameters of one lane."""
    c = one.config
    choices = Choices(
        c.channels,
        c.strides,
        c.padding == "same",
        c.latent_size,
        c.hidden_sizes[0],
        c.norm_epsilon,
        c.learning_rate,
        c.target_rate,
        c.log_std_bound == "tanh",
        c.pad,
    )
    plain = PlainPixels(choices, SHAPE, ACTION)
    with torch.no_grad():
        for path, member, module, _ in modules(plain):
            for name, parameter in module.named_parameters():
                mine = f"{path}.{_role(module, name)}"
                parameter.copy_(_ours(one.state(), mine, lane, member, parameter))
    plain.target.load_state_dict(plain.critic.state_dict())
    return plain


def plain_update(
    plain: PlainPixels, one: DrQ, batch: Transitions, noise: Tensor, lane: int
) -> dict[str, float]:
    """The plain agent's update on a lane's part of a batch, by its part of the numbers."""
    config, rows = one.config, BATCH
    numbers = one.numbers(noise, rows)
    count, following = config.augmentations, config.target_augmentations
    batches, shifts, noises = [], [], []
    for g in range(config.critic_steps):
        part = slice(g * rows, (g + 1) * rows)
        batches.append(Sample(*(column[lane, part] for column in batch)))
        offsets = list(numbers.shift[g, lane])
        shifts.append((offsets[:count], offsets[count:]))
        noises.append(list(numbers.following[g, lane].view(following, rows, -1)))
    return plain.update(batches, shifts, noises, numbers.policy[lane])


def assert_equal(one: DrQ, lane: int, plain: PlainPixels) -> None:
    """Parameters, Adam's moments (the gradients of all updates so far) and the target."""
    state = one.state()
    for path, member, module, follower in modules(plain):
        adam = plain.critic_adam if path.startswith("critic") else plain.actor_adam
        for name, parameter in module.named_parameters():
            mine = f"{path}.{_role(module, name)}"
            theirs = {
                mine: parameter,
                f"adam/{mine}/mean": adam.state[parameter]["exp_avg"],
                f"adam/{mine}/variance": adam.state[parameter]["exp_avg_sq"],
            }
            if follower is not None:
                theirs[f"target/{mine}"] = follower.get_parameter(name)
            for key, value in theirs.items():
                found = _ours(state, key, lane, member, value)
                torch.testing.assert_close(found, value.detach(), atol=3e-5, rtol=3e-4, msg=key)
    log_alpha = state["temperature.value"][lane].item()
    assert abs(log_alpha - plain.log_alpha.item()) < 1e-6
