"""`primacy run STUDY`: a published study as named conditions, one command each."""

import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro

from primacy.runs import antmaze, atari100k, dmc_quadruped
from primacy.runs.arguments import parse
from primacy.runs.assembly import assemble
from primacy.runs.compilation import planned_updates
from primacy.runs.config import RunConfig, near
from primacy.runs.environment import environment
from primacy.runs.errors import UserError
from primacy.runs.learning import Learner
from primacy.runs.progress import duration
from primacy.runs.sweep import Cell, at_once, check_folders, check_jobs, run_all

STUDIES = {"dmc-quadruped": dmc_quadruped, "antmaze": antmaze, "atari100k": atari100k}

SPEED_TEST_SECONDS = 5.0
TRIED = 1_000
"""Random transitions per seed that updates are tried on."""
PLAIN: dict[str, Any] = {
    "offline_data": "",
    "offline_updates": 0,
    "relearn_updates": 0,
    "at_switch": (),
    "online_sampling": "append",
    "normalize_observations": False,
}
"""What leaves a run without given transitions."""
COMPILED = 3.0
"""By about how much a compiled update is faster; benchmarks/bench_update.py measures it."""


@dataclass(frozen=True)
class StudyOptions:
    """Run a study's conditions side by side; finished runs are skipped, unfinished ones go on."""

    study: tyro.conf.Positional[str]
    """dmc-quadruped, antmaze or atari100k."""
    out: Path
    """Folder of the run folders TASK/CONDITION."""
    scale: Literal["paper", "cpu", "smoke"] = "cpu"
    """Published sizes; sizes for some hours on a CPU; a trial of a few minutes."""
    tasks: tuple[str, ...] = ()
    """Other tasks than the study's own (atari100k at paper scale: all 26 games, else one)."""
    seeds: tuple[int, ...] = ()
    """Other seeds than the scale's."""
    conditions: tuple[str, ...] = ()
    """Only these conditions, for example rr32 rr32-reset."""
    offline_data: str = ""
    """Of antmaze: a data file, {task} standing for the task. Without it data are made first; at
    paper scale D4RL's own are fetched."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the networks and replay of every run live."""
    jobs: int = 0
    """Runs side by side (0: one per core; on a GPU one)."""
    dry_run: bool = False
    """Print the commands and the cost, and run nothing."""
    report: bool = True
    """Write OUT/report at the end."""


def run(arguments: Sequence[str]) -> int:
    """Print the commands and their cost, run them, and write the report."""
    options = parse(StudyOptions, "primacy run", arguments)
    if options.study not in STUDIES:
        raise UserError(f"unknown study {options.study!r}", near(options.study, list(STUDIES)))
    check_jobs(options.jobs)
    study = STUDIES[options.study]
    scale = study.SCALES[options.scale]
    if options.seeds:
        scale = replace(scale, seeds=options.seeds)
    tasks = options.tasks or getattr(scale, "tasks", study.TASKS)
    cells = _chosen([c for task in tasks for c in _conditions(task, scale, options)], options)
    jobs = at_once(options.jobs, cells)
    if not options.dry_run:
        check_folders(cells, options.out)
    for cell in cells:
        print(shlex.join(["primacy", *cell.arguments]))
    print(study.intervals(scale))
    print(cost(cells, jobs), flush=True)
    if options.dry_run:
        return 0
    failed = run_all(cells, options.out, jobs)
    if options.report and len(failed) < len(cells):
        from primacy.runs.report import ReportOptions
        from primacy.runs.report import run as report

        report(ReportOptions((options.out,), options.out / "report", f"{options.study} study"))
    return 1 if failed else 0


def _conditions(task: str, scale: Any, options: StudyOptions) -> Iterable[Cell]:
    if options.study == "antmaze":
        return antmaze.conditions(task, scale, options.offline_data.replace("{task}", task))
    if options.offline_data:
        raise UserError(f"{options.study} uses no offline data", "leave --offline-data out")
    return STUDIES[options.study].conditions(task, scale)


def _chosen(cells: Sequence[Cell], options: StudyOptions) -> list[Cell]:
    """The conditions asked for, with their folders and with what they begin from."""
    names = {cell.name.rpartition("/")[2] for cell in cells}
    for name in options.conditions:
        if name not in names:
            raise UserError(f"unknown condition {name!r}", near(name, sorted(names)))
    needed = {c.name for c in cells if c.name.rpartition("/")[2] in options.conditions}
    # What a cell waits for comes before it.
    for cell in reversed(cells):
        needed |= {cell.after} if cell.name in needed else set()
    return [
        _placed(_on(options.device, cell), options.out)
        for cell in cells
        if not options.conditions or cell.name in needed
    ]


