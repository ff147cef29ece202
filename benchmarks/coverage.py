"""How often do nominal 95% intervals of the IQM hold the true one? Synthetic sets, few seeds.

    python benchmarks/coverage.py                     # 200 experiments a cell, under 3 minutes
    python benchmarks/coverage.py --experiments 2000

A set is a family of distributions at 1, 3, 10 or 26 tasks; its tasks are drawn once, by their
number, and stay fixed. An experiment draws 3, 5 or 10 seeds of every task and makes every interval
from the same 1,000 resamples. The truth is the IQM of the tasks' distributions taken together: the
mean of the middle half of 20,000 evenly spaced quantiles of each task.

    normal    task means N(0.6, 0.4), runs N(mean, 0.15): what intervals are made for
    skewed    log-normal runs (log sd 0.6) about log-normal task medians (log sd 1): Atari scores
    bimodal   a run fails, N(0.1, 0.03), or solves the task, N(0.8, 0.05), with the task's own
              probability between 0.15 and 0.9: sparse rewards, agents that never take off
    ceiling   Beta runs of concentration 20 with task means between 0.1 and 0.99: bounded returns

Every figure is a function of `--seed`. Width is relative to that of the percentile interval.
"""

import argparse
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from primacy.runs.estimates import quantity
from primacy.runs.inference import factor, resampled
from primacy.runs.intervals import INTERVALS, Sampled
from primacy.runs.resampling import Bootstrap, once
from primacy.runs.statistics import Scores, evaluate

Array = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Array]
"""(generator, seeds) -> [T, seeds]."""

TASKS = (1, 3, 10, 26)
SEEDS = (3, 5, 10)
RESAMPLES = 1000
TRUTH = 20_000


def normal(tasks: np.random.Generator, number: int) -> Draw:
    means = tasks.normal(0.6, 0.4, (number, 1))
    return lambda generator, seeds: generator.normal(means, 0.15, (number, seeds))


def skewed(tasks: np.random.Generator, number: int) -> Draw:
    medians = tasks.normal(-0.5, 1.0, (number, 1))
    return lambda generator, seeds: np.exp(generator.normal(medians, 0.6, (number, seeds)))


def bimodal(tasks: np.random.Generator, number: int) -> Draw:
    solved = tasks.uniform(0.15, 0.9, (number, 1))

    def draw(generator: np.random.Generator, seeds: int) -> Array:
        good = generator.random((number, seeds)) < solved
        spread = generator.normal(0, 1, (number, seeds))
        return np.where(good, 0.8 + 0.05 * spread, 0.1 + 0.03 * spread)

    return draw


def ceiling(tasks: np.random.Generator, number: int) -> Draw:
    means = tasks.uniform(0.1, 0.99, (number, 1))
    shape = (20 * means, 20 * (1 - means))
    return lambda generator, seeds: generator.beta(*shape, (number, seeds))


SETS = {"normal": normal, "skewed": skewed, "bimodal": bimodal, "ceiling": ceiling}


def scores(matrix: Array) -> Scores:
    return Scores.of({str(task): dict(enumerate(row)) for task, row in enumerate(matrix)})


def intervals(given: Scores, bootstrap: Bootstrap) -> Array:
    """[intervals, 2]: every interval of the IQM from the same resamples."""
    iqm = quantity(given, "iqm")
    sampled = Sampled(
        iqm.value,
        resampled(iqm, (given,), bootstrap),
        factor(iqm, bootstrap),
        iqm.influences,
        lambda: (
            iqm.errors(once(len(given.values)))[:, 0],
            resampled(iqm._replace(deviations=iqm.errors), (given,), bootstrap),
        ),
    )
    return np.array([np.ravel(make(sampled)) for make in INTERVALS.values()])


def cell(name: str, tasks: int, seeds: int, experiments: int, seed: int) -> tuple[Array, Array]:
    """Coverage [intervals] and mean width [intervals]."""
    place = [seed, list(SETS).index(name), tasks]
    draw = SETS[name](np.random.default_rng(place), tasks)
    truth = evaluate(scores(draw(np.random.default_rng([*place, 1]), TRUTH)), "iqm")[0]
    covered, width = np.zeros(len(INTERVALS)), np.zeros(len(INTERVALS))
    for experiment in range(experiments):
        generator = np.random.default_rng([*place, 2, seeds, experiment])
        given = scores(draw(generator, seeds))
        low, high = intervals(given, Bootstrap(resamples=RESAMPLES, seed=experiment)).T
        covered += (low <= truth) & (truth <= high)
        width += high - low
    return covered / experiments, width / experiments


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--experiments", type=int, default=200, help="per cell")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    reference = list(INTERVALS).index("percentile")
    print(f"coverage (width / that of percentile); {options.experiments} experiments a cell")
    print(f"| tasks | seeds | set | {' | '.join(INTERVALS)} |")
    print("|---" * (3 + len(INTERVALS)) + "|")
    for tasks in TASKS:
        for seeds in SEEDS:
            for name in SETS:
                covered, width = cell(name, tasks, seeds, options.experiments, options.seed)
                relative = width / width[reference]
                shown = (f"{c:.3f} ({w:.2f})" for c, w in zip(covered, relative, strict=True))
                print(f"| {tasks} | {seeds} | {name} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
