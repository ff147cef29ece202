"""Schedules of value-based agents: exploration by environment step, horizon by update."""

from math import log

import torch
from torch import Tensor


def epsilon(step: int, warmup: int, decay: int, final: float) -> float:
    """The share of random actions at an env step, counted from 0: 1 during `warmup` steps, then
    linearly to `final` over `decay` steps (Dopamine's linearly_decaying_epsilon)."""
    left = (1.0 - final) * (decay + warmup - step) / decay
    return final + min(max(left, 0.0), 1.0 - final)


def annealed(updates: Tensor, period: int, first: float, last: float) -> Tensor:
    """Geometrically from `first` at 0 to `last` at `period` updates and after it: float64, shaped
    like `updates` (Schwarzer et al. 2023; BBF's exponential_decay_scheduler)."""
    share = ((period - updates.double()) / period).clamp(0.0, 1.0)
    return torch.exp(share * (log(first) - log(last)) + log(last))


def annealed_discount(updates: Tensor, period: int, first: float, last: float) -> Tensor:
    """1 - discount goes geometrically from 1 - first to 1 - last."""
    return 1.0 - annealed(updates, period, 1.0 - first, 1.0 - last)


def epsilon_greedy(greedy: Tensor, noise: Tensor, actions: int) -> Tensor:
    """A random action where u <= epsilon: int64 [...] and noise [..., 3] of epsilon, u and v, the
    last two uniform on [0, 1]; v picks the random action."""
    share, u, v = noise[..., :3].unbind(-1)
    random = (v * actions).long().clamp(max=actions - 1)
    return torch.where(u <= share, random, greedy)
