"""Losses and targets of value-based agents, and what is done to their images: pure functions.

Atoms z lie evenly on [-v, v]; p are probabilities over atoms.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

RENORMALISE_EPSILON = 1e-5
COSINE_EPSILON = 1e-8


def dueling(value: Tensor, advantage: Tensor) -> Tensor:
    """V + A - mean_a A per atom (Wang et al. 2016, eq. 9): [..., 1, atoms] and [..., A, atoms] ->
    [..., A, atoms]."""
    return value + advantage - advantage.mean(-2, keepdim=True)


def support(limit: float, atoms: int, like: Tensor) -> Tensor:
    """z, [atoms], evenly from -limit to limit."""
    return torch.linspace(-limit, limit, atoms, dtype=like.dtype, device=like.device)


def expectation(logits: Tensor, z: Tensor) -> Tensor:
    """sum_i z_i softmax(logits)_i, [..., atoms] -> [...]."""
    return (logits.softmax(-1) * z).sum(-1)


def project(p: Tensor, reward: Tensor, discount: Tensor, z: Tensor) -> Tensor:
    """The distribution of reward + discount * z under p, clipped to the support and split linearly
    between neighbouring atoms (Bellemare et al. 2017, eq. 7): [..., atoms], [...] -> [..., atoms].

    discount carries gamma^n and is 0 after a terminal state. As a product with the triangle
    function of every pair of atoms: no scatter.
    """
    step = z[1] - z[0]
    moved = (reward.unsqueeze(-1) + discount.unsqueeze(-1) * z).clamp(z[0], z[-1])
    share = (1.0 - (moved.unsqueeze(-2) - z.unsqueeze(-1)).abs() / step).clamp(0.0, 1.0)
    return (share * p.unsqueeze(-2)).sum(-1)


def chosen(values: Tensor, action: Tensor) -> Tensor:
    """The row of each action: [..., A, atoms] and int64 [...] -> [..., atoms]."""
    index = action[..., None, None].expand(*action.shape, 1, values.shape[-1])
    return values.gather(-2, index).squeeze(-2)


def cross_entropy(target: Tensor, logits: Tensor) -> Tensor:
    """-sum_i m_i log softmax(logits)_i, [..., atoms] -> [...] (C51's loss; priorities are made of
    it)."""
    return -(target * logits.log_softmax(-1)).sum(-1)


def huber(target: Tensor, q: Tensor) -> Tensor:
    """x^2 / 2 up to |x| = 1, |x| - 1/2 beyond it, of x = q - y: [...]."""
    return F.smooth_l1_loss(q, target, reduction="none")


def cosine_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """|y / |y| - y' / |y'||^2 = 2 - 2 cos, [..., P] -> [...] (Schwarzer et al. 2021)."""
    one = F.normalize(prediction, dim=-1, eps=COSINE_EPSILON)
    two = F.normalize(target, dim=-1, eps=COSINE_EPSILON)
    return (one - two).square().sum(-1)


def self_prediction_loss(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """(1 / K) sum_k mask_k l_k over K jumps, masked or not: [..., K, P] and [..., K] -> [...]."""
    return (cosine_loss(prediction, target) * mask).mean(-1)


def weighted_loss(weight: Tensor, td: Tensor, auxiliary: Tensor, factor: float) -> Tensor:
    """mean_B w (L_td + factor * L_spr), [S, B] each -> [S]; importance weights act on both."""
    return (weight * (td + factor * auxiliary)).mean(-1)


def renormalise(latent: Tensor) -> Tensor:
    """(x - min) / (max - min + 1e-5) of each sample over all of C, H and W, [..., C, H, W]."""
    low = latent.amin((-3, -2, -1), keepdim=True)
    high = latent.amax((-3, -2, -1), keepdim=True)
    return (latent - low) / (high - low + RENORMALISE_EPSILON)


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """x, with `factor` times its gradient."""
    return x if factor == 1.0 else factor * x + ((1.0 - factor) * x).detach()


def intensity(images: Tensor, normal: Tensor, scale: float) -> Tensor:
    """Multiply each stack of frames by 1 + scale * clip(z, -2, 2), not clipped to [0, 1]: [..., C,
    H, W] and z [...]."""
    return images * (1.0 + scale * normal.clamp(-2.0, 2.0))[..., None, None, None]
