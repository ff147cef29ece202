"""Which conditions a report compares with which, and why."""

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import NamedTuple

from primacy.runs.errors import UserError
from primacy.runs.report_study import Condition, Experiment, Study
from primacy.runs.results import Run


class Comparison(NamedTuple):
    """`a` is compared with `b`, its reference, because of `change`."""

    experiment: Experiment
    a: Condition
    b: Condition
    change: str
    """remedies, priming, replay_ratio, fork, baseline, or one of `SWITCHES`."""

    @property
    def paired(self) -> bool:
        """Whether equal seeds of both sides share their history up to a fork, on every task."""
        tasks = [task for task in self.a.curves if task in self.b.curves]
        return all(
            self.a.curves[task].seeds == self.b.curves[task].seeds
            and _forked(self.a.runs[task], self.b.runs[task])
            for task in tasks
        )


def compare(study: Study, baseline: str = "") -> Iterable[Comparison]:
    """Pairs that differ in remedies alone, in priming alone, or in replay ratio alone.

    With a baseline: every other condition of its experiment against it. Of conditions of which
    nothing is known but returns, every other one against the first.
    """
    if baseline:
        named = [(e, c) for e in study.experiments for c in e.conditions if c.label == baseline]
        if not named:
            known = "; ".join(condition.label for condition in study.conditions)
            raise UserError(f"no condition is called {baseline!r}", f"the conditions are: {known}")
        yield from _against(*named[0])
        return
    for experiment in study.experiments:
        if all(condition.imported for condition in experiment.conditions):
            yield from _against(experiment, experiment.conditions[0])
            continue
        for b, a in permutations(experiment.conditions, 2):
            change = _change(experiment, a, b)
            if change and set(a.curves) & set(b.curves):
                yield Comparison(experiment, a, b, change)


def _against(experiment: Experiment, reference: Condition) -> Iterable[Comparison]:
    for other in experiment.conditions:
        if other is not reference and set(other.curves) & set(reference.curves):
            yield Comparison(experiment, other, reference, "baseline")


def _forked(a: Sequence[Run], b: Sequence[Run]) -> bool:
    """Whether two runs are forks of one, or one is a fork of the other."""
    if len(a) != 1 or len(b) != 1:
        return False
    begun = [run.origin if run.origin.get("kind") == "fork" else {} for run in (a[0], b[0])]
    points = [(origin.get("parent"), origin.get("at")) for origin in begun]
    if all(begun):
        return points[0] == points[1]
    folders = [str(run.folder.resolve()) for run in (b[0], a[0])]
    return any(o and o["parent"] == folder for o, folder in zip(begun, folders, strict=True))


def _change(experiment: Experiment, a: Condition, b: Condition) -> str:
    """In what alone `a` differs from its reference `b`, or an empty string."""
    if switched := _switched(a, b):
        return switched
    if a.settings.get("origin") and not b.settings.get("origin"):
        forked = Comparison(experiment, a, b, "fork")
        return "fork" if set(a.curves) & set(b.curves) and forked.paired else ""
    if a.remedies and not b.remedies and a.without("remedies") == b.without("remedies"):
        return "remedies"
    priming = ("prime_updates", "prime_transitions")
    if a.settings.get("prime_updates") and not b.settings.get("prime_updates"):
        return "priming" if a.without(*priming) == b.without(*priming) else ""
    if "replay_ratio" not in a.settings or a.without("replay_ratio") != b.without("replay_ratio"):
        return ""
    ratios = [
        replay_ratio(c)
        for c in experiment.conditions
        if c.without("replay_ratio") == a.without("replay_ratio")
    ]
    ends = (min(ratios), max(ratios))
    return "replay_ratio" if (replay_ratio(b), replay_ratio(a)) == ends else ""


SWITCHES = {
    ((True, True), (True, False)): "at_switch",
    ((True, False), (False, False)): "offline",
    ((True, True), (False, False)): "afresh",
}
"""Whether each side has offline updates, and something done to it where they end -> the change."""

FOLLOWS = ("offline_updates", "at_switch", "warmup_policy", "origin")
"""Settings that follow from an offline phase and its end."""


def _switched(a: Condition, b: Condition) -> str:
    """What the offline phase and its end make of two conditions that are else the same."""
    if a.without(*FOLLOWS) != b.without(*FOLLOWS):
        return ""
    sides = [(bool(c.config("offline_updates")), bool(c.config("at_switch"))) for c in (a, b)]
    return SWITCHES.get((sides[0], sides[1]), "")


def replay_ratio(condition: Condition) -> float:
    """Gradient steps per env step."""
    above, _, below = str(condition.config("replay_ratio")).partition("/")
    return float(above) / float(below or 1)
