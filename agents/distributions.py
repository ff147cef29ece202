"""The tanh-Gaussian policy of SAC, evaluated from pre-tanh values (SPEC of the study, equations 1
to 3)."""

from math import log, pi

import torch
import torch.nn.functional as F
from torch import Tensor

LOG_STD_LOW, LOG_STD_HIGH = -10.0, 2.0


def tanh_log_std(raw: Tensor) -> Tensor:
    """Squash raw log-stds to [-10, 2] by tanh (eq. 1, rl_with_resets): the gradient never vanishes
    as a clip's does."""
    return LOG_STD_LOW + 0.5 * (LOG_STD_HIGH - LOG_STD_LOW) * (1.0 + torch.tanh(raw))


def clip_log_std(raw: Tensor, low: float = LOG_STD_LOW, high: float = LOG_STD_HIGH) -> Tensor:
    """Clip raw log-stds, to [-10, 2] if nothing else is said (jaxrl's main branch)."""
    return raw.clamp(low, high)


LOG_STD_BOUNDS = {"tanh": tanh_log_std, "clip": clip_log_std}


def tanh_gaussian(mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Reparameterised actions [..., A] in (-1, 1) and their log densities [...] (eq. 2 and 3).

    The density is computed from the pre-tanh value that made the action, never from atanh(action):
    the action is 1 to float32 precision at u = 9 already.
    """
    u = mean + log_std.exp() * noise
    per_dimension = (
        -0.5 * noise.square()
        - log_std
        - 0.5 * log(2.0 * pi)
        - 2.0 * (log(2.0) - u - F.softplus(-2.0 * u))
    )
    return torch.tanh(u), per_dimension.sum(-1)
