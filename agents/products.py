"""Matrix products of compiled updates by oneDNN, where MKL takes twice as long.

PyTorch multiplies float32 matrices with MKL on x86, and convolves with oneDNN. On an AMD EPYC with
AVX-512 oneDNN's 256 x 256 x 256 product takes 0.47 of MKL's time, and a SAC update at 2x256 with it
0.63. Intel's processors, which MKL is made for, keep MKL.
"""

import platform
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files
from torch.fx import Graph, Node

LEAST = 2**20
"""Multiplications of a product from which on oneDNN's larger costs of a call are repaid."""

_CPUINFO = Path("/proc/cpuinfo")

_library = torch.library.Library("primacy", "DEF")
_library.define("product(Tensor x, Tensor y) -> Tensor")
_library.define("products(Tensor x, Tensor y) -> Tensor")


def suits() -> bool:
    """Whether this is AMD's with AVX-512: the machine alone decides, so that a run that goes on
    multiplies as before."""
    if not torch.backends.mkldnn.is_available():
        return False
    maker = _CPUINFO.read_text() if _CPUINFO.exists() else platform.processor()
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and "AuthenticAMD" in maker


def product(x: Tensor, y: Tensor) -> Tensor:
    """x [M, K] times y [K, N], float32 on the CPU, of any strides; has no gradient.

    oneDNN takes x row by row or column by column and y without gaps; for anything else it falls
    back to a loop that takes a thousand times as long, so such operands are copied.
    """
    left = x if 1 in x.stride() else x.contiguous()
    right = y if y.is_contiguous() or y.t().is_contiguous() else y.contiguous()
    return torch.ops.mkldnn._linear_pointwise(left, right.t(), None, "none", [], "")


def products(x: Tensor, y: Tensor) -> Tensor:
    """x [S, M, K] times y [S, K, N], pair by pair."""
    if len(x) == 1:
        return product(x[0], y[0]).unsqueeze(0)
    return torch.stack([product(one, other) for one, other in zip(x, y, strict=True)])


_library.impl("product", product, "CPU")
_library.impl("products", products, "CPU")


@torch.library.register_fake("primacy::product", lib=_library)
def _(x: Tensor, y: Tensor) -> Tensor:
    return x.new_empty(x.shape[0], y.shape[1])


@torch.library.register_fake("primacy::products", lib=_library)
def _(x: Tensor, y: Tensor) -> Tensor:
    return x.new_empty(*x.shape[:2], y.shape[2])


ONE, MANY = torch.ops.primacy.product.default, torch.ops.primacy.products.default
PLAIN: dict[Any, Callable[..., Tensor]] = {
    torch.ops.aten.mm.default: ONE,
    torch.ops.aten.bmm.default: MANY,
}
BIASED: dict[Any, Callable[..., Tensor]] = {
    torch.ops.aten.addmm.default: ONE,
    torch.ops.aten.baddbmm.default: MANY,
}
"""What stands for each product of the compiler's graphs; biases are added by what comes next."""


class Products(CustomGraphPass):
    """Puts oneDNN's products into a graph, as the compiler's last pass over it."""

    def __call__(self, graph: Graph) -> None:
        """Replaces the large products of float32 matrices on the CPU."""
        for node in list(graph.nodes):
            if node.target in PLAIN and _large(*node.args):
                _replace(graph, node, PLAIN[node.target], node.args)
            elif node.target in BIASED and not node.kwargs and _large(*node.args[1:]):
                _replace(graph, node, BIASED[node.target], node.args[1:], node.args[0])
        graph.lint()

    def uuid(self) -> Hashable:
        """What compiled graphs are cached by, beside their own content."""
        return get_hash_for_files((__file__,))


def _large(x: Any, y: Any) -> bool:
    left, right = x.meta["val"], y.meta["val"]
    of_cpu = left.device.type == "cpu" and left.dtype == right.dtype == torch.float32
    return of_cpu and left.shape[-2] * left.shape[-1] * right.shape[-1] >= LEAST


def _replace(
    graph: Graph, node: Node, by: Callable[..., Tensor], pair: Any, bias: Any = None
) -> None:
    with graph.inserting_before(node):
        new = graph.call_function(by, pair)
        new.meta.update(node.meta)
        if bias is not None:
            new = graph.call_function(torch.ops.aten.add.Tensor, (new, bias))
            new.meta.update(node.meta)
    node.replace_all_uses_with(new)
    graph.erase_node(node)
