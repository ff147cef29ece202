"""Runs of agents that see on a real game, with small networks."""

from pathlib import Path

from primacy.runs.config import RunConfig
from primacy.runs.options import parse_train

REMEDIES = (
    "shrink-perturb:every=20,networks=critic,layers=encoder,shrink=0.5,target=own",
    "reset:every=20,networks=critic,layers=head:2,target=own,optimiser=all",
    "hare-tortoise:every=12",
)
SMALL = (
    "--task atari-alien --seeds 3 7 --replay-ratio 1/2 --batch-size 6 --start-steps 30 "
    "--env-steps 100 --replay-capacity 64 --eval-every 80 --eval-episodes 1 --diagnose-every 80 "
    "--log-every 20 --checkpoint-every 20 --compile never --channels 3 4 5 --hidden-size 8 "
    "--epsilon-decay 20 --annealing 30 --quiet"
).split()
"""In Alien every episode ends soon, whatever is done."""


def arguments(agent: str, out: Path, *more: str) -> tuple[str, ...]:
    """Options of `primacy train`."""
    given = ("--agent", agent, *SMALL, "--remedies", *REMEDIES, *more, "--out", str(out))
    # The residual network takes four times as long.
    return ("--encoder", "nature", *given) if agent.startswith("bbf") else given


def config(agent: str, *more: str) -> RunConfig:
    """What `primacy train` would run."""
    return parse_train(arguments(agent, Path("run"), *more)).run
