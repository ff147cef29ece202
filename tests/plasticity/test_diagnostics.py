"""Diagnostics against the specification's check values and brute force."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.plasticity.diagnostics import (
    ACTIVITY,
    RANKS,
    dormant,
    erank,
    measure,
    saturated,
    scores,
    srank_99,
    stable_rank,
    unsaturated,
)
from primacy.tests.support import plasticity_twins as twins
from primacy.tests.support.plasticity_subjects import SUBJECTS, attached, copies, run

torch.set_num_threads(1)

SEEDS = (0, 1)
on_all = pytest.mark.parametrize("kind", SUBJECTS)


def test_check_values_of_activity():
    h = torch.tensor([[1, 0, 0, 0.05], [2, 0, 0.4, 0.05], [3, 0, 0.2, 0.05], [2, 0, 0.2, 0.05]])
    assert scores(h).tolist() == pytest.approx([3.5556, 0, 0.3556, 0.0889], abs=5e-5)
    expected = {"dormant_0.025": 0.25, "dormant_0.1": 0.5, "dead": 0.25, "fau": 0.6875}
    assert {name: ACTIVITY["relu"][name](h).item() for name in expected} == expected


def test_check_values_of_ranks():
    s = torch.tensor([10, 5, 1, 0.1, 0.01])
    assert erank(s).item() == pytest.approx(2.3816, abs=5e-5)
    assert srank_99(s).item() == 3
    assert stable_rank(s).item() == pytest.approx(1.2601, abs=5e-5)
    for scale in (1e-12, 1e12):
        assert erank(s * scale).item() == pytest.approx(2.3816, abs=5e-5)
        assert srank_99(s * scale).item() == 3


def test_a_threshold_is_met_by_equality():
    h = torch.tensor([[0.1, 1.9]], dtype=torch.float64)
    assert dormant(scores(h)[0].item())(h).item() == 0.5


def test_a_saturated_tanh_layer_looks_alive_to_dormancy_and_is_named():
    h = torch.ones(64, 8) * 0.999
    assert dormant(0.1)(h).item() == 0.0
    assert (saturated(h).item(), unsaturated(h).item()) == (1.0, 0.0)


@st.composite
def features(draw) -> np.ndarray:
    """[B, units] with dead units, exact zeros and saturated values."""
    batch, pairs = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    h = generator.normal(size=(batch, 2 * pairs)) * generator.choice([0.01, 1.0], 2 * pairs)
    h = np.where(generator.random(h.shape) < 0.3, 0.0, h)
    h[:, generator.random(2 * pairs) < draw(st.sampled_from([0.0, 0.4, 1.0]))] = 0.0
    return np.where(generator.random(h.shape) < 0.1, 1.0, h)


@settings(max_examples=60, deadline=None)
@given(features())
def test_activity_equals_brute_force(h):
    tensor = torch.from_numpy(h)
    for kind, measures in ACTIVITY.items():
        for name, function in measures.items():
            twin = twins.unsaturated if (kind, name) == ("tanh", "fau") else None
            twin = twin or (twins.ACTIVITY | {"fau": twins.fau})[name]
            assert function(tensor).item() == pytest.approx(twin(h), abs=1e-6), (kind, name)


@settings(max_examples=60, deadline=None)
@given(features())
def test_ranks_equal_brute_force(h):
    singular = torch.linalg.svdvals(torch.from_numpy(h))
    for name, function in RANKS.items():
        assert function(singular).item() == pytest.approx(twins.RANKS[name](h), abs=1e-4), name


def test_nothing_is_not_nan():
    h = torch.zeros(16, 8)
    singular = torch.linalg.svdvals(h)
    assert [f(singular).item() for f in RANKS.values()] == [0.0, 0.0, 0.0]
    assert all(math.isfinite(f(h).item()) for group in ACTIVITY.values() for f in group.values())


def rows_of(subject, initial) -> dict[str, dict[tuple[str, str], torch.Tensor]]:
    return {
        name: {
            (path, metric): value
            for path, metric, value in measure(network, subject.batch(), initial)
        }
        for name, network in subject.networks().items()
    }


@on_all
@pytest.mark.parametrize("option", ["none", "crelu", "layer-norm"])
def test_rows_are_means_over_members_and_change_nothing(kind, option):
    texts = [] if option == "none" else [option]
    subject, chain = attached(kind, SEEDS, *texts)
    initial = {name: value.clone() for name, value in subject.tensors().items()}
    run(subject, chain, 1, 4)
    before = copies(subject, chain)
    rows = rows_of(subject, initial)
    assert all(torch.equal(value, before[n]) for n, value in copies(subject, chain).items())
    assert not rows["temperature"]
    assert all(value.shape == (2,) for found in rows.values() for value in found.values())
    ranked = {path for (path, metric) in rows["critic"] if metric in twins.RANKS}
    assert ranked == {"critic.1"}
    activations = subject.networks()["critic"].activations
    assert activations is not None
    taps = activations(subject.batch())
    for path, h in taps.items():
        names = ACTIVITY["crelu" if option == "crelu" else "relu"]
        wanted = {name: (twins.ACTIVITY | {"fau": twins.fau})[name] for name in names}
        wanted |= twins.RANKS if path == "critic.1" else {}
        for metric, twin in wanted.items():
            members = [[twin(m) for m in seed.double().numpy()] for seed in h]
            expected = [sum(values) / len(values) for values in members]
            assert rows["critic"][path, metric].tolist() == pytest.approx(expected, rel=2e-3), (
                metric
            )


@on_all
def test_weight_rows_are_norms_of_the_weights(kind):
    subject, chain = attached(kind, SEEDS, "layer-norm")
    initial = {name: value.clone() for name, value in subject.tensors().items()}
    assert rows_of(subject, initial)["critic"]["critic.0", "dist_init"].tolist() == [0.0, 0.0]
    run(subject, chain, 1, 4)
    rows = rows_of(subject, initial)["critic"]
    weight = subject.tensors()["critic.0.weight"].double()
    for metric, value in (
        ("weight_norm", weight),
        ("dist_init", weight - initial["critic.0.weight"]),
    ):
        expected = [math.sqrt(float((lane**2).sum()) / 2) for lane in value]
        assert rows["critic.0", metric].tolist() == pytest.approx(expected, rel=1e-5)
    norms = {x.path for x in subject.networks()["critic"].layers if x.kind == "norm"}
    assert norms
    assert not norms & {path for path, _ in rows}, "norm parameters are no weights"


@on_all
def test_a_diverged_seed_has_no_rank_and_the_others_keep_theirs(kind):
    subject, _ = attached(kind, SEEDS)
    initial = {name: value.clone() for name, value in subject.tensors().items()}
    whole = rows_of(subject, initial)["critic"]["critic.1", "erank"]
    subject.tensors()["critic.0.weight"][1] = float("inf")
    ranks = rows_of(subject, initial)["critic"]["critic.1", "erank"]
    assert ranks[0].item() == pytest.approx(whole[0].item(), rel=1e-6)
    assert math.isnan(ranks[1].item())
