"""Plain twins of the statistics: one resample at a time, written as their definitions read."""

import numpy as np

from primacy.runs.resampling import Draw
from primacy.runs.scores import Scores


def scores_of(**tasks) -> Scores:
    """One list of runs per task; a run is a score or a row of checkpoints."""
    return Scores.of({task: dict(enumerate(values)) for task, values in tasks.items()})


def trimmed(values, weights, share) -> float:
    """Weighted mean of what is left when `share` of the weight is cut from each end."""
    total = sum(weights)
    kept = weighted = passed = 0.0
    for value, weight in sorted(zip(values, weights, strict=True)):
        low, high = passed, passed + weight
        part = max(0.0, min(high, total * (1 - share)) - max(low, total * share))
        kept, weighted, passed = kept + part, weighted + part * value, high
    return weighted / kept


def drawn_tasks(scores: Scores, draw: Draw, resample: int) -> list[tuple[str, list[int]]]:
    """(task, rows of its drawn runs with repeats) of one resample, a task once per time drawn."""
    result = []
    for layer in draw.layers:
        for number, (task, rows) in enumerate(zip(scores.tasks, scores.design.blocks, strict=True)):
            if layer.present is None or layer.present[number, resample]:
                counts = layer.counts[rows, resample].astype(int)
                result.append((task, np.repeat(np.arange(rows.start, rows.stop), counts).tolist()))
    return result


def aggregate(name: str, tasks: list[list[float]], cut_share: float) -> float:
    """`name` of lists of runs, one per task."""
    means = [sum(runs) / len(runs) for runs in tasks]
    if name == "iqm":
        weights = [1 / len(runs) for runs in tasks for _ in runs]
        return trimmed([x for runs in tasks for x in runs], weights, cut_share)
    if name == "median":
        return float(np.median(means))
    if name == "mean":
        return float(np.mean(means))
    return 1 - float(np.mean([np.mean([min(x, 1.0) for x in runs]) for runs in tasks]))
