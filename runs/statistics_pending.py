"""Stand-ins for statistics that another piece builds."""

from collections.abc import Sequence

import numpy as np

from primacy.runs.statistics import (
    Array,
    Bootstrap,
    Estimate,
    Scores,
    calibration,
    estimate,
    probability_of_improvement,
    student_quantile,
)


def profile(scores: Scores, thresholds: Sequence[float], bootstrap: Bootstrap) -> Estimate:
    above = (scores.values > np.asarray(thresholds)[None]).astype(float)
    return estimate(Scores(scores.seeds, above), ("mean",), bootstrap)["mean"]


def improvement(a: Scores, b: Scores, bootstrap: Bootstrap) -> Estimate:
    value = np.array([probability_of_improvement(a, b)])
    return Estimate(value, value - 0.1, value + 0.1, value * 0 + 1, "")


def area_under_curve(scores: Scores, steps: Array) -> Scores:
    area = np.trapezoid(scores.values, steps, axis=1) / (steps[-1] - steps[0])
    return Scores(scores.seeds, area[:, None])


def per_task(scores: Scores, bootstrap: Bootstrap) -> dict[str, Estimate]:
    found = {}
    for task in scores.tasks:
        values = scores.only((task,)).values
        n, mean = len(values), values.mean(0)
        if n < 3:
            none = mean * np.nan
            found[task] = Estimate(mean, none, none, none, "few")
            continue
        half = student_quantile(np.array([n - 1.0])) * values.std(0, ddof=1) / np.sqrt(n)
        found[task] = Estimate(mean, mean - half, mean + half, mean * 0 + 1, "")
    return found


__all__ = ["calibration"]
