"""The whole update as one compiled graph, on a GPU launched as one."""

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import torch

from primacy.agents.captured import Captured, CudaGraph

P = ParamSpec("P")
R = TypeVar("R")


def whole_graph(update: Callable[P, R], device: torch.device) -> Callable[P, R]:
    """Compile an agent's bound method `update` as one graph for arguments of one shape; on a GPU it
    is recorded, too, and replayed."""
    options = OPTIONS[device.type]()
    # All agents share the code around `update`: the ninth in a process would be refused.
    alone: dict[str, Any] = {"isolate_recompiles": True} if _apart() else {}
    compiled = torch.compile(update, fullgraph=True, dynamic=False, options=options, **alone)
    if device.type != "cuda":
        return compiled
    return cast("Callable[P, R]", Captured(compiled, CudaGraph(device)))


def _apart() -> bool:
    """Whether this PyTorch (2.13) can count each compiled function's recompilations apart."""
    return "isolate_recompiles" in inspect.signature(torch.compile).parameters


def _on_cpu() -> dict[str, Any]:
    # Here, for it loads the compiler: no run that is not compiled should wait for that.
    from primacy.agents.products import Products, suits

    products = {"post_grad_custom_post_pass": Products()} if suits() else {}
    return {"cpp_wrapper": True, **products}


def _on_cuda() -> dict[str, Any]:
    from torch._inductor import config

    # Kernels that are chosen by their speed would add in another order after a restart.
    return {"deterministic": True} if hasattr(config, "deterministic") else {}


OPTIONS: dict[str, Callable[[], dict[str, Any]]] = {"cpu": _on_cpu, "cuda": _on_cuda}
"""Of the compiler, by type of device."""
