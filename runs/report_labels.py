"""Which settings make a condition, and short readable names for conditions."""

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

NOT_A_CONDITION = frozenset(
    {"task", "seeds", "label", "env_steps", "eval_every", "eval_episodes", "diagnose_every"}
    | {"log_every", "checkpoint_every", "keep_checkpoints", "device", "compile", "threads"}
    | {"given_transitions"}  # The origin of a run says it.
)
"""Settings that may differ between runs of one condition: budget, measurement and machine."""

SORTED = {"prime_updates": -1, "prime_transitions": 0, "replay_ratio": 2, "remedies": 3}
"""Which settings order conditions first and last; all others come in between."""

SAID = {"agent", "origin", "prime_updates", "prime_transitions", "replay_ratio", "remedies"}
"""Settings that are told also where the agent decides them."""

Settings = dict[str, Any]


def canonical(name: str, value: Any) -> str:
    """One text for equal values: "32" and "32/1" are the same replay ratio."""
    if name == "replay_ratio" and value is not None:
        return str(Fraction(str(value)))
    return json.dumps(value, sort_keys=True)


def effective(config: Settings) -> Settings:
    """A configuration without what it says but does not use: on how much it would be primed."""
    return config if config.get("prime_updates") else {**config, "prime_transitions": 0}


def varied(configs: Sequence[Settings], ignored: frozenset[str] = NOT_A_CONDITION) -> list[str]:
    """Names of settings whose values differ between `configs`, in configuration order."""
    names = dict.fromkeys(name for config in configs for name in config)
    return [
        name
        for name in names
        if name not in ignored and len({canonical(name, c.get(name)) for c in configs}) > 1
    ]


def told(configs: Sequence[Settings]) -> list[str]:
    """Those of the varied settings that make names and sentences: where agents differ, what
    follows from the agent (another algorithm has other fields) is not worth a word."""
    names = varied(configs)
    if "agent" not in names:
        return names
    return [name for name in names if name in SAID or not _follows(name, configs)]


def _follows(name: str, configs: Sequence[Settings]) -> bool:
    """Whether all conditions of an agent have one value."""
    agents = {canonical("agent", config.get("agent")) for config in configs}
    pairs = {(canonical("agent", c.get("agent")), canonical(name, c.get(name))) for c in configs}
    return len(pairs) == len(agents)


def order(settings: Settings) -> tuple:
    """Sort key: unprimed first, then by value, so that without and with remedies are neighbours."""
    return tuple(_rank(n, settings[n]) for n in sorted(settings, key=lambda n: SORTED.get(n, 1)))


def _rank(name: str, value: Any) -> tuple:
    if value is None:
        return (-1, 0.0, "")
    if name == "replay_ratio" and value is not None:
        return (0, float(Fraction(str(value))), "")
    if isinstance(value, int | float):
        return (0, float(value), "")
    return (1, len(value) if isinstance(value, list) else 0, canonical(name, value))


def plain(value: Any) -> str:
    """A setting as a reader would write it."""
    if isinstance(value, list) and value and all(isinstance(v, int) for v in value):
        return "x".join(map(str, value))
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if value is None or value == "":
        return "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def remedy_name(remedy: str) -> str:
    """The name of a remedy, also where its text is an event: reset for "reset:every=2000"."""
    return remedy.split(":")[0]


def remedy_names(remedies: Sequence[str]) -> str:
    """Names alone: reset + shrink-perturb for ["reset:every=2000", "shrink-perturb:shrink=0.8"]."""
    return " + ".join(map(remedy_name, remedies))


def _remedies(value: list[str], rivals: Sequence[list[str]]) -> str:
    namesakes = {tuple(r) for r in rivals if r and remedy_names(r) == remedy_names(value)}
    return " + ".join(value) if len(namesakes) > 1 else remedy_names(value)


def _primed(value: int, rivals: Sequence[int]) -> str:
    amounts = {rival for rival in rivals if rival}
    return "" if not value else "primed" if len(amounts) == 1 else f"primed {value:,} updates"


def _primed_on(value: int, rivals: Sequence[int]) -> str:
    amounts = {rival for rival in rivals if rival}
    return f"on {value:,} transitions" if value and len(amounts) > 1 else ""


DESCRIBE: dict[str, Callable[[Any, Sequence[Any]], str]] = {
    "replay_ratio": lambda value, rivals: f"replay ratio {value}",
    "remedies": _remedies,
    "prime_updates": _primed,
    "prime_transitions": _primed_on,
    "origin": lambda value, rivals: value,
}


def labels(conditions: Sequence[Settings]) -> list[str]:
    """A short label for each condition of one experiment, made of what differs between them.

    A configuration's own "label" wins; labels that would be equal get the difference appended.
    """
    names = told(conditions)
    made = [_label(settings, names, conditions) for settings in conditions]
    own = [settings.get("label") or text for settings, text in zip(conditions, made, strict=True)]
    return [
        text if own.count(text) == 1 else f"{text} ({made[i]})" if made[i] != text else text
        for i, text in enumerate(own)
    ]


def _label(settings: Settings, names: list[str], conditions: Sequence[Settings]) -> str:
    if len(conditions) == 1:
        names = [n for n in ("prime_updates", "replay_ratio", "remedies") if n in settings]
    pieces = {}
    for name in names:
        rivals = [c.get(name) for c in conditions]
        describe = DESCRIBE.get(name, lambda value, _, name=name: _setting(name, value))
        pieces[name] = "" if settings.get(name) is None else describe(settings[name], rivals)
    remedies = pieces.pop("remedies", "")
    text = " + ".join(filter(None, [", ".join(filter(None, pieces.values())), remedies]))
    return text or _plain_label(names, conditions)


def _setting(name: str, value: Any) -> str:
    return f"{name.replace('_', ' ')} {plain(value)}"


def _plain_label(names: list[str], conditions: Sequence[Settings]) -> str:
    """The label of the condition that has nothing the others have."""
    if "prime_updates" in names or "remedies" not in names:
        return "control"
    used = {remedy_names(c.get("remedies") or []) for c in conditions} - {""}
    return f"no {used.pop()}" if len(used) == 1 else "no remedy"


METRICS = {
    "dead": "share of dead units",
    "dist_init": "distance from initialisation",
    "dormant_0.025": "dormant share at 0.025",
    "dormant_0.1": "dormant share at 0.1",
    "erank": "effective rank",
    "erank_centred": "effective rank, centred",
    "fau": "fraction of active units",
    "grad_norm": "gradient norm",
    "mean_q": "mean Q",
    "srank_0.99": "srank at 0.99",
    "stable_rank_fro": "stable rank",
}
"""Diagnostics by the names of papers; others are shown by their own."""


def metric_name(metric: str) -> str:
    """A diagnostic as readers call it."""
    return METRICS.get(metric, metric.replace("_", " "))
