"""oneDNN's products in compiled updates, whatever the machine's processor is."""

import time
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.fx import Graph
from torch.fx.experimental.proxy_tensor import make_fx

from primacy.agents import products as module
from primacy.agents.graph import whole_graph
from primacy.agents.products import LEAST, Products, product, products

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this PyTorch was built without oneDNN"
)
SIZES = st.integers(1, 40)


def close(x: Tensor, y: Tensor) -> None:
    torch.testing.assert_close(x, y, rtol=1e-5, atol=1e-5)


@given(SIZES, SIZES, SIZES, st.integers(1, 3), st.booleans(), st.booleans())
def test_products_of_any_shape_and_strides(
    m: int, k: int, n: int, seeds: int, left: bool, right: bool
):
    x = torch.randn(seeds, k, m).mT if left else torch.randn(seeds, m, k)
    y = torch.randn(seeds, n, k).mT if right else torch.randn(seeds, k, n)
    close(products(x, y), x @ y)
    close(product(x[0], y[0]), x[0] @ y[0])


GAPS = [
    lambda m, n: torch.randn(m, n + 6)[:, :n],
    lambda m, n: torch.randn(n, m + 6)[:, :m].t(),
    lambda m, n: torch.randn(m, n, 2)[..., 1],
]


@pytest.mark.parametrize("gaps", GAPS, ids=["rows", "columns", "between"])
def test_operands_with_gaps_take_no_slow_way(gaps: Callable[[int, int], Tensor]):
    x, y = torch.randn(128, 160), torch.randn(160, 128)
    once = cpu_time(lambda: product(x, y))
    for left, right in ((gaps(128, 160), y), (x, gaps(160, 128)), (y.t(), gaps(160, 128))):
        close(product(left, right), left @ right)
        assert cpu_time(lambda a=left, b=right: product(a, b)) < 30 * once


def cpu_time(way: Callable[[], Tensor]) -> float:
    """Of the fastest of several calls, in seconds."""
    times = []
    for _ in range(8):
        begin = time.process_time()
        way()
        times.append(time.process_time() - begin)
    return min(times)


def layers(x: Tensor, y: Tensor, bias: Tensor, small: Tensor) -> tuple[Tensor, ...]:
    stacked = torch.baddbmm(bias, x, y)
    return stacked, torch.bmm(x, y), torch.addmm(bias[0], x[0], y[0]), x[0] @ y[0], x @ small


def arguments(size: int) -> tuple[Tensor, ...]:
    x, y = torch.randn(2, size, size), torch.randn(2, size, size)
    return x, y, torch.randn(2, 1, size), torch.randn(2, size, 1)


def targets(size: int) -> list[object]:
    traced = make_fx(layers, tracing_mode="fake")(*arguments(size))
    Products()(traced.graph)
    traced.recompile()
    for found, expected in zip(traced(*(a := arguments(size))), layers(*a), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)
    return [node.target for node in traced.graph.nodes if node.op == "call_function"]


def test_large_products_are_replaced_and_small_ones_stay():
    large, small = targets(round(LEAST ** (1 / 3)) + 1), targets(8)
    assert large.count(module.MANY) == 2
    assert large.count(module.ONE) == 2
    assert torch.ops.aten.bmm.default in large  # Times one column.
    assert module.MANY not in small
    assert module.ONE not in small


def test_compiled_functions_use_them(monkeypatch: pytest.MonkeyPatch):
    """Through the compiler as updates go, gradients included, on any processor."""
    used: list[object] = []

    class Seen(Products):
        def __call__(self, graph: Graph) -> None:
            super().__call__(graph)
            used.extend(node.target for node in graph.nodes)

        def uuid(self) -> None:
            """A cached graph would not be seen."""

    monkeypatch.setattr(module, "suits", lambda: True)
    monkeypatch.setattr(module, "Products", Seen)
    size = 104
    weight, x = torch.randn(2, size, size), torch.randn(2, size, size)

    def loss(weight: Tensor) -> Tensor:
        return torch.relu(torch.bmm(torch.relu(torch.bmm(x, weight)), weight)).sum()

    gradient = torch.func.grad(loss)
    found = whole_graph(gradient, torch.device("cpu"))(weight)
    torch.testing.assert_close(found, gradient(weight), rtol=1e-4, atol=1e-2)
    assert used.count(module.MANY) == 5  # Two forwards, two weight gradients, one of the input.
    assert torch.ops.aten.bmm.default not in used
