"""Evaluation statistics over tasks and seeds with bootstrap intervals: all there is to import.

    scores = Scores.from_rows([("walker-run", 0, 0.71), ("walker-run", 1, 0.64), ...])
    estimate(scores, ("iqm", "mean"), Bootstrap(resamples=50_000))

Definitions are rliable's (Agarwal et al. 2021, "Deep RL at the Edge of the Statistical Precipice"),
extended to uneven numbers of seeds, to differences and to curves. numpy is the only requirement.
"""

from primacy.runs.aggregates import AGGREGATES, evaluate
from primacy.runs.comparisons import (
    difference,
    improvement,
    permutation_p_value,
    probability_of_improvement,
)
from primacy.runs.curves import area_under_curve, steps_to_threshold
from primacy.runs.estimates import cautions, estimate, per_task, profile
from primacy.runs.inference import Estimate
from primacy.runs.intervals import INTERVALS, NORMAL_QUANTILE, calibration, student_quantile
from primacy.runs.resampling import BLOCK, Bootstrap, draw_counts
from primacy.runs.scores import BadScores, Scores, shared_tasks

__all__ = [
    "AGGREGATES",
    "BLOCK",
    "INTERVALS",
    "NORMAL_QUANTILE",
    "BadScores",
    "Bootstrap",
    "Estimate",
    "Scores",
    "area_under_curve",
    "calibration",
    "cautions",
    "difference",
    "draw_counts",
    "estimate",
    "evaluate",
    "improvement",
    "per_task",
    "permutation_p_value",
    "probability_of_improvement",
    "profile",
    "shared_tasks",
    "steps_to_threshold",
    "student_quantile",
]
