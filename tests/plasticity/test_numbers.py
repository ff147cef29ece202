"""Shrink & perturb, hare & tortoise of one layer, against numbers worked out by hand."""

import pytest
import torch
from torch import Tensor

from primacy.plasticity.chain import Chain, Due
from primacy.plasticity.contract import Layer, Moments, PlasticNetwork
from primacy.plasticity.remedies import parse

THETA, PHI = (1.0, -2.0, 0.5), (0.1, 0.3, -0.2)
EVERYONE = torch.tensor([True])


def row(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values).view(1, 1, -1)


def network(value: Tensor, target: Tensor) -> PlasticNetwork:
    """One layer without bias, whose initialiser draws PHI."""
    moments = Moments(torch.zeros_like(value), torch.zeros_like(value), torch.zeros(1, 1, 1))

    def layer(weight: Tensor) -> Layer:
        size = weight.shape[-1]
        return Layer(
            "critic.0",
            "dense",
            "head",
            0,
            {"weight": weight},
            lambda _: {"weight": row(PHI)},
            size,
            1,
        )

    follower = PlasticNetwork("critic", (layer(target),), lambda name: None)
    return PlasticNetwork("critic", (layer(value),), lambda name: moments, follower)


def nobody(path: str) -> list:
    return []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("shrink=0.5", (0.55, -0.85, 0.15)),
        ("shrink=0.8", (0.82, -1.54, 0.36)),
        ("shrink=0.8,perturb=0.5", (0.85, -1.45, 0.3)),
        ("shrink=0.8,preserve_variance=true", (0.86, -1.42, 0.28)),
    ],
)
def test_shrink_and_perturb(fields: str, expected: tuple[float, ...]):
    value = row(THETA)
    text = f"shrink-perturb:every=1,networks=critic,{fields}"
    Chain([parse(text)], {"critic": network(value, row(THETA))}).apply(
        Due(0, 1, ""), EVERYONE, nobody
    )
    torch.testing.assert_close(value, row(expected))


def test_back_to_the_first_weights():
    """ "S&P 0.8" of Hare & Tortoise's code: 0.2 theta + 0.8 theta_0."""
    value = row(THETA)
    text = "shrink-perturb:every=1,networks=critic,shrink=0.2,source=initial"
    chain = Chain([parse(text)], {"critic": network(value, row(THETA))})
    value.add_(1.0)
    chain.apply(Due(0, 1, ""), EVERYONE, nobody)
    torch.testing.assert_close(value, row((1.2, -1.8, 0.7)))


HARE = (1.0, 2.0, 0.561, 1.561, 2.561, 1.122, 2.122)
TORTOISE = (0.1, 0.29, 0.561, 0.661, 0.851, 1.122, 1.222)


def test_hare_and_tortoise():
    """The hare gains 1 with each update, decay 0.9, a copy at every third. Had the copy shared its
    memory, as in the paper's code, the tortoise would stand at 1.561 after the fourth."""
    hare, tortoise = torch.zeros(1, 1, 1), torch.zeros(1, 1, 1)
    subject = {"critic": network(hare, tortoise)}
    chain = Chain([parse("hare-tortoise:every=3,shadow=target")], subject)
    for update, expected in enumerate(zip(HARE, TORTOISE, strict=True), 1):
        hare.add_(1.0)
        tortoise.lerp_(hare, 0.1)
        chain.after_step(subject["critic"])
        for due in chain.due(None, update, None, {"gradient_steps": 100}):
            chain.apply(due, EVERYONE, nobody)
        assert (hare.item(), tortoise.item()) == pytest.approx(expected, abs=1e-6), update


def test_an_own_tortoise_gives_the_same_table_once_it_is_ripe():
    """Ripe means 10 updates at this decay; until then it only follows."""
    hare = torch.zeros(1, 1, 1)
    subject = {"critic": network(hare, torch.zeros(1, 1, 1))}
    chain = Chain([parse("hare-tortoise:every=3,decay=0.9")], subject)
    fast, slow = 0.0, 0.0
    for update in range(1, 20):
        hare.add_(1.0)
        chain.after_step(subject["critic"])
        fast, slow = fast + 1.0, 0.9 * slow + 0.1 * (fast + 1.0)
        for due in chain.due(None, update, None, {"gradient_steps": 100}):
            chain.apply(due, EVERYONE, nobody)
            fast = slow if update >= 10 else fast
        assert hare.item() == pytest.approx(fast, abs=1e-5), update
