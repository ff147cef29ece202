"""An update recorded once and replayed: on a GPU its hundreds of kernels are launched as one.

Interventions, probes and checkpoints act between the replays, in place; a recording reads and
writes memory, not Python's variables.
"""

from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

R = TypeVar("R")

WARM_UPS = 3
"""Updates before the recording: libraries claim workspaces and choose kernels in the first ones
(PyTorch's notes on CUDA graphs)."""


class Recording(Protocol):
    """What work does to memory, kept to be done again."""

    def warm_up(self, work: Callable[[], R]) -> R:
        """Do the work where it will be recorded, unrecorded."""
        ...

    def record(self, work: Callable[[], R]) -> R:
        """Record the work without doing it; a tensor that it returns holds its result after each
        replay."""
        ...

    def replay(self) -> None:
        """Do the recorded work on what its memory holds now."""
        ...


class CudaGraph:
    """A Recording by CUDA, of the work of one device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._graph = torch.cuda.CUDAGraph()
        self._stream = torch.cuda.Stream(device)

    def warm_up(self, work: Callable[[], R]) -> R:
        """See Recording."""
        outside = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(outside)
        with torch.cuda.stream(self._stream):
            result = work()
        outside.wait_stream(self._stream)
        return result

    def record(self, work: Callable[[], R]) -> R:
        """See Recording."""
        # Runs of one stack live in threads of their own, and may copy while this one records.
        with torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode="thread_local"):
            return work()

    def replay(self) -> None:
        """See Recording."""
        self._graph.replay()


class Captured(Generic[R]):
    """An update that becomes a recording after a few calls; each call is one update."""

    def __init__(self, update: Callable[..., R], recording: Recording) -> None:
        """`update` takes tensors, or tuples of them, always of the same shapes; it edits tensors in
        place and holds nothing else that changes from call to call."""
        self._update = update
        self._recording = recording
        self._warm_ups = WARM_UPS
        self._given: tuple[Any, ...] = ()
        self._result: R | None = None
        self._recorded = False

    def __call__(self, *given: Any) -> R:
        """One update. What it returns is overwritten by the next one.

        Raises ValueError where shapes are not those of the first call.
        """
        self._take(given)
        if self._warm_ups:
            self._warm_ups -= 1
            return self._recording.warm_up(self._work)
        if not self._recorded:
            self._result = self._recording.record(self._work)
            self._recorded = True
        self._recording.replay()
        return self._result  # pyright: ignore[reportReturnType]

    def _work(self) -> R:
        return self._update(*self._given)

    def _take(self, given: tuple[Any, ...]) -> None:
        """Copy what is given to where the recording reads it."""
        if not self._given:
            self._given = _copied(given)
        for mine, other in zip(_tensors(self._given), _tensors(given), strict=True):
            if mine.shape != other.shape:
                raise ValueError(
                    f"an update of {list(other.shape)} after one of {list(mine.shape)}"
                )
            mine.copy_(other, non_blocking=True)


def _tensors(given: Any) -> Iterator[Tensor]:
    if isinstance(given, Tensor):
        yield given
        return
    for part in given:
        yield from _tensors(part)


def _copied(given: Any) -> Any:
    """The same, of new tensors; NamedTuples stay what they are."""
    if isinstance(given, Tensor):
        return given.clone(memory_format=torch.contiguous_format)
    parts = [_copied(part) for part in given]
    return type(given)(*parts) if hasattr(given, "_fields") else tuple(parts)
