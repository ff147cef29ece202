"""Heavy priming: so many updates at once on the first transitions, then the normal schedule."""

import csv
from pathlib import Path

from primacy.runs import cli
from primacy.tests.support.small_runs import SMALL

PRIMED = ["--prime-updates", "90", "--prime-transitions", "60", "--eval-every", "0"]


def events(out: Path) -> list[tuple[str, int, int]]:
    with (out / "events.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [(r["event"], int(r["env_step"]), int(r["gradient_step"])) for r in rows]


def test_interventions_fall_inside_and_at_the_end_of_priming(tmp_path: Path):
    """Learning starts at step 50, so step 60 brings 10 updates, 90 of priming, then its own."""
    out = tmp_path / "run"
    remedies = ["--remedies", "reset:every=50,at_most=2"]
    assert cli.main(["train", *SMALL, *PRIMED, *remedies, "--out", str(out)]) == 0
    resets = [(step, update) for event, step, update in events(out) if event.startswith("reset")]
    assert resets == [(60, 50), (60, 100)]
    assert ("prime", 60, 100) in events(out)
