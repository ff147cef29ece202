"""`primacy compare A B`: one condition against another, in the terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from primacy.runs.arguments import parse
from primacy.runs.bootstrap_choices import Interval, Unit
from primacy.runs.errors import UserError
from primacy.runs.import_options import ImportOptions

if TYPE_CHECKING:
    from primacy.runs.report_study import Condition, Experiment, Study
    from primacy.runs.statistics import Bootstrap, Estimate, Scores


@dataclass(frozen=True)
class CompareOptions:
    """The difference A - B with its interval, the probability that A beats B, and each task.

    Forks of one run at one step, and a fork and its parent, are compared seed by seed."""

    a: tyro.conf.Positional[str]
    """A run folder, a folder of runs of one condition, or a condition's name (see --within)."""
    b: tyro.conf.Positional[str]
    """What A is compared with."""
    within: tuple[Path, ...] = ()
    """Folders or files that hold both; A and B are then names of conditions, as reports give
    them."""
    interval: Interval = "calibrated"
    """95% interval: calibrated covers 95% with few seeds too; percentile is rliable's."""
    resample: Unit = "runs"
    """What a repetition would draw anew: seeds within these tasks (runs), tasks, or both."""
    resamples: int = 10_000
    """Bootstrap resamples."""
    bootstrap_seed: int = 0
    """Seed of the bootstrap: the same runs and seed give the same intervals."""
    p_values: bool = False
    """Give the permutation p-value of each difference too, of sides that share no history; its
    interval says more."""
    reading: tyro.conf.OmitArgPrefixes[ImportOptions] = ImportOptions()


def compare(arguments: Sequence[str]) -> int:
    """Print the comparison.

    Raises:
        UserError: nothing to read, a side that is not one condition, or no task in common.
    """
    options = parse(CompareOptions, "primacy compare", arguments)
    from rich.console import Console

    from primacy.runs.import_results import results
    from primacy.runs.statistics import Bootstrap

    places = options.within or (Path(options.a), Path(options.b))
    study = results(places, options.reading)
    a, b = (_side(study, name, bool(options.within)) for name in (options.a, options.b))
    if a[1] is b[1]:
        raise UserError(
            f"{options.a} and {options.b} are the same condition, {a[1].label!r}",
            "compare runs that differ in more than their seeds",
        )
    how = Bootstrap(options.interval, options.resamples, options.bootstrap_seed, options.resample)
    console = Console()
    for part in _said(a, b, how, options.p_values):
        console.print(part, highlight=False)
    for note in study.notes:
        console.print(f"note: {note}", highlight=False)
    return 0


Side = tuple["Experiment", "Condition"]


def _side(study: "Study", name: str, named: bool) -> Side:
    """The one condition that a name, or the runs below a path, stand for."""
    every = [(e, c) for e in study.experiments for c in e.conditions if c.curves]
    if named:
        found = [(e, c) for e, c in every if c.label == name]
        hint = f"the conditions are: {'; '.join(c.label for _, c in every)}"
    else:
        found = [(e, c) for e, c in every if _holds(Path(name), c)]
        hint = f'name two of them: primacy compare "A" "B" --within {name}'
    if len(found) != 1:
        labels = "; ".join(c.label for _, c in found)
        none = f"no condition is called {name!r}" if named else f"{name} has no evaluation yet"
        raise UserError(f"{name} holds {len(found)} conditions: {labels}" if found else none, hint)
    return found[0]


def _holds(place: Path, condition: "Condition") -> bool:
    folders = (run.folder.resolve() for runs in condition.runs.values() for run in runs)
    return any(folder.is_relative_to(place.resolve()) for folder in folders)


