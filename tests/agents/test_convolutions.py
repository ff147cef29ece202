"""Convolutions of stacks against PyTorch's layers."""

from math import sqrt

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from primacy.agents.convolutions import (
    Impala,
    Nature,
    StackedConv,
    by_axes,
    max_pool,
    same_padding,
)
from primacy.agents.noisy import NoisyLinear, factor

torch.set_num_threads(1)


def draws(count: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(count)]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "sides"),
    [
        (84, 8, 4, (2, 2)),
        (21, 4, 2, (1, 2)),
        (11, 3, 1, (1, 1)),
        (84, 3, 2, (0, 1)),
        (42, 3, 2, (0, 1)),
        (21, 3, 2, (1, 1)),
    ],
)
def test_same_padding_check_values(size, kernel, stride, sides):
    assert same_padding(size, kernel, stride) == sides


@given(st.integers(3, 40), st.integers(1, 8), st.integers(1, 4))
def test_same_padding_gives_the_size(size, kernel, stride):
    total = size + sum(same_padding(size, kernel, stride))
    windows = (total - kernel) // stride + 1
    assert windows == -(-size // stride) or kernel < stride


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_stack_is_its_convolutions(padding):
    conv = StackedConv("c", (3, 11, 9), 5, 4, 2, padding)
    parameters = {f"c.{role}": value for role, value in conv.initialise(draws(2)).items()}
    parameters["c.bias"] = torch.randn(2, 1, 5)
    images = torch.randn(2, 4, 3, 11, 9)
    found = torch.stack(conv.forward(parameters, images.unbind(0)))
    assert found.shape == (2, 4, *conv.output)
    for seed in range(2):
        # Row c * 16 + i * 4 + j of the weight is position (i, j) of channel c.
        weight = parameters["c.weight"][seed]
        kernel = torch.empty(5, 3, 4, 4)
        for o in range(5):
            for c in range(3):
                kernel[o, c] = weight[c * 16 : c * 16 + 16, o].view(4, 4)
        sides = (1, 2, 1, 2) if padding == "same" else (0, 0, 0, 0)
        expected = F.conv2d(F.pad(images[seed], sides), kernel, parameters["c.bias"][seed, 0], 2)
        torch.testing.assert_close(found[seed], expected, atol=1e-5, rtol=1e-5)


def test_pools_pad_even_sizes_after_the_image():
    image = torch.zeros(1, 1, 4, 4)
    image[..., 0, 0], image[..., 3, 3] = 5.0, 7.0
    (pooled,) = max_pool([image - 9.0], (1, 4, 4))
    assert pooled[0, 0].tolist() == [[-4.0, -9.0], [-9.0, -2.0]]
    (odd,) = max_pool([torch.arange(25.0).view(1, 1, 5, 5)], (1, 5, 5))
    assert odd[0, 0].tolist() == [[6.0, 8.0, 9.0], [16.0, 18.0, 19.0], [21.0, 23.0, 24.0]]


@pytest.mark.parametrize("levels", [3, 1000])
def test_pooling_by_axes_is_pooling(levels: int):
    # Few levels: many ties, of which the first in reading order wins.
    shape = (5, 3, 21, 15)
    x = torch.randint(0, levels, shape, generator=torch.Generator().manual_seed(0)).double()
    up = torch.randn(5, 3, 10, 7, dtype=torch.float64)
    found = []
    for pool in (by_axes, lambda x: F.max_pool2d(x, 3, 2)):
        image = x.clone().requires_grad_()
        pooled = pool(image)
        pooled.backward(up)
        found.append((pooled.detach(), image.grad))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1], atol=1e-13, rtol=1e-13)


def test_shapes_of_encoders():
    impala = Impala("q", (4, 84, 84))
    assert [first.output for first, _ in impala.stages()] == [
        (64, 84, 84),
        (128, 42, 42),
        (128, 21, 21),
    ]
    assert len(impala.nodes()) == 15
    assert impala.output == (128, 11, 11)
    same, valid = Nature("q", (4, 84, 84)), Nature("q", (4, 84, 84), padding="valid")
    assert [node.conv.output[1] for node in same.nodes()] == [21, 11, 11]
    assert [node.conv.output[1] for node in valid.nodes()] == [20, 9, 7]


def test_glorot_counts_the_window():
    conv = StackedConv("c", (6, 9, 9), 8, 3)
    weight = conv.initialise(draws(1))["weight"]
    bound = sqrt(6.0 / (6 * 9 + 8 * 9))
    assert weight.abs().max().item() == pytest.approx(bound, rel=0.02)
    theirs = torch.empty(8, 6, 3, 3)
    torch.nn.init.xavier_uniform_(theirs)
    assert theirs.abs().max().item() == pytest.approx(bound, rel=0.02)


def test_noisy_layers():
    layer = NoisyLinear("n", 16, 3, 0.5)
    parameters = {f"n.{role}": value for role, value in layer.initialise(draws(2)).items()}
    assert parameters["n.weight_sigma"].unique().tolist() == [0.125]
    assert parameters["n.weight"].abs().max() <= 0.25
    x, noise = torch.randn(2, 5, 16), torch.randn(2, 19)
    plain = layer.forward(parameters, x)
    noisy = layer.forward(parameters, x, noise)
    for seed in range(2):
        a, b = factor(noise[seed, :16]), factor(noise[seed, 16:])
        weight = parameters["n.weight"][seed] + 0.125 * torch.outer(a, b)
        bias = parameters["n.bias"][seed, 0] + 0.125 * b
        torch.testing.assert_close(noisy[seed], x[seed] @ weight + bias)
        mean = x[seed] @ parameters["n.weight"][seed] + parameters["n.bias"][seed, 0]
        torch.testing.assert_close(plain[seed], mean)
    assert factor(torch.tensor([-4.0, 9.0])).tolist() == [-2.0, 3.0]
