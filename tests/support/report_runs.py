"""Write synthetic run folders in exactly the files `primacy train` leaves."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from primacy.runs.tables import COLUMNS

DEFAULTS: dict[str, Any] = {
    "agent": "sac",
    "task": "walker-stand",
    "seeds": [0, 1, 2],
    "replay_ratio": "1",
    "remedies": [],
    "env_steps": 8000,
    "start_steps": 250,
    "action_repeat": 4,
    "discount": 0.99,
    "eval_every": 500,
    "prime_updates": 0,
    "prime_transitions": 100,
    "batch_size": 64,
    "hidden_sizes": [64, 64],
    "learning_rate": 0.001,
    "label": "",
}

Returns = Mapping[int, Sequence[float]]
"""Seed -> return of each evaluation."""


def write_run(
    folder: Path,
    returns: Returns,
    steps: Sequence[int],
    *,
    state: str = "finished",
    mean_q: Returns | None = None,
    episodes: Iterable[tuple[int, int, float]] = (),
    diagnostics: Iterable[tuple[Any, ...]] = (),
    resets: Sequence[int] = (),
    events: Iterable[tuple[int, int, str]] = (),
    origin: Mapping[str, Any] | None = None,
    **config: Any,
) -> Path:
    """One run folder.

    Args:
        steps: env step of each evaluation, the same for all seeds (a shorter list of returns stops
            early).
        episodes: (seed, env_step, success) of finished training episodes.
        mean_q: seed -> mean Q at each of `steps`, written to training.csv.
        diagnostics: (seed, env_step, network, layer, metric, value) rows.
        resets: env steps at which the first remedy fired.
        events: further (seed, env_step, event).
        origin: {"fork": {...}} or {"transplant": {...}} of config.json.
        config: what differs from `DEFAULTS`; None removes a setting.
    """
    folder.mkdir(parents=True, exist_ok=True)
    merged = {**DEFAULTS, "seeds": sorted(returns), **config}
    merged = {name: value for name, value in merged.items() if value is not None}
    repeat = merged.get("action_repeat", 1)
    done = max((steps[len(values) - 1] for values in returns.values() if values), default=0)
    command = ["primacy", "train", "--task", merged["task"], "--out", folder.name]
    document = {"schema": 1, "config": merged, "commit": "abc123", "command": command}
    document |= origin or {}
    (folder / "config.json").write_text(json.dumps(document))
    status = {"state": state, "env_step": done, "env_steps": merged.get("env_steps", done)}
    (folder / "status.json").write_text(json.dumps(status))
    write_csv(
        folder / "evaluations.csv",
        (
            (s, t, t * 4, t * repeat, 3, r, 1.5, r - 1, r + 1, 250, f"{r - 1} {r} {r + 1}", "")
            for s, values in returns.items()
            for t, r in zip(steps, values, strict=False)
        ),
    )
    training = [(s, t, t * 4, "episode_success", success) for s, t, success in episodes]
    for s, values in (mean_q or {}).items():
        training += [(s, t, t * 4, "mean_q", q) for t, q in zip(steps, values, strict=False)]
    write_csv(folder / "training.csv", training)
    write_csv(
        folder / "plasticity.csv",
        ((s, t, t * 4, "interval", *rest) for s, t, *rest in diagnostics),
    )
    remedy = (merged.get("remedies") or [""])[0]
    fired = [(-1, 0, "start"), *((-1, step, remedy) for step in resets)]
    write_csv(folder / "events.csv", ((s, t, t * 4, e, "") for s, t, e in [*fired, *events]))
    return folder


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS[path.stem].split())
        writer.writerows(rows)


def constant(values: Mapping[int, float], points: int = 4) -> dict[int, list[float]]:
    """Seed -> the same return at every evaluation."""
    return {seed: [value] * points for seed, value in values.items()}


ACTIVITY = (
    "dormant_0.025",
    "dormant_0.1",
    "dead",
    "fau",
    "feature_norm",
    "weight_norm",
    "dist_init",
)
RANKS = ("erank", "erank_centred", "srank_0.99", "stable_rank_fro")
DIAGNOSTICS = [
    *((network, "", "grad_norm") for network in ("critic", "actor")),
    *(
        (network, f"{network}.{layer}", metric)
        for network in ("critic", "actor")
        for layer, metrics in ((0, ACTIVITY), (1, (*ACTIVITY, *RANKS)), ("q", ACTIVITY[-2:]))
        for metric in metrics
    ),
]
"""Network, layer and metric of every row `primacy train` writes for SAC, more or less."""


def demo(root: Path, metrics: Sequence[tuple[str, str, str]] = DIAGNOSTICS) -> Path:
    """Folders as the demonstration makes them: priming on one task, an ablation on another."""
    cartpole = np.arange(250, 4001, 250)
    primed = {"prime_updates": 30000, "prime_transitions": 125}
    for name, end, q, config in (
        ("control", 678, 180, {}),
        ("primed", 167, 5e4, primed),
        ("primed-reset", 786, 140, {**primed, "remedies": ["reset:every=1499,unit=env_steps"]}),
    ):
        _demo_run(
            root / "priming" / name, cartpole, 137, end, q, metrics,
            task="cartpole-swingup", action_repeat=8, env_steps=4000, eval_every=250,
            replay_ratio="4", resets=[1499] if "remedies" in config else [], **config,
        )  # fmt: skip
    walker = np.arange(500, 8001, 500)
    reset = ["reset:every=2000,unit=env_steps"]
    for ratio, name, end, q in (
        ("4", "none", 344, 60),
        ("4", "reset", 279, 55),
        ("32", "none", 342, 238),
        ("32", "reset", 731, 198),
    ):
        _demo_run(
            root / "ablation" / f"{name}-{ratio}", walker, 142, end, q, metrics,
            replay_ratio=ratio, remedies=reset if name == "reset" else [],
            resets=[2249, 4249, 6249] if name == "reset" else [],
        )  # fmt: skip
    return root


def _demo_run(
    folder: Path,
    steps: np.ndarray,
    start: float,
    end: float,
    q: float,
    metrics: Sequence[tuple[str, str, str]],
    **config: Any,
) -> None:
    noise = np.random.default_rng([sum(folder.name.encode()), len(folder.name)])
    part = steps / steps[-1]
    returns, mean_q, diagnostics = {}, {}, []
    for seed in range(3):
        spread = noise.normal(1, 0.08)
        course = (start + (end - start) * part**1.3) * spread
        returns[seed] = np.clip(course + noise.normal(0, 18, len(steps)), 1, 995).round(3).tolist()
        late = q * (1 - np.exp(-4 * part)) * noise.lognormal(0, 0.15, len(steps))
        mean_q[seed] = late.round(3).tolist()
        for network, layer, metric in metrics:
            values = (20 + 0.02 * end * part) * noise.normal(1, 0.02, len(steps))
            diagnostics += [
                (seed, t, network, layer, metric, round(float(v), 5))
                for t, v in zip(steps.tolist(), values, strict=True)
            ]
    write_run(folder, returns, steps.tolist(), mean_q=mean_q, diagnostics=diagnostics, **config)
