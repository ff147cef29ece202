"""What is measured on networks: read-only functions that give one number per seed.

Activations are post-non-linearity, [S, (E,) B, units]; members of an ensemble are measured one by
one and averaged. Names carry their definition, since the field uses one word for several ("stable
rank" for three).
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from primacy.plasticity.contract import Layer, PlasticNetwork

Measure = Callable[[Tensor], Tensor]
Row = tuple[str, str, Tensor]
EPSILON = 1e-9


def scores(h: Tensor) -> Tensor:
    """E|h_i| / mean_k E|h_k|, [..., units] (Sokar et al. 2023)."""
    size = h.abs().mean(-2)
    return size / (size.mean(-1, keepdim=True) + EPSILON)


def dormant(threshold: float) -> Measure:
    """Share of units with a score of at most `threshold`."""
    return lambda h: (scores(h) <= threshold).float().mean(-1)


def dead(h: Tensor) -> Tensor:
    """Share of units that are 0 on every sample of the batch (ReLU kinds; depends on the batch
    size)."""
    return (h == 0).all(-2).float().mean(-1)


def fau(h: Tensor) -> Tensor:
    """Fraction of active units: share of non-zero activations over units and samples (Ma et al.
    2024)."""
    return (h != 0).float().mean((-2, -1))


def dead_pairs(h: Tensor) -> Tensor:
    """Share of CReLU units whose two halves are both dead: one dead half is no lost unit."""
    return (h == 0).all(-2).unflatten(-1, (2, -1)).all(-2).float().mean(-1)


def unsaturated(h: Tensor) -> Tensor:
    """The fraction of active units of tanh layers: share of activations with |h| <= 0.99."""
    return (h.abs() <= 0.99).float().mean((-2, -1))


def saturated(h: Tensor) -> Tensor:
    """Share of tanh units with |h| > 0.99 on at least 99% of samples; such units never look
    dormant."""
    return ((h.abs() > 0.99).float().mean(-2) >= 0.99).float().mean(-1)


def feature_norm(h: Tensor) -> Tensor:
    """Mean Euclidean norm of a sample's features."""
    return h.norm(dim=-1).mean(-1)


def _shares(singular: Tensor) -> Tensor:
    # No absolute epsilon: ranks do not depend on the features' scale.
    return singular / singular.sum(-1, keepdim=True).clamp_min(torch.finfo(singular.dtype).tiny)


def erank(singular: Tensor) -> Tensor:
    """Effective rank exp(-sum p log p), p = s / sum s (Roy and Vetterli 2007); 0 for features that
    are all 0."""
    p = _shares(singular)
    entropy = -torch.special.xlogy(p, p).sum(-1)
    return torch.where(singular.sum(-1) > 0, entropy.exp(), torch.zeros_like(entropy))


def srank_99(singular: Tensor) -> Tensor:
    """Least k whose largest singular values hold 99% of their sum (Kumar et al. 2020, delta =
    0.01)."""
    held = _shares(singular).cumsum(-1)
    # A rounding slack, so that 0.99 exactly reached counts as reached in float32.
    count = (held < 0.99 - 1e-6).sum(-1) + 1
    return torch.where(singular.sum(-1) > 0, count, torch.zeros_like(count)).float()


def stable_rank(singular: Tensor) -> Tensor:
    """sum s^2 / s_1^2, the stable rank of numerical analysis; 0 for a zero matrix."""
    squares = singular.square()
    largest = squares.amax(-1)
    return torch.where(largest > 0, squares.sum(-1) / largest.clamp_min(1e-30), 0.0 * largest)


_ANY: dict[str, Measure] = {
    "dormant_0.025": dormant(0.025),
    "dormant_0.1": dormant(0.1),
    "feature_norm": feature_norm,
}
_RELU: dict[str, Measure] = _ANY | {"dead": dead, "fau": fau}
ACTIVITY: dict[str, dict[str, Measure]] = {
    "relu": _RELU,
    "crelu": _RELU | {"dead_pairs": dead_pairs},
    "tanh": _ANY | {"fau": unsaturated, "saturated": saturated},
}
RANKS: dict[str, Measure] = {
    "erank": erank,
    "srank_0.99": srank_99,
    "stable_rank_fro": stable_rank,
}


def weight_norm(layer: Layer) -> Tensor:
    """Frobenius norm of the weights, without biases, [S]; the root mean square over ensemble
    members."""
    weight = layer.parameters["weight"]
    return _member_norm(weight)


def _member_norm(value: Tensor) -> Tensor:
    per_member = value.flatten(-2).square().sum(-1)
    return (per_member.mean(-1) if value.ndim == 4 else per_member).sqrt()


def dist_init(layer: Layer, initial: Mapping[str, Tensor]) -> Tensor:
    """||theta - theta0||_2 over the weights of a layer, [S]; the root mean square over ensemble
    members."""
    return _member_norm(layer.parameters["weight"] - initial[layer.names()["weight"]])


def _mean_over_members(values: Tensor) -> Tensor:
    return values.mean(-1) if values.ndim == 2 else values


def _activity_rows(layer: Layer, h: Tensor) -> list[Row]:
    measures = ACTIVITY[layer.activation or "relu"]
    return [(layer.path, name, _mean_over_members(f(h))) for name, f in measures.items()]


def _rank_rows(layer: Layer, h: Tensor) -> list[Row]:
    # The decomposition refuses the whole stack where one seed has diverged: that seed gets NaN.
    finite = h.isfinite().flatten(-2).all(-1)
    features = torch.where(finite[..., None, None], h, 0.0)
    singular = torch.linalg.svdvals(features)
    centred = torch.linalg.svdvals(features - features.mean(-2, keepdim=True))
    ranks = {name: f(singular) for name, f in RANKS.items()} | {"erank_centred": erank(centred)}
    return [
        (layer.path, name, _mean_over_members(torch.where(finite, rank, torch.nan)))
        for name, rank in ranks.items()
    ]


@torch.no_grad()
def measure(
    network: PlasticNetwork, batch: Mapping[str, Tensor], initial: Mapping[str, Tensor]
) -> list[Row]:
    """Rows (layer path, metric, [S]) of one network on a batch; `initial` are its first parameters
    by name.

    Ranks cost a singular value decomposition and are taken of the last hidden layer only; they need
    a batch of at least twice the layer's width.
    """
    rows: list[Row] = []
    taps = network.activations(batch) if network.activations else {}
    for layer in network.layers:
        if layer.kind in ("dense", "conv"):
            rows.append((layer.path, "weight_norm", weight_norm(layer)))
            rows.append((layer.path, "dist_init", dist_init(layer, initial)))
        if layer.tap in taps:
            h = taps[layer.tap]
            rows += _activity_rows(layer, h)
            if layer.depth == 1:
                rows += _rank_rows(layer, h)
    return rows
