"""Losses, targets, augmentation and schedules against the check values of the specification."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from primacy.agents.exploration import annealed, annealed_discount, epsilon
from primacy.agents.optimiser import Adam, polyak
from primacy.agents.value_losses import (
    chosen,
    cosine_loss,
    cross_entropy,
    dueling,
    expectation,
    huber,
    intensity,
    project,
    renormalise,
    scale_gradient,
    self_prediction_loss,
    support,
    weighted_loss,
)


def tensor(*values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def near(*values):
    return pytest.approx(list(values), abs=1e-9)


@pytest.mark.parametrize(
    ("reward", "discount", "result", "mean"),
    [
        (0.3, 0.9, (0.05, 0.17, 0.29, 0.29, 0.20), 0.42),
        (1.0, 0.81, (0, 0.062, 0.2, 0.3855, 0.3525), 1.0285),
        (0.3, 0.0, (0, 0, 0.7, 0.3, 0), 0.3),
        (1.7, 0.9, (0, 0.01, 0.13, 0.25, 0.61), 1.46),
    ],
)
def test_projection_on_five_atoms(reward, discount, result, mean):
    z, p = tensor(-2, -1, 0, 1, 2), tensor(0.1, 0.2, 0.3, 0.25, 0.15)
    m = project(p, tensor(reward)[0], tensor(discount)[0], z)
    assert m.tolist() == near(*result)
    assert (m * z).sum().item() == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize(
    ("reward", "discount", "expected"),
    [
        (1.0, 0.97**10, {31: 0.8128793655, 32: 0.1871206345}),
        (1.0, 0.0, {27: 0.5, 28: 0.5}),
        (-1.0, 0.997**3, {27: 0.544865135, 28: 0.455134865}),
        (9.5, 0.997**3, {50: 1.0}),
    ],
)
def test_projection_of_one_atom(reward, discount, expected):
    z = support(10.0, 51, tensor(0.0))
    p = torch.zeros(51, dtype=torch.float64)
    p[30] = 1.0
    m = project(p, tensor(reward)[0], tensor(discount)[0], z)
    assert {i: x for i, x in enumerate(m.tolist()) if x > 1e-12} == pytest.approx(
        expected, abs=2e-9
    )


def test_projection_of_a_uniform_distribution():
    z = support(10.0, 51, tensor(0.0))
    p = torch.full((51,), 1 / 51, dtype=torch.float64)
    m = project(p, tensor(5.0)[0], tensor(0.97**10)[0], z)
    assert m[50].item() == pytest.approx(0.1823291378, abs=1e-9)
    assert (m * z).sum().item() == pytest.approx(4.7892301178, abs=1e-9)
    assert m.sum().item() == pytest.approx(1.0, abs=1e-12)


def test_dueling_check_values():
    value = tensor([0.1, -0.2, 0.3])
    advantage = tensor([1, 0, -1], [0.5, 0.5, 0.5], [0, 2, -1], [-1, -0.5, 0.25])
    logits = dueling(value, advantage)
    assert logits[0].tolist() == near(0.975, -0.7, -0.3875)
    assert logits[1].tolist() == near(0.475, -0.2, 1.1125)
    assert logits[2].tolist() == near(-0.025, 1.3, -0.3875)
    assert logits[3].tolist() == near(-1.025, -1.2, 0.8625)
    q = expectation(logits, tensor(-1, 0, 1))
    assert q.tolist() == near(-0.5154615022, 0.2622085534, -0.0557088713, 0.6636630171)
    assert logits[0].softmax(-1).tolist() == near(0.6928431560, 0.1297751902, 0.1773816538)
    assert q.argmax().item() == 3


def test_double_target_check_value():
    """R 0.99 and factor 0.970299: the online net chooses, the target net says how good it is."""
    online, target = tensor(0.2, 0.9, 0.4), tensor(1.5, 0.7, 2.0)
    value = chosen(target[None, :, None], online.argmax(-1, keepdim=True)).squeeze()
    assert (0.99 + 0.970299 * value).item() == pytest.approx(1.6692093, abs=1e-9)


def test_losses_of_values():
    logits = tensor([[0.3, -1.0, 2.0], [0.1, 0.2, 0.3]])[0]
    target = tensor([0.2, 0.5, 0.3], [1, 0, 0])
    expected = F.cross_entropy(logits, target, reduction="none")
    torch.testing.assert_close(cross_entropy(target, logits), expected)
    assert huber(tensor(0, 0, 0), tensor(0.5, -1, 3)).tolist() == near(0.125, 0.5, 2.5)
    values = torch.arange(12.0).view(1, 2, 3, 2)
    assert chosen(values, torch.tensor([[2, 0]])).tolist() == [[[4, 5], [6, 7]]]


def test_self_prediction_check_values():
    first = ([1, 2, 2, 0], [0, 3, 4, 0], [1, 1, 1, 1])
    second = ([2, 0, 0, 0], [0, -1, 0, 0], [1, -1, 1, -1])
    goal_one = ([2, 1, 2, 0], [0, 4, 3, 0], [1, 1, 1, -1])
    goal_two = ([0, 1, 0, 0], [0, 1, 0, 0], [2, -2, 2, -2])
    y, goal = tensor(first, second), tensor(goal_one, goal_two)
    jumps = cosine_loss(y, goal)
    assert jumps[0].tolist() == near(2 / 9, 0.08, 1)
    assert jumps[1].tolist() == near(2, 4, 0)
    loss = self_prediction_loss(y, goal, tensor([1, 1, 1], [1, 0, 0]))
    assert loss.tolist() == near(0.4340740741, 0.6666666667)
    strict = self_prediction_loss(y, goal, tensor([1, 1, 1], [0, 0, 0]))
    assert strict.tolist() == near(0.4340740741, 0)
    total = weighted_loss(tensor([1, 0.5]), tensor([3.2, 2.5]), loss[None], 5.0)
    assert total.tolist() == near(4.1435185185)


def test_cosine_of_nothing_is_finite():
    y = torch.zeros(2, 3, requires_grad=True)
    cosine_loss(y, torch.ones(2, 3)).sum().backward()
    assert y.grad is not None
    assert y.grad.isfinite().all()


def test_renormalise_check_values():
    x = tensor(0, 1, 3, 2).view(1, 1, 2, 2).requires_grad_()
    found = renormalise(x)
    assert found.flatten().tolist() == near(0, 0.3333322222, 0.9999966667, 0.6666644445)
    found[0, 0, 0, 1].backward()
    assert x.grad is not None
    assert x.grad[0, 0, 0, 0] != 0  # through the minimum
    assert x.grad[0, 0, 1, 0] != 0  # and the maximum
    assert not renormalise(torch.full((2, 3, 4, 5), 7.0)).any()


def test_ema_check_values():
    target, alive = tensor([0.0, 0.0]), torch.ones(1, dtype=torch.bool)
    value = tensor([1.0, -2.0])
    polyak(target, value, 0.005, alive)
    assert target[0].tolist() == near(0.005, -0.01)
    for _ in range(2):
        polyak(target, value, 0.005, alive)
    assert target[0].tolist() == near(0.014925125, -0.02985025)
    for _ in range(197):
        polyak(target, value, 0.005, alive)
    assert target[0, 0].item() == pytest.approx(0.6330421782, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "expected"), [("q.weight", 1.9998800499750), ("q.bias", 1.9999000499750)]
)
def test_adamw_check_values(name, expected):
    adam = Adam(1e-4, epsilon=1.5e-4, weight_decay=0.1)
    value, gradient = tensor([2.0]), tensor([0.3])
    moments = adam.initialise({name: value})[name]
    start = adam.decay(name, value, 1e-4)
    alive = torch.ones(1, dtype=torch.bool)
    adam.step(value, gradient, moments, adam.corrections([moments])[0], start, alive)
    assert value.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("updates", "raw", "n", "discount", "product"),
    [
        (0, 10, 10, 0.97, 0.737424127),
        (500, 9.415775, 9, 0.973262472, 0.783555565),
        (1000, 8.865682, 9, 0.976170153, 0.804877380),
        (2000, 7.860031, 8, 0.981071280, 0.858231592),
        (2500, 7.400828, 7, 0.983129760, 0.887719786),
        (4000, 6.178009, 6, 0.988056785, 0.930446547),
        (5000, 5.477226, 5, 0.990513167, 0.953457337),
        (6000, 4.855934, 5, 0.992464341, 0.962885302),
        (7500, 4.053600, 4, 0.994665162, 0.978830804),
        (9000, 3.383835, 3, 0.996223224, 0.988712410),
        (10000, 3, 3, 0.997, 0.991026973),
        (50000, 3, 3, 0.997, 0.991026973),
    ],
)
def test_annealing_check_values(updates, raw, n, discount, product):
    counter = torch.tensor([float(updates)])
    found = annealed(counter, 10_000, 10, 3).item()
    assert found == pytest.approx(raw, abs=6e-7)
    assert round(found) == n
    gamma = annealed_discount(counter, 10_000, 0.97, 0.997).item()
    assert gamma == pytest.approx(discount, abs=6e-10)
    assert gamma**n == pytest.approx(product, abs=6e-10)


def test_annealing_steps():
    counters = torch.arange(10_001)
    n = annealed(counters, 10_000, 10, 3).round()
    first = [int((n == k).nonzero()[0, 0]) for k in (9, 8, 7, 6, 5, 4, 3)]
    assert first == [427, 1350, 2390, 3579, 4966, 6633, 8720]


def test_exploration_check_values():
    bbf = [epsilon(step, 2000, 2001, 0.0) for step in (0, 2000, 2001, 3000, 4000, 4001, 9000)]
    assert bbf == pytest.approx([1, 1, 2000 / 2001, 1001 / 2001, 1 / 2001, 0, 0], abs=1e-12)
    drq = [epsilon(step, 1600, 5000, 0.01) for step in (0, 1600, 4100, 6600, 99_999)]
    assert drq == pytest.approx([1, 1, 0.505, 0.01, 0.01], abs=1e-12)
    assert [epsilon(step, 2000, 1, 0.0) for step in (2000, 2001)] == [1.0, 0.0]


def test_intensity():
    images = torch.ones(4, 2, 3, 3)
    found = intensity(images, torch.tensor([0.0, 1.0, -9.0, 9.0]), 0.05)
    assert found[:, 0, 0, 0].tolist() == pytest.approx([1.0, 1.05, 0.9, 1.1])
    assert torch.equal(found[1], found[1, :1, :1, :1].expand(2, 3, 3))


def test_scaled_gradients():
    x = torch.tensor([3.0], requires_grad=True)
    y = scale_gradient(x, 0.25)
    (2.0 * y).sum().backward()
    assert (y.item(), x.grad) == (3.0, torch.tensor([0.5]))
