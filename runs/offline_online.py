"""How a run fares after the switch from offline to online, seed by seed.

Scores are in percent; env step 0 is the switch, and an evaluation there is of the agent as the
offline phase left it, before what is done to it at the switch.
"""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

WINDOW = 50_000
"""Env steps after the switch in which scores may drop."""
SMOOTH = 5
"""Evaluations of which the mean must pass a level."""


def at_switch(env_steps: Floats, scores: Floats) -> float:
    """The score at env step 0, NaN where nothing was evaluated there; both [K]."""
    found = scores[env_steps == 0]
    return float(found[0]) if len(found) else math.nan


def initial_drop(env_steps: Floats, scores: Floats) -> float:
    """The score at the switch minus the least one in the next WINDOW env steps; NaN where one of
    them is missing. Below 0 where all are better."""
    after = scores[(env_steps > 0) & (env_steps <= WINDOW)]
    return at_switch(env_steps, scores) - float(after.min()) if len(after) else math.nan


def first_reached(env_steps: Floats, scores: Floats, level: float) -> float:
    """The first env step at which the mean of the last SMOOTH online evaluations is at least
    `level`; infinite where there is none."""
    online = env_steps > 0
    steps, values = env_steps[online], scores[online]
    if len(values) < SMOOTH:
        return math.inf
    means = np.convolve(values, np.full(SMOOTH, 1 / SMOOTH), mode="valid")
    # A mean of five times 90 may fall short of 90 by rounding.
    passed = np.flatnonzero(means >= level - 1e-9)
    return float(steps[SMOOTH - 1 + passed[0]]) if len(passed) else math.inf


def regret(successes: Floats) -> float:
    """Mean of 1 - success over the finished online training episodes (CORL); NaN without any."""
    return float(1.0 - successes.mean()) if len(successes) else math.nan
