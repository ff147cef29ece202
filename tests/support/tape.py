"""Recordings on a CPU: what a CUDA graph does, one PyTorch operation at a time.

A replay calls the recorded operations again, on the same memory and with the same numbers from
Python, and puts results where those of the recording lie.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from primacy.agents import stacked
from primacy.agents.captured import Captured

R = TypeVar("R")

FROM_PYTHON = (torch.ops.aten.lift_fresh.default, torch.ops.aten._local_scalar_dense.default)
"""A tensor made of Python's numbers, or numbers of a tensor: CUDA records neither."""


def tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors(part)


def memory(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()


class Tape(TorchDispatchMode):
    """A Recording."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self.replays = 0
        self._before: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func not in FROM_PYTHON, f"{func} cannot be recorded"
        named = kwargs or {}
        given = [*tensors(args), *tensors(list(named.values()))]
        if func._schema.is_mutable:
            for value in given:
                whole = value.new_empty(0).set_(value.untyped_storage())
                self._before.setdefault(memory(value), (whole, whole.clone()))
        result = func(*args, **named)
        held = {memory(value) for value in given}
        own = [value for value in tensors(result) if memory(value) not in held]
        self.calls.append((func, args, named, own))
        return result

    def warm_up(self, work: Callable[[], R]) -> R:
        return work()

    def record(self, work: Callable[[], R]) -> R:
        with self:
            result = work()
        for whole, before in self._before.values():
            whole.copy_(before)
        return result

    @torch.no_grad()
    def replay(self) -> None:
        self.replays += 1
        for func, args, named, own in self.calls:
            again = list(tensors(func(*args, **named)))
            for place, value in zip(own, again if own else (), strict=True):
                place.copy_(value)


def recording(monkeypatch: pytest.MonkeyPatch) -> list[Tape]:
    """From now on every agent that is told to compile its update records it, on one of these."""
    tapes: list[Tape] = []

    def captured(step: Callable[..., Any], device: torch.device) -> Captured[Any]:
        tapes.append(Tape())
        return Captured(step, tapes[-1])

    monkeypatch.setattr(stacked, "whole_graph", captured)
    return tapes
