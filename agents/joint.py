"""The lanes of several runs in one stack: one update for all, to each run an agent of its own.

Runs of one architecture and one replay ratio that differ in remedies alone need not be separate
processes. Each keeps its loop, its folder and its agent; the tensors of these agents are parts of
one stack, and a gradient step waits until every run has brought its batch.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate, pairwise
from threading import Condition

import torch
from torch import Tensor

from primacy.agents.agent import Remedies
from primacy.agents.sac import SAC, Transitions
from primacy.plasticity.chain import Chain
from primacy.plasticity.contract import PlasticNetwork

Inputs = tuple[Transitions, Tensor]


class View(SAC):
    """Some lanes of a stack as an agent; its updates are those of the stack."""

    @classmethod
    def of(cls, whole: SAC, lanes: slice) -> "View":
        """The agent of `lanes`; it shares their memory with the stack."""
        view = cls.__new__(cls)
        view.__dict__.update(whole.__dict__)
        view.num_seeds = lanes.stop - lanes.start
        for name in ("actor", "critic", "target", "temperature"):
            setattr(view, name, {k: v[lanes] for k, v in getattr(whole, name).items()})
        view.moments = {k: type(m)(*(part[lanes] for part in m)) for k, m in whole.moments.items()}
        view.alive = whole.alive[lanes]
        view._sums, view._updates = whole._sums[:, lanes], whole._updates[lanes]
        view._networks = view._publish()
        view._remedies = Chain((), view._networks)
        return view

    @property
    def remedies(self) -> Remedies:
        """Those of its run."""
        return self._remedies

    def route(self, step: Callable[[Transitions, Tensor], None]) -> None:
        """Take gradient steps there from now on."""
        self._step = step

    def compile(self) -> None:
        """The stack's update is compiled instead."""


class Joint:
    """One stack of agents, shared by runs that each live in a thread."""

    def __init__(self, whole: SAC, sizes: Sequence[int]) -> None:
        """`sizes` are the numbers of lanes of each run, in order."""
        bounds = list(accumulate(sizes, initial=0))
        self.whole = whole
        self.parts = [slice(start, stop) for start, stop in pairwise(bounds)]
        self.views = [View.of(whole, lanes) for lanes in self.parts]
        for index, view in enumerate(self.views):
            view.route(partial(self._bring, index))
        whole.attach(JointRemedies(self.views, self.parts))
        self._turn = Condition()
        self._present = set(range(len(sizes)))
        self._brought: dict[int, Inputs] = {}
        self._last: dict[int, Inputs] = {}
        self._round = 0
        self._fault: BaseException | None = None

    def leave(self, index: int) -> None:
        """A run is over, or failed: the others no longer wait for it."""
        with self._turn:
            self._present.discard(index)
            self._go_if_all_are_here()

    def _bring(self, index: int, batch: Transitions, noise: Tensor) -> None:
        """One gradient step of the stack, once every run that is still there has called this."""
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
            batch, noise = self._together()
            self.whole.update(batch, noise)
        except BaseException as error:
            self._fault = error
        self._round += 1
        self._turn.notify_all()

    def _together(self) -> Inputs:
        """The inputs of all lanes; those of runs that left are their last, and matter no more."""
        some = next(iter(self._last.values()))
        given = [self._last.get(i) or _nothing(some, v.num_seeds) for i, v in enumerate(self.views)]
        columns = zip(*(batch for batch, _ in given), strict=True)
        batch = Transitions(*(torch.cat(column) for column in columns))
        return batch, torch.cat([noise for _, noise in given])


def _nothing(like: Inputs, lanes: int) -> Inputs:
    batch, noise = like
    empty = [x.new_zeros(lanes, *x.shape[1:]) for x in (*batch, noise)]
    return Transitions(*empty[:-1]), empty[-1]


class JointRemedies(Remedies):
    """To every run's lanes that run's own remedies."""

    def __init__(self, views: Sequence[View], parts: Sequence[slice]) -> None:
        self.runs = list(zip(views, parts, strict=True))

    def penalty(self, network: PlasticNetwork, parameters: Mapping[str, Tensor]) -> Tensor | float:
        """[S]."""
        found = []
        for view, lanes in self.runs:
            own = {name: value[lanes] for name, value in parameters.items()}
            term = view.remedies.penalty(view.networks()[network.name], own)
            nothing = torch.zeros(view.num_seeds, device=view.device)
            found.append(term if isinstance(term, Tensor) else nothing)
        return torch.cat(found)

    def before_step(
        self, network: PlasticNetwork, name: str, value: Tensor, learning_rate: float
    ) -> Tensor:
        """What each lane's step starts from."""
        return torch.cat(
            [
                view.remedies.before_step(
                    view.networks()[network.name], name, value[lanes], learning_rate
                )
                for view, lanes in self.runs
            ]
        )

    def after_step(self, network: PlasticNetwork) -> None:
        """Each run's averages follow its own lanes."""
        for view, _ in self.runs:
            view.remedies.after_step(view.networks()[network.name])
