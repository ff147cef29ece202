"""Several runs in one process, their agents in one stack: arms that differ in remedies alone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

from primacy.agents.agent import Agent
from primacy.agents.joint import Joint
from primacy.plasticity.chain import Chain
from primacy.plasticity.remedies import parse
from primacy.runs.assembly import Maker, architectures, make_agent, set_up_torch
from primacy.runs.compilation import compile_update
from primacy.runs.conduct import train
from primacy.runs.config import RunConfig, to_dict
from primacy.runs.errors import UserError
from primacy.runs.folder import FREE_FIELDS
from primacy.runs.randomness import Randomness
from primacy.runs.signals import Listener, listening
from primacy.runs.spaces import Spaces, spaces_of
from primacy.runs.status import read_status

ARMS_DIFFER = FREE_FIELDS | {"remedies", "seeds"}
"""In what runs of one stack may differ."""

Run = tuple[RunConfig, Path]


def shared(config: RunConfig) -> str:
    """Equal for runs that fit into one stack, but for build options."""
    return str({k: v for k, v in to_dict(config).items() if k not in ARMS_DIFFER})


def train_together(runs: Sequence[Run], quiet: bool) -> int:
    """Train, or go on with, runs that are not finished; the greatest of their exit codes.

    Raises:
        UserError: runs that do not fit into one stack, or the first mistake of one of them.
    """
    left = [run for run in runs if read_status(run[1]).get("state") != "finished"]
    if not left:
        return 0
    joint, parts = _joint([config for config, _ in left])
    compile_update(left[0][0], joint.whole, print)
    codes, faults = [0] * len(left), list[BaseException]()
    tells: list[Callable[[int], None]] = []

    def live(index: int) -> None:
        config, out = left[index]
        try:
            maker, listen = _maker(*parts[index]), _overhearing(tells)
            codes[index] = train(config, out, quiet, maker, listen)
        except BaseException as error:
            faults.append(error)
        finally:
            joint.leave(index)

    threads = [Thread(target=live, args=(index,)) for index in range(len(left))]

    def tell_all(number: int) -> None:
        for tell in tells:
            tell(number)

    with listening(tell_all):
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)
    if faults:
        raise faults[0]
    return max(codes)


def _joint(configs: Sequence[RunConfig]) -> tuple[Joint, list[tuple[Agent, Chain]]]:
    """The stack, and the agent and the chain of each run."""
    first = configs[0]
    set_up_torch(first)
    spaces = spaces_of(first)
    networks = [architectures(config, spaces) for config in configs]
    for config, built in zip(configs, networks, strict=True):
        if shared(config) != shared(first) or built != networks[0]:
            raise UserError(
                f"runs of one stack differ in more than remedies: {config.remedies} of "
                f"{config.task}",
                "train them apart, without --lanes remedies",
            )
    parts = [make_agent(c, Randomness(c.seeds), spaces) for c in configs]
    seeds = [seed for config in configs for seed in config.seeds]
    # Its own remedies and initial values are never used: the parts bring theirs.
    plain = replace(first, remedies=tuple(t for t in first.remedies if _builds(t)))
    whole, _ = make_agent(plain, Randomness(seeds), spaces)
    return Joint(whole, parts), parts


def _builds(remedy: str) -> bool:
    return hasattr(parse(remedy), "build")


def _maker(agent: Agent, chain: Chain) -> Maker:
    def maker(config: RunConfig, randomness: Randomness, spaces: Spaces) -> tuple[Agent, Chain]:
        return agent, chain

    return maker


def _overhearing(tells: list[Callable[[int], None]]) -> Listener:
    @contextmanager
    def listen(tell: Callable[[int], None]) -> Iterator[None]:
        tells.append(tell)
        yield

    return listen