def _on(device: str, cell: Cell) -> Cell:
    """A cell whose run lives there; what makes a file stays on the CPU."""
    if cell.file or device == cell.config.device:
        return cell
    arguments = (*cell.arguments, "--device", device)
    return replace(cell, arguments=arguments, config=replace(cell.config, device=device))


def _placed(cell: Cell, out: Path) -> Cell:
    place = ("--out", f"{out / cell.name}{cell.file}", "--quiet")
    arguments = (*(text.replace("{out}", str(out)) for text in cell.arguments), *place)
    data = cell.config.offline_data.replace("{out}", str(out))
    return replace(cell, arguments=arguments, config=replace(cell.config, offline_data=data))


def cost(cells: Sequence[Cell], jobs: int) -> str:
    """How long the cells take, from a speed test of the updates and the simulator of each kind."""
    kinds: dict[Any, list[Cell]] = {}
    for cell in cells:
        kinds.setdefault(_kind(cell.config), []).append(cell)
    seconds, evaluation, slowest = 0.0, 0.0, 0.0
    for group in kinds.values():
        update, step, longest = speed(group[0].config, SPEED_TEST_SECONDS / len(kinds))
        steps = sum(_steps(cell) for cell in group)
        episodes = sum(_evaluations(cell) for cell in group)
        seconds += sum(map(_updates, group)) * update / COMPILED + steps * step
        evaluation += episodes * longest * step
        slowest = max(slowest, update)
    updates, steps = sum(map(_updates, cells)), sum(map(_steps, cells))
    seeds = max(len(cell.config.seeds) for cell in cells)
    return (
        f"{len(cells)} runs, {updates:,} gradient steps of {seeds} seeds and "
        f"{steps:,} env steps: about {duration(seconds / jobs)} with {jobs} at once and compiled "
        f"updates (uncompiled {1e3 * slowest:.1f} ms here); evaluations at most "
        f"{duration(evaluation / jobs)} more"
    )


def _kind(config: RunConfig) -> Any:
    """What decides how long an update and an env step take."""
    names = ("task", "action_repeat", "backend", "batch_size", "algorithm")
    return (*(getattr(config, name) for name in names), len(config.seeds))


def _steps(cell: Cell) -> int:
    return cell.config.env_steps * len(cell.config.seeds)


def _updates(cell: Cell) -> int:
    """Gradient steps of its own: a fork has the offline ones from its parent."""
    shared = cell.config.offline_updates if cell.arguments[0] == "fork" else 0
    return planned_updates(cell.config) - shared


def _evaluations(cell: Cell) -> int:
    """Evaluation episodes."""
    config = cell.config
    if not config.eval_every:
        return 0
    return (config.env_steps // config.eval_every or 1) * config.eval_episodes * len(config.seeds)


def speed(config: RunConfig, test: float) -> tuple[float, float, int]:
    """Seconds of an uncompiled gradient step of all seeds, and of an env step of one, and the env
    steps of the longest episode; the test takes about `test` seconds."""
    env = environment(config)
    env.reset(seed=0)
    begun, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - begun) < test / 5:
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        count += 1
        if terminated or truncated:
            env.reset()
    step = spent / count
    longest = (getattr(env, "episode_frames", None) or 0) // config.action_repeat
    env.close()
    return _update_seconds(config, test * 4 / 5), step, longest


def _update_seconds(config: RunConfig, test: float) -> float:
    """Of one gradient step with its batch, on random transitions."""
    # An offline phase has no env step, and replay has no room without one.
    tried = replace(config, env_steps=max(TRIED, config.env_steps), **PLAIN)
    parts = assemble(replace(tried, replay_capacity=TRIED), lambda line: None)
    parts.lanes.close()
    lanes, spaces = len(config.seeds), parts.spaces
    numbers = np.random.default_rng(0)
    frames = (lanes, TRIED, *spaces.observation)
    seen = numbers.integers(256, size=frames, dtype=np.uint8)
    if not spaces.stack:
        seen = numbers.standard_normal(frames, np.float32)
    acted = numbers.uniform(-1, 1, (lanes, TRIED, spaces.actions)).astype(np.float32)
    action = acted.argmax(-1).astype(np.float32) if spaces.choices else acted
    none = np.zeros((lanes, TRIED), np.float32)
    rows = parts.layout.pack(seen, action, none, none, none, np.roll(seen, -1, 1))
    parts.replay.extend(rows)
    learner, steps = Learner(parts), config.algorithm.steps_per_update
    learner.learn(steps, lambda: None)
    parts.settle()
    begun, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - begun) < test:
        learner.learn(steps, lambda: None)
        parts.settle()
        count += 1
    return spent / (count * steps)
