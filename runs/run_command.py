"""`primacy run STUDY`: a published study as named conditions, one command each."""

import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro

from primacy.agents.transitions import Transitions
from primacy.runs import dmc_quadruped
from primacy.runs.arguments import parse
from primacy.runs.assembly import make_agent
from primacy.runs.compilation import planned_updates
from primacy.runs.config import RunConfig, near
from primacy.runs.environment import environment
from primacy.runs.errors import UserError
from primacy.runs.progress import duration
from primacy.runs.randomness import Randomness
from primacy.runs.sweep import Cell, run_all

STUDIES = {"dmc-quadruped": dmc_quadruped}

SPEED_TEST_SECONDS = 5.0
COMPILED = 3.0
"""By about how much a compiled update is faster; benchmarks/bench_update.py measures it."""


@dataclass(frozen=True)
class StudyOptions:
    """Run a study's conditions side by side; finished runs are skipped, unfinished ones go on."""

    study: tyro.conf.Positional[str]
    """dmc-quadruped."""
    out: Path
    """Folder of the run folders TASK/CONDITION."""
    scale: Literal["paper", "cpu", "smoke"] = "cpu"
    """Published sizes; sizes for some hours on a CPU; a trial of a few minutes."""
    tasks: tuple[str, ...] = ()
    """Other tasks than the study's two."""
    seeds: tuple[int, ...] = ()
    """Other seeds than the scale's."""
    conditions: tuple[str, ...] = ()
    """Only these conditions, for example rr32 rr32-reset."""
    jobs: int = 0
    """Runs side by side (0: one per core)."""
    dry_run: bool = False
    """Print the commands and the cost, and run nothing."""
    report: bool = True
    """Write OUT/report at the end."""


def run(arguments: Sequence[str]) -> int:
    """Print the commands and their cost, run them, and write the report."""
    options = parse(StudyOptions, "primacy run", arguments)
    if options.study not in STUDIES:
        raise UserError(f"unknown study {options.study!r}", near(options.study, list(STUDIES)))
    study = STUDIES[options.study]
    scale = study.SCALES[options.scale]
    if options.seeds:
        scale = replace(scale, seeds=options.seeds)
    tasks = options.tasks or study.TASKS
    cells = _chosen([c for task in tasks for c in study.conditions(task, scale)], options)
    for cell in cells:
        print(shlex.join(["primacy", *cell.arguments]))
    print(study.intervals(scale))
    jobs = options.jobs or os.cpu_count() or 1
    print(cost(cells, jobs), flush=True)
    if options.dry_run:
        return 0
    failed = run_all(cells, options.out, jobs)
    if options.report and len(failed) < len(cells):
        from primacy.runs.report import ReportOptions
        from primacy.runs.report import run as report

        report(ReportOptions((options.out,), options.out / "report", f"{options.study} study"))
    return 1 if failed else 0


def _chosen(cells: Sequence[Cell], options: StudyOptions) -> list[Cell]:
    """The conditions asked for, with their folders and with what they begin from."""
    names = {cell.name.rpartition("/")[2] for cell in cells}
    for name in options.conditions:
        if name not in names:
            raise UserError(f"unknown condition {name!r}", near(name, sorted(names)))
    wanted = {c.name for c in cells if c.name.rpartition("/")[2] in options.conditions}
    needed = wanted | {cell.after for cell in cells if cell.name in wanted}
    return [
        replace(cell, arguments=_placed(cell, options.out))
        for cell in cells
        if not options.conditions or cell.name in needed
    ]


def _placed(cell: Cell, out: Path) -> tuple[str, ...]:
    place = ("--out", str(out / cell.name), "--quiet")
    return (*(text.format(out=out) for text in cell.arguments), *place)


def cost(cells: Sequence[Cell], jobs: int) -> str:
    """How long the cells take, from a speed test of their updates and their simulator."""
    config = cells[0].config
    update, step = speed(config)
    steps = sum(cell.config.env_steps * len(cell.config.seeds) for cell in cells)
    updates = sum(planned_updates(cell.config) for cell in cells)
    seconds = (updates * update / COMPILED + steps * step) / jobs
    return (
        f"{len(cells)} runs, {updates:,} gradient steps of {len(config.seeds)} seeds and "
        f"{steps:,} env steps: about {duration(seconds)} on {jobs} cores with compiled updates "
        f"(uncompiled {1e3 * update:.1f} ms here), evaluations not counted"
    )


def speed(config: RunConfig) -> tuple[float, float]:
    """Seconds of an uncompiled update of all seeds, and of an env step of one."""
    env = environment(config)
    env.reset(seed=0)
    begun, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - begun) < SPEED_TEST_SECONDS / 5:
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        count += 1
        if terminated or truncated:
            env.reset()
    step = spent / count
    observation, action = env.observation_space.shape, env.action_space.shape
    env.close()
    assert observation is not None
    assert action is not None
    return _update_seconds(config, int(np.prod(observation)), int(np.prod(action))), step


def _update_seconds(config: RunConfig, observation: int, action: int) -> float:
    torch.set_num_threads(1)
    agent, _ = make_agent(config, Randomness(config.seeds), observation, action)
    shape = (len(config.seeds), config.batch_size)
    batch = Transitions(
        torch.randn(*shape, observation),
        torch.rand(*shape, action),
        torch.rand(shape),
        torch.full(shape, 0.99),
        torch.randn(*shape, observation),
    )
    source = Randomness(config.seeds).source("policy-noise", 0, 1)
    noise = agent.draw(source, config.batch_size)[0]
    agent.update(batch, noise)
    begun, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - begun) < SPEED_TEST_SECONDS * 4 / 5:
        agent.update(batch, noise)
        count += 1
    return spent / count
