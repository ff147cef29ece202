"""Generated AntMaze data as a file: D4RL's keys in an NPZ, and a header that says what they are."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from primacy import __version__
from primacy.envs.antmaze import ACTION, OBSERVATION
from primacy.replay.offline import transitions
from primacy.runs.data_cloning import Cloning, cloning_score
from primacy.runs.data_controller import Controller
from primacy.runs.data_recipe import Recipe
from primacy.runs.data_rollout import Walk, walks
from primacy.runs.errors import UserError, naming, refusing, try_writing
from primacy.runs.folder import write_json
from primacy.runs.progress import duration

NOT_D4RL = "generated, not D4RL"
"""What every statement about these data must say: scores on them compare with no published one."""
SECONDS_BETWEEN_LINES = 5.0

Say = Callable[[str], None]


def collect(recipe: Recipe, source: Iterator[Walk], say: Say) -> list[Walk]:
    """As many walks as hold the rows; says how far it is every few seconds."""
    found: list[Walk] = []
    rows, begun = 0, time.monotonic()
    said = begun
    while rows < recipe.rows:
        found.append(next(source))
        rows += len(found[-1])
        now = time.monotonic()
        if now - said > SECONDS_BETWEEN_LINES:
            rate = rows / (now - begun)
            left = duration(max(0, recipe.rows - rows) / rate)
            say(f"{rows:,} of {recipe.rows:,} rows, {rate:,.0f} rows/s, {left} left")
            said = now
    return found


def table(recipe: Recipe, found: list[Walk]) -> dict[str, np.ndarray]:
    """D4RL's arrays, [rows, ...]; the last walk is cut where the rows are full.

    A row is rewarded and terminal where it led to the goal (relabel_antmaze_rewards.py); the last
    row of each walk that did not end there is a time-out.
    """
    timeouts = []
    for walk in found:
        ends = np.zeros(len(walk), dtype=bool)
        ends[-1] = not (recipe.stop_at_goal and walk.reached[-1])
        timeouts.append(ends)
    goals = [np.tile(walk.goal.astype(np.float32), (len(walk), 1)) for walk in found]
    reached = np.concatenate([walk.reached for walk in found])
    arrays = {
        "observations": np.concatenate([walk.observations for walk in found]),
        "actions": np.concatenate([walk.actions for walk in found]),
        "rewards": reached.astype(np.float32),
        "terminals": reached,
        "timeouts": np.concatenate(timeouts),
        "infos/goal": np.concatenate(goals),
    }
    cut = {key: part[: recipe.rows].copy() for key, part in arrays.items()}
    cut["timeouts"][-1] |= not (recipe.stop_at_goal and cut["terminals"][-1])
    return cut


def request(recipe: Recipe, controller: Mapping[str, Any], cloning: Cloning) -> dict[str, Any]:
    """What decides the bytes of a file, as its header has it; `controller` is a run's
    configuration."""
    asked = {
        "made": NOT_D4RL,
        "primacy": __version__,
        "recipe": asdict(recipe),
        "controller": dict(controller),
        "cloning": asdict(cloning),
    }
    return json.loads(json.dumps(asked))


def figures(found: list[Walk]) -> dict[str, Any]:
    """What the walks are like, the last one uncut."""
    steps = [walk.arrived for walk in found if walk.arrived is not None]
    return {
        "episodes": len(found),
        "success_share": float(np.mean([walk.reached.any() for walk in found])),
        "arrived_share": len(steps) / len(found),
        "median_steps_to_goal": float(np.median(steps)) if steps else None,
        "median_length": float(np.median([len(walk) for walk in found])),
        "flipped_share": float(np.mean([walk.flipped for walk in found])),
    }


def generate(recipe: Recipe, controller: Controller, cloning: Cloning, out: Path, say: Say) -> None:
    """Write `out` and, beside it, its header as JSON; nothing before all of it is known.

    Raises OSError where they cannot be written.
    """
    found = collect(recipe, walks(recipe, controller.act), say)
    arrays = table(recipe, found)
    header = request(recipe, controller.config, cloning) | figures(found)
    header["rows"] = recipe.rows
    header["controller_mean_speed"] = controller.mean_speed
    header["controller_worst_speed"] = controller.worst_speed
    header["cloning_score"] = None
    if cloning.episodes and cloning.steps:
        say(f"cloning: {cloning.steps:,} gradient steps, then {cloning.episodes} episodes")
        data = transitions(arrays, OBSERVATION, ACTION)
        header["cloning_score"] = cloning_score(data, recipe.task, cloning)
    write(out, arrays, header)
    say(describe(header))


def prepare(out: Path) -> None:
    """Make the folder of `out` and try to write there, which costs less than to fail in the end.

    Raises UserError where it cannot be done.
    """
    hint = "check the permissions and the space, or give another --out"
    with refusing(out.parent, hint):
        out.parent.mkdir(parents=True, exist_ok=True)
    try_writing(_temporary(out), hint)


def _temporary(out: Path) -> Path:
    return out.with_name(out.name + ".part")


def write(out: Path, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> None:
    """An NPZ under a new name, then published by a rename; the same bytes for the same content."""
    temporary = _temporary(out)
    content: dict[str, Any] = {"header": np.array(json.dumps(header)), **arrays}
    with naming(temporary):
        out.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.savez(file, **content)
    write_json(out.with_suffix(".json"), dict(header))
    os.replace(temporary, out)


def read_header(path: Path) -> dict[str, Any]:
    """The header of a file that `write` wrote. Raises UserError for any other file."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return json.loads(str(file["header"]))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise UserError(
            f"{path} is no data set that `primacy data` wrote: {error}",
            "give another path, or move that file away",
        ) from error


def is_there(out: Path, asked: Mapping[str, Any]) -> bool:
    """Whether `out` is the data set asked for. Raises UserError where it is another."""
    if not out.exists():
        return False
    header = read_header(out)
    differ = [key for key, value in asked.items() if header.get(key) != value]
    if differ:
        raise UserError(
            f"{out} was made with another {' and '.join(differ)}",
            "give another --out, or delete that file",
        )
    return True


def describe(header: Mapping[str, Any]) -> str:
    """The header in a few lines for people."""
    recipe, cloning = header["recipe"], header["cloning"]
    median = header["median_steps_to_goal"]
    score = header["cloning_score"]
    lines = [
        f"{recipe['task']}, {NOT_D4RL}: {header['rows']:,} rows in {header['episodes']:,} episodes,"
        f" quality {recipe['quality']:g}, noise {recipe['noise']:g}, seed {recipe['seed']}",
        f"{header['success_share']:.1%} succeeded, {header['arrived_share']:.1%} arrived where "
        f"they went{'' if median is None else f' (median {median:.0f} steps)'}, "
        f"{header['flipped_share']:.1%} ended upside down",
        f"controller: {header['controller_mean_speed']:.2f} m/s, worst heading "
        f"{header['controller_worst_speed']:.2f} m/s",
        "cloning not scored"
        if score is None
        else f"cloning score {score:.0%} of {cloning['episodes']} episodes after "
        f"{cloning['steps']:,} gradient steps",
    ]
    return "\n".join(lines)
