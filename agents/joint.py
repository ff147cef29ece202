"""The lanes of several runs in one stack: one update for all, to each run an agent of its own.

Runs of one architecture and one replay ratio that differ in remedies alone need not be separate
processes. Each keeps its loop, its folder and its agent; the tensors of these agents are parts of
one stack, and an update waits until every run has brought its batch.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate, pairwise
from threading import Condition
from typing import Any

import torch
from torch import Tensor

from primacy.agents.agent import Agent, Batch, Remedies
from primacy.plasticity.chain import Chain
from primacy.plasticity.contract import PlasticNetwork

Inputs = tuple[Any, Tensor]
"""A batch, which is some NamedTuple of tensors [S, ...], and noise [S, ...]."""


class Joint:
    """One stack of agents, shared by runs that each live in a thread."""

    def __init__(self, whole: Agent, runs: Sequence[tuple[Agent, Chain]]) -> None:
        """`whole` has as many lanes as all agents of `runs` together; it takes over their values,
        and from now on they are its parts: their tensors share its memory."""
        bounds = list(accumulate((len(agent.alive) for agent, _ in runs), initial=0))
        parts = [slice(start, stop) for start, stop in pairwise(bounds)]
        self.whole = whole
        self.runs = list(runs)
        state = whole.state()
        for index, ((agent, _), lanes) in enumerate(zip(runs, parts, strict=True)):
            for name, value in agent.state().items():
                shared = state[name][lanes]
                shared.copy_(value)
                place = shared.storage_offset(), shared.shape, shared.stride()
                value.set_(shared.untyped_storage(), *place)
            # Its own loop calls these; the stack is compiled instead.
            vars(agent)["update"] = partial(self._bring, index)
            vars(agent)["compile"] = lambda: None
        whole.attach(JointRemedies(runs, parts))
        # Every update in one thread, whoever comes last: a GPU's libraries set themselves up anew
        # in each, which cannot happen while an update is recorded.
        self._worker = ThreadPoolExecutor(1, "updates", _set_up, (torch.get_num_threads(),))
        self._parts = parts
        self._turn = Condition()
        self._present = set(range(len(runs)))
        self._brought: dict[int, Inputs] = {}
        self._last: dict[int, Inputs] = {}
        self._round = 0
        self._fault: BaseException | None = None

    def leave(self, index: int) -> None:
        """A run is over, or failed: the others no longer wait for it."""
        with self._turn:
            self._present.discard(index)
            self._go_if_all_are_here()
            if not self._present:
                self._worker.shutdown()

    def _bring(self, index: int, batch: Batch, noise: Tensor) -> None:
        """One update of the stack, once every run that is still there has called this."""
        with self._turn:
            self._brought[index] = (batch, noise)
            mine = self._round
            self._go_if_all_are_here()
            self._turn.wait_for(lambda: self._round > mine)
            if self._fault is not None:
                raise RuntimeError("the joint update failed") from self._fault

    def _go_if_all_are_here(self) -> None:
        if not self._brought or not self._present <= self._brought.keys():
            return
        self._last |= self._brought
        self._brought = {}
        try:
            self._worker.submit(self.whole.update, *self._together()).result()
            self._hand_out_losses()
        except BaseException as error:
            self._fault = error
        self._round += 1
        self._turn.notify_all()

    def _hand_out_losses(self) -> None:
        """To every run those of its own samples, where priorities are made of them."""
        losses = getattr(self.whole, "losses", None)
        if losses is not None:
            for (agent, _), lanes in zip(self.runs, self._parts, strict=True):
                vars(agent)["losses"] = losses[lanes]

    def _together(self) -> Inputs:
        """The inputs of all lanes; those of runs that left are their last, and matter no more."""
        some = next(iter(self._last.values()))
        given = [
            self._last.get(index) or _nothing(some, len(agent.alive))
            for index, (agent, _) in enumerate(self.runs)
        ]
        columns = zip(*(batch for batch, _ in given), strict=True)
        batch = type(some[0])(*(torch.cat(column) for column in columns))
        return batch, torch.cat([noise for _, noise in given])


def _set_up(threads: int) -> None:
    """What PyTorch keeps for each thread."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)


def _nothing(like: Inputs, lanes: int) -> Inputs:
    batch, noise = like
    empty = [x.new_zeros(lanes, *x.shape[1:]) for x in (*batch, noise)]
    return type(batch)(*empty[:-1]), empty[-1]


class JointRemedies(Remedies):
    """To every run's lanes that run's own remedies."""

    def __init__(self, runs: Sequence[tuple[Agent, Chain]], parts: Sequence[slice]) -> None:
        self.runs = [(*run, lanes) for run, lanes in zip(runs, parts, strict=True)]

    def penalty(self, network: PlasticNetwork, parameters: Mapping[str, Tensor]) -> Tensor | float:
        """[S]."""
        found = []
        for agent, chain, lanes in self.runs:
            own = {name: value[lanes] for name, value in parameters.items()}
            term = chain.penalty(agent.networks()[network.name], own)
            nothing = torch.zeros_like(agent.alive, dtype=torch.float32)
            found.append(term if isinstance(term, Tensor) else nothing)
        return torch.cat(found)

    def before_step(
        self, network: PlasticNetwork, name: str, value: Tensor, learning_rate: float | Tensor
    ) -> Tensor:
        """What each lane's step starts from."""
        found = []
        for agent, chain, lanes in self.runs:
            rate = learning_rate[lanes] if isinstance(learning_rate, Tensor) else learning_rate
            own = agent.networks()[network.name]
            found.append(chain.before_step(own, name, value[lanes], rate))
        return torch.cat(found)

    def after_step(self, network: PlasticNetwork) -> None:
        """Each run's averages follow its own lanes."""
        for agent, chain, _ in self.runs:
            chain.after_step(agent.networks()[network.name])
