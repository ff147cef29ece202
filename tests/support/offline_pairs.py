"""Stacked IQL, RLPD and BC beside plain ones with the same parameters and the same data."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from primacy.agents.bc import BC, BCConfig
from primacy.agents.iql import IQL, LOG_STD, IQLConfig
from primacy.agents.rlpd import RLPD, RLPDConfig
from primacy.runs.randomness import Randomness
from primacy.tests.support.plain_iql import PlainIQL
from primacy.tests.support.plain_rlpd import PlainRLPD
from primacy.tests.support.sac_pairs import ACTION, OBSERVATION, data, generators

BATCH = 16


def iql(seeds: tuple[int, ...], width: int = 32, **fields: Any) -> IQL:
    config = IQLConfig(hidden_sizes=(width, width), **fields)
    return IQL(config, OBSERVATION, ACTION, generators(seeds))


def rlpd(seeds: tuple[int, ...], width: int = 24, **fields: Any) -> RLPD:
    small: dict[str, Any] = {"critics": 4, "subset": 2, "critic_steps": 3} | fields
    config = RLPDConfig(hidden_sizes=(width, width, width), **small)
    return RLPD(config, OBSERVATION, ACTION, generators(seeds))


def bc(seeds: tuple[int, ...], width: int = 32, **fields: Any) -> BC:
    config = BCConfig(hidden_sizes=(width, width), **fields)
    return BC(config, OBSERVATION, ACTION, generators(seeds))


def given(agent: IQL | RLPD | BC, seeds: tuple[int, ...], step: int, size: int = BATCH):
    """A batch and the agent's own numbers of one update; a seed's part is its own."""
    batch, _ = data(seeds, step, agent.steps_per_update * size)
    source = Randomness(seeds).source("policy-noise", step, 1)
    return batch, agent.draw(source, size)[0]


Pair = tuple[str, int | None, nn.Parameter | Tensor]


def _layers(prefix: str, head: str, net: nn.Sequential, member: int | None) -> Iterator[Pair]:
    """Names of ours beside the parameters of a plain sequence of layers."""
    linears = [module for module in net if isinstance(module, nn.Linear)]
    norms = [module for module in net if isinstance(module, nn.LayerNorm)]
    paths = [f"{prefix}.{i}" for i in range(len(linears) - bool(head))]
    for path, linear in zip([*paths, *([f"{prefix}.{head}"] * bool(head))], linears, strict=True):
        yield f"{path}.weight", member, linear.weight
        yield f"{path}.bias", member, linear.bias
    for path, norm in zip(paths, norms, strict=False):
        yield f"{path}.norm.scale", member, norm.weight
        yield f"{path}.norm.offset", member, norm.bias


def pairs(plain: PlainIQL | PlainRLPD) -> Iterator[tuple[Pair, torch.optim.Optimizer]]:
    for member, critic in enumerate(plain.critics):
        net = critic.net if isinstance(plain, PlainRLPD) else critic
        assert isinstance(net, nn.Sequential)
        for pair in _layers("critic", "q", net, member):
            yield pair, plain.critic_adam
    if isinstance(plain, PlainRLPD):
        for pair in _layers("actor", "", plain.actor.torso, None):
            yield pair, plain.actor_adam
        for head in ("mean", "log_std"):
            for pair in _layers("actor", head, nn.Sequential(getattr(plain.actor, head)), None):
                yield pair, plain.actor_adam
        yield ("temperature.value", None, plain.log_alpha), plain.alpha_adam
    else:
        for pair in _layers("actor", "mean", plain.actor, None):
            yield pair, plain.actor_adam
        yield (LOG_STD, None, plain.log_std), plain.actor_adam
        for pair in _layers("value", "v", plain.value, None):
            yield pair, plain.value_adam


def ours(tensor: Tensor, lane: int, member: int | None, like: Tensor) -> Tensor:
    """A lane's (and member's) part of a stacked tensor, in the plain layout."""
    mine = tensor[lane] if member is None else tensor[lane, member]
    return mine.T if like.ndim == 2 else mine.reshape(like.shape)


def plain_twin(agent: IQL | RLPD, lane: int, **fields: Any) -> PlainIQL | PlainRLPD:
    """The plain agent with the parameters of one lane."""
    config = agent.config
    plain: PlainIQL | PlainRLPD
    if isinstance(config, IQLConfig):
        plain = PlainIQL(
            OBSERVATION,
            ACTION,
            config.hidden_sizes,
            config.expectile,
            config.temperature,
            config.actor_learning_rate,
            **fields,
        )
    else:
        plain = PlainRLPD(
            OBSERVATION,
            ACTION,
            config.hidden_sizes,
            config.critics,
            config.entropy_backup,
            config.actor_learning_rate,
        )
    state = agent.state()
    with torch.no_grad():
        for (name, member, parameter), _ in pairs(plain):
            parameter.copy_(ours(state[name], lane, member, parameter))
    plain.sync_targets()
    return plain


def assert_equal(agent: IQL | RLPD, lane: int, plain: PlainIQL | PlainRLPD) -> None:
    """Parameters, and Adam's moments, which are the gradients of all updates so far."""
    state = agent.state()
    for (name, member, parameter), adam in pairs(plain):
        theirs = {
            name: parameter,
            f"adam/{name}/mean": adam.state[parameter]["exp_avg"],
            f"adam/{name}/variance": adam.state[parameter]["exp_avg_sq"],
        }
        for key, value in theirs.items():
            mine = ours(state[key], lane, member, value)
            torch.testing.assert_close(mine, value.detach(), atol=3e-5, rtol=2e-4, msg=key)
    first = next(iter(plain.targets[-1].parameters()))
    mine = ours(agent.target["critic.0.weight"], lane, len(plain.targets) - 1, first)
    torch.testing.assert_close(mine, first.detach(), atol=3e-5, rtol=2e-4)
