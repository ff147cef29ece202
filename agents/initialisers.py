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


def orthogonal(generators: Generators, shape: tuple[int, ...], gain: float) -> Tensor:
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


def xavier_uniform(generators: Generators, shape: tuple[int, ...], gain: float) -> Tensor:
    """Uniform on +-gain * sqrt(6 / (in + out)), [S, *shape] (Glorot and Bengio 2010)."""
    bound = gain * sqrt(6.0 / (shape[-2] + shape[-1]))
    return _stacked([generator.uniform(-bound, bound, shape) for generator in generators])


INITIALISERS = {"orthogonal": orthogonal, "xavier_uniform": xavier_uniform}
