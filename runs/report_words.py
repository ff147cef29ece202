"""The report in sentences: what was found, what it rests on, and what it does not show."""

import math
from collections.abc import Callable, Iterable, Sequence

from primacy.runs.report_comparisons import SWITCHES, Comparison, replay_ratio
from primacy.runs.report_diagnostics import value_cap, value_peak
from primacy.runs.report_formats import shown
from primacy.runs.report_labels import plain, remedy_names, told
from primacy.runs.report_scores import scores
from primacy.runs.report_study import Condition, Experiment, Study
from primacy.runs.report_tables import Numbers, Row
from primacy.runs.scoring import POOLED
from primacy.runs.statistics import Bootstrap, cautions

SELECTION = (
    "If settings were chosen on the seeds reported here, the numbers are favoured by that choice; "
    "only fresh seeds tell. This report cannot know."
)
RESAMPLED = {
    "runs": "seeds within tasks",
    "tasks": "tasks",
    "both": "tasks and of seeds within them",
}
SCOPES = {
    "runs": "Intervals are about new seeds on these tasks, not about new tasks.",
    "tasks": "Intervals of aggregates are about other tasks, not about new seeds.",
    "both": "Intervals of aggregates are about new seeds on other tasks.",
}
OVERLAP = "Whether two intervals overlap is not a test: read the interval of the difference."
P_VALUES = (
    "Two-sided p-values of no difference: conditions exchanged among the seeds of each task, "
    "{number:,} permutations (seed {seed}), {tests} tests, none corrected for the others. With few "
    "seeds none can be small: 0.1 is the least of 3 against 3 on one task. The interval of the "
    "difference says more. Pairs that share a history have none."
)
FEW_SEEDS = (
    "On ten or more tasks the calibrated interval covers about 95% with 3 seeds too; on one or two "
    "no interval of 3 runs can tell of an outcome that none of them had. Take 5 seeds as the least "
    "for a claim and 10 for a paper."
)
BANDS = {
    "pointwise": "Bands hold at each point by itself.",
    "simultaneous": "Bands are simultaneous: in 95% of cases one holds the whole true curve.",
}
WIDENING = (
    "Calibrated intervals are bootstrap percentile intervals, widened about the value by "
    "sqrt(n/(n-1)) t/1.96 for n seeds: plain ones are too narrow with few seeds."
)


UNSAID = frozenset(
    {"prime_transitions", "start_steps", "given_transitions", "offline_updates", "label"}
)
"""Settings that follow from priming or from how a run began."""


def findings(numbers: Numbers) -> tuple[list[str], list[str]]:
    """One sentence per comparison, in plain text: those a report opens with, and the others.

    A report opens with what interventions and priming did, six sentences at most.
    """
    said = [(pair.change, _finding(pair, numbers)) for pair in numbers.comparisons]
    first = [text for change, text in said if change != "replay_ratio"][:6]
    return first, [text for _, text in said if text not in first]


def _finding(pair: Comparison, found: Numbers) -> str:
    tasks = [t for t in pair.a.curves if t in pair.b.curves]
    single = len(tasks) == 1
    wanted = (pair.a.label, pair.b.label, "mean" if single else "iqm")
    row = next(r for r in found.differences if (r["a"], r["b"], r["aggregate"]) == wanted)
    place = f"On {tasks[0]}" if single else f"Over {len(tasks)} tasks"
    by = pair.experiment.normaliser
    low, high = by.limits(tasks[0]) if single else (0.0, by.gamma)
    scale, digits = (high - low) / by.gamma, by.decimals if single else 3
    before, after = (f"{low + row[side] * scale:,.{digits}f}" for side in ("of_b", "of_a"))
    what = "the mean return" if single else f"the IQM of {by.words}"
    size = f"{row['seeds']} seeds, {_at(shown(row['step']))}"
    where, change = " ".join([place, *_context(pair)]), CHANGES[pair.change](pair.a, pair.b)
    return (
        f"{where}, {change} {_verb(row)} {what} "
        f"from {before} to {after} ({_interval(row, scale, digits)}, {size})."
    )


def _at(step: str) -> str:
    return f"env step {step}" if step else "final scores"


def _context(pair: Comparison) -> Iterable[str]:
    """What both sides have and others of the experiment do not."""
    if pair.change in ("baseline", "fork", *SWITCHES.values()):
        return
    if pair.b.config("offline_updates") and pair.b.config("label"):
        # Such a study names its conditions, and they differ in too much to be said.
        yield f"in {pair.b.label}"
        return
    for name in told([condition.settings for condition in pair.experiment.conditions]):
        value = pair.b.settings[name]
        if value != pair.a.settings[name] or name in UNSAID:
            continue
        if name == "replay_ratio":
            yield f"at replay ratio {value}"
        elif name == "remedies":
            yield f"with {remedy_names(value)}" if value else "without remedies"
        elif name == "origin":
            yield from [f"({value})"] if value else []
        elif name == "prime_updates":
            yield "after heavy priming" if value else "without priming"
        elif name == "agent":
            yield f"with {value}"
        else:
            yield f"with {name.replace('_', ' ')} {plain(value)}"


