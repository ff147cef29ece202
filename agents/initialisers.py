"""Fresh weights, drawn with one generator per seed so that a seed's draw does not depend on its
stack."""

from collections.abc import Sequence
from math import prod, sqrt

import numpy as np
import torch
from torch import Tensor

Generators = Sequence[np.random.Generator]


def _stacked(draws: list[np.ndarray]) -> Tensor:
    # Row-major whatever the draw's own order: a transposed weight halves the speed of every update.
    return torch.from_numpy(np.ascontiguousarray(np.stack(draws), dtype=np.float32))


def orthogonal(
    generators: Generators, shape: tuple[int, ...], gain: float, window: int = 1
) -> Tensor:
    """Orthogonal matrices [S, *shape], shape (..., in, out), scaled by `gain` (Saxe et al. 2014;
    jaxrl's default_init).

    The QR decomposition of a Gaussian matrix with R's diagonal made positive, which makes the draw
    uniform (Haar).
    """
    *stack, rows, columns = shape
    count = prod(stack)
    draws = []
    for generator in generators:
        normal = generator.standard_normal((count, max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(normal)
        q = q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[:, None, :]
        matrix = q if rows >= columns else q.swapaxes(-2, -1)
        draws.append(gain * matrix.reshape(shape))
    return _stacked(draws)


def xavier_uniform(
    generators: Generators, shape: tuple[int, ...], gain: float, window: int = 1
) -> Tensor:
    """Uniform on +-gain * sqrt(6 / (in + out)), [S, *shape] (Glorot and Bengio 2010).

    `window` is the number of positions of a convolution's kernel: its rows count them already, its
    columns do not.
    """
    bound = gain * sqrt(6.0 / (shape[-2] + shape[-1] * window))
    return uniform(generators, shape, bound)


def kaiming_uniform(
    generators: Generators, shape: tuple[int, ...], gain: float, window: int = 1
) -> Tensor:
    """Uniform on +-gain * sqrt(3 / in), [S, *shape] (He et al. 2015; gain sqrt 2 for ReLU)."""
    return uniform(generators, shape, gain * sqrt(3.0 / shape[-2]))


def fan_in_uniform(
    generators: Generators, shape: tuple[int, ...], gain: float, window: int = 1
) -> Tensor:
    """Uniform on +-1 / sqrt(in) whatever the gain, [S, *shape] (PyTorch's default)."""
    return uniform(generators, shape, shape[-2] ** -0.5)


def lecun_normal(
    generators: Generators, shape: tuple[int, ...], gain: float, window: int = 1
) -> Tensor:
    """Normal with standard deviation gain / sqrt(in), cut off at two of its own before scaling,
    [S, *shape] (LeCun et al. 1998; flax's default, whose gain is 1)."""
    # Probabilities below -2 and standard deviation of what lies within +-2 of a standard normal.
    below, deviation = 0.022750131948179195, 0.87962566103423978
    scale = gain * shape[-2] ** -0.5 / deviation
    draws = [generator.uniform(below, 1.0 - below, shape) for generator in generators]
    normal = torch.special.ndtri(torch.from_numpy(np.stack(draws)))
    return (scale * normal).float()


def uniform(generators: Generators, shape: tuple[int, ...], bound: float) -> Tensor:
    """Uniform on +-bound, [S, *shape]."""
    return _stacked([generator.uniform(-bound, bound, shape) for generator in generators])


INITIALISERS = {
    "orthogonal": orthogonal,
    "xavier_uniform": xavier_uniform,
    "kaiming_uniform": kaiming_uniform,
    "fan_in_uniform": fan_in_uniform,
    "lecun_normal": lecun_normal,
}
