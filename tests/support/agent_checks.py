"""What every agent owes beside its losses, whatever it learns: seeds apart, storages, probes."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

Given = Callable[[tuple[int, ...], int], tuple[Any, torch.Tensor]]
"""Seeds and a step -> the batch and the noise of that update."""
RUNNING = ("sums", "updates")
"""What is not of a seed: metrics since they were last read."""


def assert_alone(
    together: Any, alone: Sequence[Any], given: Given, seeds: Sequence[int], steps: int, near: float
) -> None:
    """Each seed of a stack becomes what it becomes alone, to `near` and a relative 1e-3 or it."""
    for step in range(steps):
        together.update(*given(tuple(seeds), step))
        for one, seed in zip(alone, seeds, strict=True):
            one.update(*given((seed,), step))
    for lane, one in enumerate(alone):
        for name, value in one.state().items():
            if not name.startswith(RUNNING):
                mine = together.state()[name][lane]
                torch.testing.assert_close(
                    mine, value[0], atol=near, rtol=max(near, 1e-3), msg=name
                )


def assert_nan_stays(
    clean: Any, dirty: Any, given: Given, seeds: Sequence[int], network: str, column: str, at: int
) -> None:
    """A NaN in one entry of seed 0's batch number `at` freezes that seed where
    it stood, and leaves every bit of the others as without it."""
    kept: dict[str, torch.Tensor] = {}
    for step in range(2 * at + 1):
        batch, noise = given(tuple(seeds), step)
        clean.update(batch, noise)
        if step == at:
            kept = {name: x[0].clone() for name, x in dirty.parameters[network].items()}
            poisoned = getattr(batch, column).clone()
            poisoned[0, 1] = float("nan")
            batch = batch._replace(**{column: poisoned})
        dirty.update(batch, noise)
    assert dirty.alive.tolist() == [False, *[True] * (len(seeds) - 1)]
    for name, value in dirty.parameters[network].items():
        assert torch.equal(value[0], kept[name]), name
    for name, value in clean.state().items():
        if name not in ("alive", *RUNNING):
            assert torch.equal(value[1:], dirty.state()[name][1:]), name
            assert dirty.state()[name].isfinite().all(), name


def assert_in_place(one: Any, batch: Any, noise: torch.Tensor) -> None:
    """Compiled graphs and optimiser state hold on to storages: no update may rebind one."""
    pointers = {name: value.data_ptr() for name, value in one.state().items()}
    one.update(batch, noise)
    assert pointers == {name: value.data_ptr() for name, value in one.state().items()}
    assert all(value.is_contiguous() for value in one.state().values())


def assert_probe_reads(one: Any, batch: Any, noise: torch.Tensor) -> dict[str, Any]:
    """A probe gives finite figures [S] of the agent's networks and changes nothing."""
    before = {name: value.clone() for name, value in one.state().items()}
    figures = one.probe(batch, noise)
    assert set(figures) <= set(one.networks())
    for values in figures.values():
        assert all(x.shape == (one.num_seeds,) and x.isfinite().all() for x in values.values())
    assert all(torch.equal(value, before[name]) for name, value in one.state().items())
    return figures