CHANGES: dict[str, Callable[[Condition, Condition], str]] = {
    "remedies": lambda a, b: f"adding {remedy_names(a.remedies)}{_called(a)}",
    "priming": lambda a, b: (
        f"heavy priming ({plain(a.config('prime_updates'))} updates on the first "
        f"{plain(a.config('prime_transitions'))} transitions)"
    ),
    "replay_ratio": lambda a, b: (
        f"raising the replay ratio from {b.config('replay_ratio')} to {a.config('replay_ratio')}"
    ),
    "fork": lambda a, b: f"going on as {a.label} instead of {b.label}",
    "at_switch": lambda a, b: f"{remedy_names(a.config('at_switch'))} at the switch ({a.label})",
    "offline": lambda a, b: f"pre-training ({a.label} instead of {b.label})",
    "afresh": lambda a, b: f"{a.label} instead of {b.label}",
    "baseline": lambda a, b: f"{a.label} instead of {b.label}",
}


def _called(condition: Condition) -> str:
    """A name of its own may say which of several resets it is."""
    return f" ({condition.label})" if condition.config("label") else ""


def _verb(row: Row) -> str:
    if row["low"] > 0:
        return "raises"
    return "lowers" if row["high"] < 0 else "moves"


def _interval(row: Row, scale: float, digits: int) -> str:
    value, low, high = (row[name] * scale for name in ("value", "low", "high"))
    text = f"difference {value:+,.{digits}f}"
    if math.isnan(low):
        return f"{text}, too few seeds for an interval"
    doubt = " includes 0" if low <= 0 <= high else ""
    return f"{text} [{low:,.{digits}f}, {high:,.{digits}f}]{doubt}{_pairing(row)}"


def _pairing(row: Row) -> str:
    """What sharing a history up to the fork was worth."""
    if row["design"] != "paired":
        return ""
    gain = "" if math.isnan(row["gain"]) else f", {row['gain']:.1f} times as precise as unpaired"
    return f", paired by the history that the seeds share{gain}"


def value_findings(study: Study) -> list[str]:
    """For each task: which conditions' mean Q rises above what any state can be worth."""
    return [
        sentence
        for experiment in study.experiments
        for task in experiment.tasks
        if (sentence := _value_finding(experiment, task))
    ]


def _value_finding(experiment: Experiment, task: str) -> str:
    above, measured = [], []
    for condition in experiment.on(task):
        cap, peak = value_cap(condition, task), value_peak(condition, task)
        if cap is None or peak is None:
            continue
        measured.append(f"{cap:,.0f}")
        if peak[0] > cap:
            above.append(f"{condition.label} (to {_large(peak[0])} at env step {peak[1]:,})")
    if not measured:
        return ""
    cap = " or ".join(dict.fromkeys(measured))
    if not above:
        return f"On {task} the median mean Q of every condition stays below its cap of {cap}."
    return (
        f"On {task} mean Q exceeds its cap of {cap}, which no state can be worth: "
        f"{'; '.join(above)}."
    )


def _large(value: float) -> str:
    return f"{value:,.0f}" if abs(value) < 1e5 else f"{value:.1e}"


def basis(experiment: Experiment, bootstrap: Bootstrap, task: str = "") -> str:
    """What the numbers of an experiment rest on: to be said under every figure and table."""
    pooled = f" {POOLED}." if experiment.scoring.pool and not task else ""
    return f"{size(experiment, task)}, {method(bootstrap)}.{pooled}"


def band_basis(experiment: Experiment, bootstrap: Bootstrap, task: str = "") -> str:
    """The same under a curve, with what its band says."""
    return f"{basis(experiment, bootstrap, task)} {BANDS[bootstrap.band]}"


def size(experiment: Experiment, task: str = "") -> str:
    """Tasks, seeds, env step and replay ratios of an experiment, or of one task of it."""
    tasks = (task,) if task else experiment.tasks
    seeds = sorted({len(c.curves[t].seeds) for t in tasks for c in experiment.on(t)})
    steps = sorted({experiment.steps[t] for t in tasks})
    many = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    until = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}"
    names = task or (tasks[0] if len(tasks) == 1 else f"{len(tasks)} tasks")
    said = [f"{many} seeds", _at(until if steps[-1] else ""), *_ratios(experiment, tasks)]
    return f"{names}: {', '.join(said)}"


def _ratios(experiment: Experiment, tasks: Sequence[str]) -> Iterable[str]:
    run = [c for t in tasks for c in experiment.on(t) if c.config("replay_ratio") is not None]
    ratios = sorted({replay_ratio(c): str(c.config("replay_ratio")) for c in run}.items())
    if ratios:
        yield f"replay ratio {' and '.join(text for _, text in ratios)}"


def method(bootstrap: Bootstrap) -> str:
    """How intervals were made."""
    return (
        f"95% {bootstrap.interval} intervals, {bootstrap.resamples:,} resamples of "
        f"{RESAMPLED[bootstrap.resample]} (bootstrap seed {bootstrap.seed})"
    )


def caveats(study: Study, bootstrap: Bootstrap) -> list[str]:
    """What a careful reader would ask about these numbers."""
    sides = [scores(e, c) for e in study.experiments for c in e.conditions if c.curves]
    said = [WIDENING] if bootstrap.interval == "calibrated" else []
    said += [f"{caution}." for caution in cautions(*sides)]
    if min(side.sizes.min() for side in sides) < 5:
        said.append(FEW_SEEDS)
    said += [
        SELECTION,
        f"{SCOPES[bootstrap.resample]} {OVERLAP}",
        "A score at a fixed step also depends on the distance from the last reset.",
    ]
    return said
