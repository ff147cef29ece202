"""The table's DrQ against its plain twin."""

import pytest
import torch
from torch import Tensor

from primacy.agents.bbf import BBF, PASSES
from primacy.tests.support.plain_drq import PlainDrQ, Sample
from primacy.tests.support.value_pairs import (
    ACTIONS,
    VALID_SHAPE,
    agent,
    given,
    ours,
    unshifted,
)

torch.set_num_threads(1)

SEEDS = (3, 7)
CLIP = 0.05  # small enough to act


def path_of(name: str) -> str:
    """Ours for a name of the plain network: "convs.0.weight" is "critic.conv0.weight"."""
    return "critic." + name.replace("convs.", "conv")


def plain_twin(one: BBF, lane: int) -> PlainDrQ:
    config = one.config
    hidden = config.hidden_size // 2
    plain = PlainDrQ(
        VALID_SHAPE, config.channels, hidden, ACTIONS, config.learning_rate, config.gradient_clip
    )
    with torch.no_grad():
        for name, parameter in plain.online.named_parameters():
            parameter.copy_(ours(one.critic, path_of(name), lane, parameter))
    plain.target.load_state_dict(plain.online.state_dict())
    return plain


def normals(one: BBF, noise: Tensor, lane: int) -> Tensor:
    return noise[lane, -PASSES * one.net.noises :].view(PASSES, -1)


def test_updates_equal_the_plain_twin():
    stacked = agent("drq", SEEDS, gradient_clip=CLIP)
    twins = [plain_twin(stacked, lane) for lane in range(2)]
    for step in range(6):
        batch, noise = given(stacked, SEEDS, step)
        stacked.update(batch, unshifted(noise, stacked))
        expected = []
        for lane, twin in enumerate(twins):
            sample = Sample(
                batch.observation[lane].float() / 255.0,
                batch.next_observation[lane].float() / 255.0,
                *(getattr(batch, x)[lane] for x in ("action", "reward", "discount", "weight")),
            )
            expected.append(twin.update(sample, normals(stacked, noise, lane)))
        metrics = stacked.pop_metrics()
        assert metrics["critic_loss"].tolist() == pytest.approx(expected, rel=2e-4)
        assert bool((metrics["critic_grad_norm"] > CLIP).all())
    state = stacked.state()
    for lane, twin in enumerate(twins):
        targets = dict(twin.target.named_parameters())
        for name, parameter in twin.online.named_parameters():
            moments = twin.adam.state[parameter]
            theirs = {
                path_of(name): parameter,
                f"target/{path_of(name)}": targets[name],
                f"adam/{path_of(name)}/mean": moments["exp_avg"],
                f"adam/{path_of(name)}/variance": moments["exp_avg_sq"],
            }
            for key, value in theirs.items():
                mine = ours(state, key, lane, value)
                torch.testing.assert_close(mine, value.detach(), atol=1e-6, rtol=1e-3, msg=key)
