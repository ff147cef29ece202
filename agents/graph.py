"""The whole update as one compiled graph, on a GPU launched as one."""

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

import torch

from primacy.agents.captured import Captured, CudaGraph

P = ParamSpec("P")
R = TypeVar("R")

SELF = "L['self']"
"""How the compiler calls whatever hangs on the agent itself."""


def _guards_of_arguments(guards: Sequence[Any]) -> list[bool]:
    return [SELF not in guard.name for guard in guards]


def whole_graph(update: Callable[P, R], device: torch.device) -> Callable[P, R]:
    """Compile an agent's bound method `update` as one graph for arguments of one shape.

    Only the arguments are checked again at each call. Everything that hangs on the agent is fixed
    from its first compiled update on: its tensors are edited in place and never replaced. Checking
    all of them as well costs a tenth of a small update, and so does a wrapper in Python.
    """
    options: dict[str, Any] = {"guard_filter_fn": _guards_of_arguments}
    if device.type == "cpu":
        # Here, for it loads the compiler: no run that is not compiled should wait for that.
        from primacy.agents.products import Products, suits

        options["cpp_wrapper"] = True
        if suits():
            options["post_grad_custom_post_pass"] = Products()
    compiled = torch.compile(update, fullgraph=True, dynamic=False, options=options)
    if device.type != "cuda":
        return compiled
    return cast("Callable[P, R]", Captured(compiled, CudaGraph(device)))
