"""Probability of improvement, permutations and differences, each against pairs counted out."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.runs import comparisons
from primacy.runs.intervals import INTERVALS
from primacy.runs.resampling import Bootstrap, draws
from primacy.runs.statistics import (
    BadScores,
    difference,
    evaluate,
    improvement,
    permutation_p_value,
    probability_of_improvement,
)
from primacy.tests.support.plain_statistics import drawn_tasks, scores_of


def beaten(ours, theirs):
    """Share of pairs won, ties half, counted out."""
    pairs = [(x, y) for x in ours for y in theirs]
    return sum(1.0 if x > y else 0.5 if x == y else 0.0 for x, y in pairs) / len(pairs)


def whole(sizes, generator):
    """Whole numbers, so that some pairs tie."""
    return scores_of(**{f"t{n}": generator.integers(0, 6, size) for n, size in enumerate(sizes)})


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=5),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["runs", "tasks", "both"]),
)
def test_improvement_of_a_resample_counts_the_pairs_of_its_runs(sizes, seed, unit):
    generator = np.random.default_rng(seed)
    a, b = whole([n for n, _ in sizes], generator), whole([m for _, m in sizes], generator)
    x, y = next(draws((a, b), Bootstrap(resample=unit, resamples=1, seed=seed)))
    duels = comparisons._duels(a, b)
    means = np.array([duel.wins.mean() for duel in duels])
    moved = comparisons._won(duels, means, x, y)
    for resample in range(3):
        pairs = zip(drawn_tasks(a, x, resample), drawn_tasks(b, y, resample), strict=True)
        expected = np.mean(
            [beaten(a.values[left, 0], b.values[right, 0]) for (_, left), (_, right) in pairs]
        )
        assert moved[0, resample] + means.mean() == pytest.approx(expected, abs=1e-5)
    assert probability_of_improvement(a, b) == pytest.approx(means.mean(), abs=1e-12)


def test_check_value_of_improvement_and_its_interval():
    a = scores_of(a=[1, 2, 3], b=[5, 5, 7], only_a=[1, 2, 3])
    b = scores_of(b=[5, 5, 4], a=[2, 0, 2])
    found = improvement(a, b, Bootstrap())
    assert found.value[0] == probability_of_improvement(a, b)
    assert 0 <= found.low[0] < found.value[0] < found.high[0] <= 1
    same = improvement(a, a, Bootstrap())
    assert same.value[0] == 0.5
    assert same.low[0] < 0.5 < same.high[0]


def test_a_sure_improvement_has_no_width():
    found = improvement(scores_of(a=[5, 6, 7]), scores_of(a=[1, 2, 3]), Bootstrap())
    assert (found.value[0], found.low[0], found.high[0]) == (1, 1, 1)
    assert found.note == "no variation seen"


def test_improvement_with_two_seeds_has_no_interval():
    found = improvement(scores_of(a=[1, 2, 3]), scores_of(a=[1, 2]), Bootstrap())
    assert np.isnan(found.low[0])
    assert found.note == "2 seeds in a: no interval"


@pytest.mark.parametrize("interval", list(INTERVALS))
def test_every_interval_of_improvement_has_the_width_of_its_standard_error(interval):
    generator = np.random.default_rng(0)
    a = scores_of(**{t: generator.normal(0.2, 1, 40) for t in "abcd"})
    b = scores_of(**{t: generator.normal(0, 1, 30) for t in "abcd"})
    found = improvement(a, b, Bootstrap(interval, resamples=4000))
    again = [
        probability_of_improvement(
            scores_of(**{t: generator.normal(0.2, 1, 40) for t in "abcd"}),
            scores_of(**{t: generator.normal(0, 1, 30) for t in "abcd"}),
        )
        for _ in range(400)
    ]
    assert found.high[0] - found.low[0] == pytest.approx(2 * 1.96 * np.std(again), rel=0.2)


def test_influences_on_improvement_are_those_of_leaving_a_run_out():
    a, b = scores_of(a=[1.0, 2, 3, 9], b=[4.0, 1, 2]), scores_of(a=[2.0, 2, 5], b=[0.0, 3, 7, 1])
    ours = np.concatenate([duel.wins.mean(axis=1) for duel in comparisons._duels(a, b)])[:, None]
    found = comparisons._projection(a, ours)[:, 0]
    expected = []
    for task, other in (("a", "b"), ("b", "a")):
        runs, rivals = a.only((task,)).values[:, 0], b.only((task,)).values[:, 0]
        rest = beaten(a.only((other,)).values[:, 0], b.only((other,)).values[:, 0])
        left_out = [(beaten(np.delete(runs, run), rivals) + rest) / 2 for run in range(len(runs))]
        expected += [(np.mean(left_out) - x) * (len(runs) - 1) / len(runs) for x in left_out]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["mean", "iqm", "median"])
def test_permutations_approach_all_of_them_counted_out(name):
    generator = np.random.default_rng(3)
    values = generator.normal(0, 1, 9) + 0.8 * (np.arange(9) < 5)
    a, b = scores_of(t=values[:5]), scores_of(t=values[5:])
    seen = abs(evaluate(a, name)[0] - evaluate(b, name)[0])
    farther = []
    for chosen in combinations(range(9), 5):
        left = scores_of(t=values[list(chosen)])
        right = scores_of(t=np.delete(values, list(chosen)))
        farther.append(abs(evaluate(left, name)[0] - evaluate(right, name)[0]) >= seen - 1e-12)
    found = permutation_p_value(a, b, name, Bootstrap(resamples=20_000))
    assert found[0] == pytest.approx(np.mean(farther), abs=0.015)


def test_permutations_stay_within_tasks_and_treat_uneven_seeds():
    hard, easy = np.arange(5) / 100, 10 + np.arange(4) / 100
    a, b = scores_of(x=hard + 1, y=easy + 1), scores_of(x=hard[:3], y=easy)
    # Only the labelling that was seen and its opposites are as far: 1 in (8 over 3) x (8 over 4).
    found = permutation_p_value(a, b, "mean", Bootstrap(resamples=4000))
    assert found[0] < 0.004
    assert permutation_p_value(a, a, "mean", Bootstrap(resamples=200))[0] == 1
    assert permutation_p_value(a, b, "mean", Bootstrap(resamples=99))[0] >= 0.01


def test_permutations_of_curves_are_those_of_each_checkpoint():
    generator = np.random.default_rng(7)
    left, right = generator.normal(0, 1, (6, 2)), generator.normal(1, 1, (5, 2))
    both = permutation_p_value(scores_of(t=left), scores_of(t=right), "iqm", Bootstrap())
    for at in range(2):
        alone = permutation_p_value(
            scores_of(t=left[:, at]), scores_of(t=right[:, at]), "iqm", Bootstrap()
        )
        assert both[at] == alone[0]


def test_curves_of_unequal_length_are_not_compared():
    with pytest.raises(BadScores, match="3 checkpoints against 2") as refused:
        difference(scores_of(a=np.ones((4, 3))), scores_of(a=np.ones((4, 2))), "mean", Bootstrap())
    assert refused.value.hint