def _said(a: Side, b: Side, how: "Bootstrap", p_values: bool) -> Iterator[object]:
    from primacy.runs.report_comparisons import Comparison
    from primacy.runs.report_scores import scores
    from primacy.runs.statistics import AGGREGATES, cautions, difference, improvement, shared_tasks

    paired = a[0] is b[0] and Comparison(*a, b[1], "baseline").paired
    left, right = scores(*a), scores(*b)
    tasks = shared_tasks(left, right)
    left, right = left.only(tasks), right.only(tasks)
    unit = a[0].normaliser.gamma
    found = {name: difference(left, right, name, how, paired=paired) for name in AGGREGATES}
    yield f"A: {a[1].label} ({_seeds(left)})"
    yield f"B: {b[1].label} ({_seeds(right)})"
    yield f"{_tasks(a[0], tasks)}; {a[0].normaliser.words}; {_method(how)}"
    if paired:
        yield "equal seeds share their history up to a fork: differences draw them together"
    yield _aggregates(left, right, found, unit)
    if p_values and not paired:
        yield _p_values(left, right, how)
    yield f"P(A > B): {_shown(improvement(left, right, how), 1.0)}"
    yield _verdict(found["iqm"])
    yield from (f"{caution}." for caution in cautions(left, right))
    if len(tasks) > 1:
        yield _per_task(left, right, how, unit, paired)


def _seeds(scores: "Scores") -> str:
    sizes = sorted({len(seeds) for seeds in scores.seeds.values()})
    return f"{sizes[0]} seeds" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} seeds a task"


def _tasks(experiment: "Experiment", tasks: Sequence[str]) -> str:
    steps = sorted({experiment.steps[task] for task in tasks})
    named = tasks[0] if len(tasks) == 1 else f"{len(tasks)} tasks"
    if not steps[-1]:
        return f"{named}, final scores"
    reached = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}"
    return f"{named} at step {reached}"


def _method(how: "Bootstrap") -> str:
    return (
        f"{how.interval} 95% intervals over {how.resample}, "
        f"{how.resamples:,} resamples, bootstrap seed {how.seed}"
    )


def _aggregates(a: "Scores", b: "Scores", found: dict[str, "Estimate"], unit: float) -> object:
    from rich.table import Table

    from primacy.runs.report_tables import NAMES
    from primacy.runs.statistics import evaluate

    table = Table("", "A", "B", "A - B")
    for name, estimate in found.items():
        values = (f"{unit * float(evaluate(side, name)[0]):.3f}" for side in (a, b))
        table.add_row(NAMES[name], *values, _shown(estimate, unit))
    return table


def _p_values(a: "Scores", b: "Scores", how: "Bootstrap") -> str:
    from primacy.runs.report_tables import NAMES
    from primacy.runs.statistics import AGGREGATES, permutation_p_value

    found = (f"{NAMES[n]} {permutation_p_value(a, b, n, how)[0]:.4f}" for n in AGGREGATES)
    return f"permutation p-values of no difference, {how.resamples:,} each: {', '.join(found)}"


def _per_task(a: "Scores", b: "Scores", how: "Bootstrap", unit: float, paired: bool) -> object:
    from rich.table import Table

    from primacy.runs.statistics import difference, evaluate, probability_of_improvement

    table = Table("task", "A", "B", "A - B", "P(A > B)")
    within = type(how)(how.interval, how.resamples, how.seed)
    for task in a.tasks:
        left, right = a.only((task,)), b.only((task,))
        values = (f"{unit * float(evaluate(side, 'mean')[0]):.3f}" for side in (left, right))
        gap = _shown(difference(left, right, "mean", within, paired=paired), unit)
        table.add_row(task, *values, gap, f"{probability_of_improvement(left, right):.2f}")
    return table


def _shown(estimate: "Estimate", unit: float) -> str:
    value, low, high = (unit * float(x[0]) for x in (estimate.value, estimate.low, estimate.high))
    if low != low:
        return f"{value:.3f} ({estimate.note})"
    return f"{value:.3f} \\[{low:.3f}, {high:.3f}]"


def _verdict(iqm: "Estimate") -> str:
    low, high = float(iqm.low[0]), float(iqm.high[0])
    if low != low:
        return "Too few seeds for an interval: these runs cannot tell A from B."
    if low > 0 or high < 0:
        found = "better" if low > 0 else "worse"
        return f"The interval of the IQM's difference excludes 0: A is {found}."
    return "The interval of the IQM's difference holds 0: these seeds do not tell A from B."
