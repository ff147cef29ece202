"""The stacked Adam against torch.optim.Adam, one per seed or per element."""

import pytest
import torch

from primacy.agents.optimiser import Adam


@pytest.mark.parametrize("step", [0, 1, 10, 1_000, 1_000_000])
def test_corrections_keep_their_digits(step: int):
    adam = Adam()
    [moments] = adam.initialise({"w": torch.zeros(1, 2, 2)}).values()
    moments.step.fill_(step)
    [(one, two)] = adam.corrections([moments])
    assert one.item() == pytest.approx(1 - 0.9 ** (step + 1), rel=2e-7)
    assert two.item() == pytest.approx(1 - 0.999 ** (step + 1), rel=2e-7)


def test_corrections_have_the_shapes_of_their_counters():
    adam = Adam()
    values = {"w": torch.zeros(2, 3, 4, 5), "b": torch.zeros(2, 3, 1, 5)}
    shared = adam.initialise(values)
    own = adam.initialise(values, elementwise=True)
    for moments, ((one, two), *_) in [
        (shared["w"], adam.corrections([shared["w"], own["b"]])),
        (own["w"], adam.corrections([own["w"], shared["b"]])),
    ]:
        assert one.shape == two.shape == moments.step.shape


@pytest.mark.parametrize("elementwise", [False, True])
def test_a_seed_reset_alone_starts_its_own_corrections(elementwise: bool):
    adam = Adam(learning_rate=1e-2)
    value = torch.zeros(2, 3)
    [moments] = adam.initialise({"w": value}, elementwise).values()
    alive = torch.tensor([True, True])
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(8, 2, 3, generator=generator)
    for k, gradient in enumerate(gradients):
        if k == 5:
            for part in (value, *moments):
                part[1] = 0.0
        [factors] = adam.corrections([moments])
        adam.step(value, gradient, moments, factors, value, alive)
    for seed, first in ((0, 0), (1, 5)):
        twin = torch.zeros(3, requires_grad=True)
        theirs = torch.optim.Adam([twin], lr=1e-2)
        for gradient in gradients[first:]:
            twin.grad = gradient[seed]
            theirs.step()
        torch.testing.assert_close(value[seed], twin.detach(), rtol=1e-5, atol=1e-7)
