"""What arms in one stack cost beside arms of their own: CPU seconds of whole sweeps, one after
the other on one core.

    python benchmarks/bench_lanes.py                    # four arms, about five minutes

Start of a process, compilation, environments, diagnostics and evaluation are all in, as a user
would pay them.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ARMS = ("none", "reset:every=1000", "shrink-perturb:every=500", "hare-tortoise:every=500")
SIZES = {
    "2x64, batch 64": ("--hidden-sizes", "64", "64", "--batch-size", "64"),
    "2x256, batch 256": ("--hidden-sizes", "256", "256", "--batch-size", "256"),
}


def seconds(lanes: str, size: tuple[str, ...], options: argparse.Namespace) -> float:
    """CPU seconds of a sweep and of all that it starts."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "primacy.runs", "sweep", "--lanes", lanes, "--jobs", "1"]
        command += [
            "--grid",
            f"remedies={';'.join(ARMS)}",
            "--out",
            str(Path(folder) / "arms"),
            *size,
        ]
        command += ["--task", "cartpole-swingup", "--action-repeat", "8", "--seeds", "0", "1"]
        command += ["--env-steps", str(options.env_steps), "--start-steps", "250"]
        command += ["--replay-ratio", "4", "--compile", options.compile]
        command += ["--eval-every", "1000", "--eval-episodes", "1", "--diagnose-every", "1000"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--env-steps", type=int, default=2000)
    parser.add_argument("--compile", default="auto", choices=("auto", "always", "never"))
    options = parser.parse_args()
    print("four arms of two seeds; CPU seconds: own processes / one stack / ratio")
    for name, size in SIZES.items():
        apart, together = (seconds(lanes, size, options) for lanes in ("seeds", "remedies"))
        print(f"{name:<18} {apart:7.1f} {together:7.1f} {apart / together:6.2f}", flush=True)


if __name__ == "__main__":
    main()
