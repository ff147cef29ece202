"""CPU and wall time of a whole report, and the size of its page; run folders are made first.

python benchmarks/bench_report.py        # 26 tasks x 3 conditions x 10 seeds x 101 checkpoints
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from primacy.runs.report import ReportOptions, run
from primacy.tests.support.report_runs import write_run

CONDITIONS = (("4", ()), ("32", ()), ("32", ("reset:every=100000,unit=env_steps",)))


def folders(root: Path, tasks: int, seeds: int, checkpoints: int) -> Path:
    """A run folder per task and condition, with returns and mean Q at every checkpoint."""
    steps = (5000 * np.arange(1, checkpoints + 1)).tolist()
    part = np.arange(1, checkpoints + 1) / checkpoints
    for task in range(tasks):
        for at, (ratio, remedies) in enumerate(CONDITIONS):
            noise = np.random.default_rng([task, at])
            end = noise.uniform(150, 900)
            shape = end * part**0.6
            courses = {
                seed: shape * noise.normal(1, 0.1) + noise.normal(0, 20, checkpoints)
                for seed in range(seeds)
            }
            returns = {s: np.clip(c, 0, 1000).round(2).tolist() for s, c in courses.items()}
            write_run(
                root / f"{task}-{at}",
                returns,
                steps,
                mean_q={s: (c / 8).round(3).tolist() for s, c in courses.items()},
                task=f"domain-task{task}",
                replay_ratio=ratio,
                remedies=list(remedies),
                resets=steps[19::20] if remedies else [],
                env_steps=steps[-1],
            )
    return root


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=26)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--checkpoints", type=int, default=101)
    parser.add_argument("--keep", type=Path, help="folder to leave runs and report in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = options.keep or Path(temporary)
        runs = folders(place / "runs", options.tasks, options.seeds, options.checkpoints)
        before, start = os.times(), time.perf_counter()
        run(ReportOptions((runs,), place / "report"))
        wall, after = time.perf_counter() - start, os.times()
        page = (place / "report" / "index.html").stat().st_size
    own = after.user + after.system - before.user - before.system
    workers = after.children_user + after.children_system
    workers -= before.children_user + before.children_system
    print(f"CPU {own:.1f} s here and {workers:.1f} s in workers, wall {wall:.1f} s")
    print(f"page {page / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
