"""Diagnostics by their definitions, in numpy float64 and plain loops, one matrix [B, units] at a
time."""

import math

import numpy as np


def scores(h: np.ndarray) -> list[float]:
    sizes = [float(np.mean([abs(x) for x in h[:, i]])) for i in range(h.shape[1])]
    mean = sum(sizes) / len(sizes)
    return [size / (mean + 1e-9) for size in sizes]


def dormant(threshold: float):
    return lambda h: sum(s <= threshold for s in scores(h)) / h.shape[1]


def dead(h: np.ndarray) -> float:
    return sum(not h[:, i].any() for i in range(h.shape[1])) / h.shape[1]


def dead_pairs(h: np.ndarray) -> float:
    units = h.shape[1] // 2
    return sum(not (h[:, i].any() or h[:, i + units].any()) for i in range(units)) / units


def fau(h: np.ndarray) -> float:
    return sum(x != 0 for x in h.ravel()) / h.size


def unsaturated(h: np.ndarray) -> float:
    return sum(abs(x) <= 0.99 for x in h.ravel()) / h.size


def saturated(h: np.ndarray) -> float:
    columns = [np.mean([abs(x) > 0.99 for x in h[:, i]]) >= 0.99 for i in range(h.shape[1])]
    return sum(columns) / h.shape[1]


def feature_norm(h: np.ndarray) -> float:
    return sum(math.sqrt(sum(x * x for x in row)) for row in h) / h.shape[0]


def singular(h: np.ndarray) -> list[float]:
    """From the eigenvalues of the Gram matrix: another road than the decomposition under test."""
    values = (
        np.linalg.eigvalsh(h.T @ h) if h.shape[0] >= h.shape[1] else np.linalg.eigvalsh(h @ h.T)
    )
    return sorted((math.sqrt(max(x, 0.0)) for x in values), reverse=True)


def erank(h: np.ndarray) -> float:
    s = singular(h)
    shares = [x / sum(s) for x in s if x > 0] if sum(s) else []
    return math.exp(-sum(p * math.log(p) for p in shares)) if shares else 0.0


def erank_centred(h: np.ndarray) -> float:
    return erank(h - h.mean(0))


def srank_99(h: np.ndarray) -> float:
    s, held = singular(h), 0.0
    for count, value in enumerate(s, start=1):
        held += value
        if sum(s) and held >= 0.99 * sum(s):
            return float(count)
    return 0.0


def stable_rank(h: np.ndarray) -> float:
    s = singular(h)
    return sum(x * x for x in s) / s[0] ** 2 if s[0] else 0.0


ACTIVITY = {
    "dormant_0.025": dormant(0.025),
    "dormant_0.1": dormant(0.1),
    "dead": dead,
    "dead_pairs": dead_pairs,
    "fau": fau,
    "saturated": saturated,
    "feature_norm": feature_norm,
}
RANKS = {
    "erank": erank,
    "erank_centred": erank_centred,
    "srank_0.99": srank_99,
    "stable_rank_fro": stable_rank,
}
