"""Questions to the diagnostics: can mean Q be true, and which layers were measured."""

from collections.abc import Sequence

import numpy as np

from primacy.runs.report_study import Condition

MEAN_Q = ("critic", "", "mean_q")


def value_cap(condition: Condition, task: str) -> float | None:
    """What no true value exceeds: R_max / (1 - discount).

    R_max is the largest reward that is learned from: one per frame in dm_control, one in AntMaze,
    scaled and shifted as the configuration says; where it is below 0 an end of the episode is
    worth more. None where the configuration does not say, or nothing is discounted.
    """
    repeat = condition.config("action_repeat", task)
    discount = condition.config("discount", task)
    if repeat is None or discount is None or float(discount) >= 1:
        return None
    scale = condition.config("reward_scale", task)
    largest = float(repeat) * float(1.0 if scale is None else scale)
    largest += float(condition.config("reward_bias", task) or 0.0)
    return float(f"{max(largest, 0.0) / (1 - float(discount)):.6g}")


def value_caps(conditions: Sequence[Condition], task: str) -> list[float]:
    """The different caps among conditions."""
    return sorted({cap for c in conditions if (cap := value_cap(c, task)) is not None})


def value_peak(condition: Condition, task: str) -> tuple[float, int] | None:
    """Greatest median mean Q and its env step; None if not measured."""
    course = condition.courses[task].get(MEAN_Q)
    if course is None or not len(course.median):
        return None
    at = int(np.argmax(course.median))
    return float(course.median[at]), int(course.env_steps[at])


def layers(conditions: Sequence[Condition], task: str) -> dict[str, dict[str, list[str]]]:
    """Network -> metric -> layers, in order of first appearance."""
    found: dict[str, dict[str, list[str]]] = {}
    for condition in conditions:
        for network, layer, metric in condition.courses[task]:
            below = found.setdefault(network, {}).setdefault(metric, [])
            if layer not in below:
                below.append(layer)
    return found
