"""Every `primacy` command of the README runs, at smoke size."""

import re
import shlex
from pathlib import Path

import pytest

from primacy.tests.support.small_runs import primacy

README = Path(__file__).parents[2] / "README.md"
SMALLER = shlex.split(
    "--action-repeat 20 --seeds 0 1 --hidden-sizes 16 16 --batch-size 16 --start-steps 30 "
    "--env-steps 100 --eval-every 50 --eval-episodes 1 --diagnose-every 50 --log-every 50 "
    "--compile never --replay-capacity 200 --quiet"
)


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("primacy ")]


OTHERS = {
    "fork": {"--at": ["40"]},
    "transplant": {"--first": ["50"], "--offline-updates": ["20"], "--env-steps": ["60"]},
}
"""Options of the other commands that take long, and what they are here."""
STUDIES = {
    "dmc-quadruped": ["smoke", "--tasks", "cartpole-swingup", "--conditions", "rr1"],
    "atari100k": ["smoke", "--conditions", "drq"],
}
"""The scale of a study."""
BY_TASK = {
    "atari-breakout": ["--task", "atari-alien", "--action-repeat", "4", "--hidden-size", "8"],
    "cartpole-swingup-pixels": ["--hidden-sizes", "8", "8", "--channels", "2", "2", "2", "2"],
}
"""What replaces the hidden sizes of agents that see."""


def at_smoke_size(command: list[str]) -> list[str]:
    if command[0] not in ("train", "sweep"):
        small = OTHERS.get(command[0], {})
        if command[0] == "run":
            small = {"--scale": STUDIES[command[1]]}
        pairs = zip(["", *command], command, strict=False)
        return [x for before, word in pairs for x in small.get(before, [word])]
    small = [re.sub(r"every=\d+", "every=40", word) for word in command]
    small = [re.sub(r"replay-ratio=1,16", "replay-ratio=1,2", word) for word in small]
    if "--replay-ratio" in small:
        small[small.index("--replay-ratio") + 1] = "1"
    sizes = list(SMALLER)
    for task, others in BY_TASK.items():
        if task in small:
            at = sizes.index("--hidden-sizes")
            sizes[at : at + 3] = others
    primed = ["--prime-updates", "20", "--prime-transitions", "10"]
    return [*small, *sizes, *(primed if "--prime-updates" in small else [])]


def test_the_readme_has_commands():
    assert {command[0] for command in commands()} >= {
        "train",
        "sweep",
        "report",
        "status",
        "fork",
        "transplant",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


# One test, in the README's order: later commands read what earlier ones wrote.
def test_every_command_runs(folder: Path):
    for command in commands():
        answer = primacy(*at_smoke_size(command), cwd=folder)
        assert answer.returncode == 0, (command, answer.stdout[-2000:], answer.stderr[-2000:])
