"""Small agents that see, their data, and plain ones with the same parameters."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from primacy.agents.bbf import BBF
from primacy.agents.convolutions import Impala
from primacy.agents.value_settings import SETTINGS, BBFConfig
from primacy.plasticity.contract import Architecture
from primacy.runs.randomness import Randomness
from primacy.tests.support.plain_bbf import (
    Choices,
    Network,
    Noise,
    PlainBBF,
    Residual,
    Same,
    Sample,
)
from primacy.tests.support.plain_rainbow import Rainbow

SHAPE, ACTIONS, BATCH = (2, 12, 10), 3, 6
VALID_SHAPE = (2, 36, 36)
"""The least image for nature's convolutions without padding."""


class Frames(NamedTuple):
    observation: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_observation: Tensor
    weight: Tensor


class Sequence(NamedTuple):
    observation: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_observation: Tensor
    weight: Tensor
    mask: Tensor


def small(setting: str, **fields: Any) -> BBFConfig:
    """A published setting with small networks."""
    config = SETTINGS[setting](BBFConfig())
    sizes: dict[str, Any] = {"channels": (4, 6, 5), "hidden_size": 16}
    if config.jumps:
        sizes["jumps"] = 2
    return replace(config, **(sizes | fields))


def shape_of(config: BBFConfig) -> tuple[int, int, int]:
    return VALID_SHAPE if config.padding == "valid" else SHAPE


def agent(
    setting: str,
    seeds: tuple[int, ...],
    architectures: dict[str, Architecture] | None = None,
    **fields: Any,
) -> BBF:
    config = small(setting, **fields)
    draws = [np.random.default_rng(seed) for seed in seeds]
    return BBF(config, shape_of(config), ACTIONS, draws, architectures)


def data(one: BBF, seeds: tuple[int, ...], step: int, size: int = BATCH) -> Frames | Sequence:
    """A batch whose part of one seed does not depend on the others."""
    length, shape = one.sequence_length, shape_of(one.config)
    lead = (size, length) if length > 1 else (size,)
    parts = []
    for seed in seeds:
        g = torch.Generator().manual_seed(1000 * seed + step)
        pixels = lambda *n: torch.randint(0, 256, (*n, *shape), generator=g, dtype=torch.uint8)  # noqa: B023, E731
        ends = torch.rand(size, length, generator=g) < 0.2
        ends[:, 0] = False
        parts.append(
            (
                pixels(*lead),
                torch.randint(0, ACTIONS, lead, generator=g),
                torch.randn(size, generator=g),
                0.9 * (torch.rand(size, generator=g) > 0.2).float(),
                pixels(size),
                0.2 + 0.8 * torch.rand(size, generator=g),
                (~ends).float().cumprod(-1),
            )
        )
    columns = [torch.stack(column) for column in zip(*parts, strict=True)]
    return Sequence(*columns) if length > 1 else Frames(*columns[:-1])


def given(one: BBF, seeds: tuple[int, ...], step: int, size: int = BATCH):
    """A batch and the agent's own numbers of one update."""
    source = Randomness(seeds).source("policy-noise", step, 1)
    return data(one, seeds, step, size), one.draw(source, size)[0]


def unshifted(noise: Tensor, one: BBF, size: int = BATCH) -> Tensor:
    """The same noise without augmentation: every crop at the centre, no brightness."""
    still = noise.clone()
    images = size * (one.config.jumps + 2)
    still[:, : 2 * images] = 0.5
    still[:, 2 * images : 3 * images] = 0.0
    return still


def plain_noise(one: BBF, noise: Tensor, lane: int) -> Noise:
    """That of noisy layers in each of an update's three passes."""
    if not one.net.noises:
        return None, None, None
    first, second, third = noise[lane, -3 * one.net.noises :].chunk(3)
    return first, second, third


def plain_sample(one: BBF, batch: Frames | Sequence, lane: int) -> Sample:
    images = batch.observation[lane].float() / 255.0
    action = batch.action[lane]
    mask = batch.mask[lane, :, 1:] if isinstance(batch, Sequence) else torch.zeros(len(images), 0)
    if one.config.jumps == 0:
        images, action = images[:, None], action[:, None]
    following = batch.next_observation[lane].float() / 255.0
    rest = (batch.reward[lane], batch.discount[lane], batch.weight[lane])
    return Sample(images, following, action, mask, *rest)


def pairs(one: BBF, plain: PlainBBF) -> Iterator[tuple[str, nn.Module]]:
    """Paths of ours beside the plain modules."""
    net = plain.online
    modules = [m.conv for m in net.encoder.modules() if isinstance(m, Same)]
    if isinstance(one.net.encoder, Impala):
        # A stage's first convolution, then the pairs of its blocks: the order of modules() too.
        assert any(isinstance(m, Residual) for m in net.encoder)
    paths = [node.conv.path for node in one.net.encoder.nodes()]
    yield from zip(paths, modules, strict=True)
    streams = (
        ("value_hidden", "advantage_hidden") if one.config.separate_streams else ("projection",)
    )
    for name in streams:
        yield f"critic.{name}", net.get_submodule(name)
    yield "critic.value", net.value
    yield "critic.advantage", net.advantage
    if one.config.jumps:
        convs = [m.conv for m in net.transition if isinstance(m, Same)]
        yield from zip(("critic.transition0", "critic.transition1"), convs, strict=True)
        yield "critic.predictor", net.predictor


def ours(values: dict[str, Tensor], name: str, lane: int, like: Tensor) -> Tensor:
    """A lane's part of a stacked tensor, in the plain layout."""
    value = values[name][lane]
    return value.reshape(like.shape) if like.ndim == 1 else value.T.reshape(like.shape)


def plain_twin(one: BBF, lane: int) -> PlainBBF:
    """The plain agent with the parameters of one lane."""
    c = one.config
    choices = Choices(
        c.encoder,
        c.channels,
        c.hidden_size,
        c.value == "categorical",
        c.renormalised,
        c.jumps,
        c.target_rate,
        c.weight_decay,
        c.learning_rate,
        c.atoms,
        c.gradient_clip,
    )
    kind = Rainbow if c.noisy_sigma else Network
    plain = PlainBBF(choices, kind(choices, shape_of(c), ACTIONS))
    with torch.no_grad():
        for path, module in pairs(one, plain):
            for role, parameter in module.named_parameters():
                parameter.copy_(ours(one.critic, f"{path}.{role}", lane, parameter))
    plain.target.load_state_dict(plain.online.state_dict())
    return plain


def assert_equal(one: BBF, lane: int, plain: PlainBBF) -> None:
    """Parameters, Adam's moments (the gradients of all updates so far) and the target."""
    state = one.state()
    targets = dict(plain.target.named_parameters())
    names = {value: key for key, value in plain.online.named_parameters()}
    for path, module in pairs(one, plain):
        for role, parameter in module.named_parameters():
            name = f"{path}.{role}"
            theirs = {
                name: parameter,
                f"target/{name}": targets[names[parameter]],
                f"adam/{name}/mean": plain.adam.state[parameter]["exp_avg"],
                f"adam/{name}/variance": plain.adam.state[parameter]["exp_avg_sq"],
            }
            for key, value in theirs.items():
                mine = ours(state, key, lane, value)
                torch.testing.assert_close(mine, value.detach(), atol=3e-5, rtol=3e-4, msg=key)
