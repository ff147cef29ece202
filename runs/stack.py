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
from primacy.runs.existing import finished
from primacy.runs.folder import FREE_FIELDS
from primacy.runs.randomness import Randomness
from primacy.runs.signals import listening
from primacy.runs.spaces import Spaces, spaces_of

ARMS_DIFFER = FREE_FIELDS | {"remedies", "seeds"}
"""In what runs of one stack may differ."""

Run = tuple[RunConfig, Path]


def shared(config: RunConfig) -> str:
    """Equal for runs that fit into one stack, but for build options."""
    return str({k: v for k, v in to_dict(config).items() if k not in ARMS_DIFFER})


def train_together(runs: Sequence[Run], quiet: bool) -> int:
    """Train, or go on with, runs that are not finished; the greatest of their exit codes.

    Finished ones have their lanes in the stack as before, without batches: sums over other places,
    or in a smaller stack, would be rounded otherwise.

    Raises:
        UserError: runs that do not fit into one stack, a finished run of another configuration, or
            the first mistake of one of them.
    """
    # All are looked at before any begins: each may be of another configuration.
    over = [finished(out, config) for config, out in runs]
    left = [index for index, done in enumerate(over) if not done]
    if not left:
        return 0
    joint, parts = _joint([config for config, _ in runs])
    compile_update(runs[0][0], joint.whole, print)
    for index in set(range(len(runs))) - set(left):
        joint.leave(index)
    codes, faults = [0] * len(runs), list[BaseException]()
    signals = Relay()

    def live(index: int) -> None:
        config, out = runs[index]
        try:
            codes[index] = train(config, out, quiet, _maker(*parts[index]), signals.listen)
        except BaseException as error:
            faults.append(error)
        finally:
            joint.leave(index)

    threads = [Thread(target=live, args=(index,)) for index in left]
    with listening(signals.tell):
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


class Relay:
    """Tells the loops of several threads of the process's signals, also of those that came before a
    loop listened."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._tells: list[Callable[[int], None]] = []

    def tell(self, number: int) -> None:
        """What `listening` calls, in the main thread."""
        # Before the loops are told: one that joins meanwhile finds it here.
        self._number = number
        for tell in self._tells:
            tell(number)

    @contextmanager
    def listen(self, tell: Callable[[int], None]) -> Iterator[None]:
        """A thread's `Listener`."""
        self._tells.append(tell)
        if self._number is not None:
            tell(self._number)
        yield
