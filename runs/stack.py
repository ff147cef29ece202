"""Several runs in one process, their agents in one stack: arms that differ in remedies alone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import numpy as np

from primacy.agents.joint import Joint
from primacy.agents.sac import SAC
from primacy.envs.suites import make
from primacy.plasticity.chain import Chain
from primacy.runs.assembly import Maker, architectures, remedies, set_up_torch
from primacy.runs.compilation import compile_update
from primacy.runs.conduct import train
from primacy.runs.config import RunConfig, to_dict
from primacy.runs.errors import UserError
from primacy.runs.folder import FREE_FIELDS
from primacy.runs.randomness import Randomness
from primacy.runs.signals import Listener, listening
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
    joint = _joint([config for config, _ in left])
    compile_update(left[0][0], joint.whole, print)
    codes, faults = [0] * len(left), list[BaseException]()
    tells: list[Callable[[int], None]] = []

    def live(index: int) -> None:
        config, out = left[index]
        try:
            maker, listen = _maker(joint, index), _overhearing(tells)
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


def _joint(configs: Sequence[RunConfig]) -> Joint:
    first = configs[0]
    set_up_torch(first)
    env = make(first.task, first.action_repeat)
    spaces = (env.observation_space.shape, env.action_space.shape)
    env.close()
    observation, action = (int(np.prod(shape or ())) for shape in spaces)
    networks = [architectures(config, observation, action) for config in configs]
    for config, built in zip(configs, networks, strict=True):
        if shared(config) != shared(first) or built != networks[0]:
            raise UserError(
                f"runs of one stack differ in more than remedies: {config.remedies} of "
                f"{config.task}",
                "train them apart, without --lanes remedies",
            )
    generators = [g for c in configs for g in Randomness(c.seeds).generators("initialisation", 0)]
    whole = SAC(first.sac, observation, action, generators, networks[0], first.device)
    return Joint(whole, [len(config.seeds) for config in configs])


def _maker(joint: Joint, index: int) -> Maker:
    def maker(
        config: RunConfig, randomness: Randomness, observation_size: int, action_size: int
    ) -> tuple[SAC, Chain]:
        view = joint.views[index]
        chain = Chain(remedies(config), view.networks())
        view.attach(chain)
        return view, chain

    return maker


def _overhearing(tells: list[Callable[[int], None]]) -> Listener:
    @contextmanager
    def listen(tell: Callable[[int], None]) -> Iterator[None]:
        tells.append(tell)
        yield

    return listen
