"""Real runs at smoke size: dm_control's cartpole, a small network, a remedy."""

import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

SMALL = (
    "--agent sac --task cartpole-swingup --action-repeat 8 --seeds 0 1 --replay-ratio 1 "
    "--hidden-sizes 16 16 --batch-size 16 --learning-rate 1e-3 --start-steps 50 --env-steps 300 "
    "--eval-every 100 --eval-episodes 1 --diagnose-every 100 --log-every 50 "
    "--checkpoint-every 40 --compile never --quiet"
).split()
REMEDIES = [
    "--remedies",
    "reset:every=120,unit=env_steps",
    "hare-tortoise:every=60,decay=0.9",
    "l2-init:strength=1e-3",
]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "primacy.runs", *arguments]


def primacy(
    *arguments: str, cwd: Path | None = None, largest_file: int | None = None
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    limit = None
    if largest_file is not None:
        limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest_file, largest_file))
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        check=False,
        preexec_fn=limit,
    )


def train(
    out: Path, *arguments: str, largest_file: int | None = None
) -> subprocess.CompletedProcess[str]:
    given = ("train", *SMALL, *REMEDIES, *arguments, "--out", str(out))
    return primacy(*given, largest_file=largest_file)


def trained(out: Path) -> Path:
    """A run folder after a whole run."""
    answer = train(out)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return out


def start(out: Path, *arguments: str) -> subprocess.Popen[str]:
    return start_command("train", *SMALL, *REMEDIES, *arguments, "--out", str(out))


def start_command(*arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def digest(out: Path) -> str:
    answer = primacy("digest", str(out))
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()
