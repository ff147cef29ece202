"""Gradient steps in blocks, cut exactly where an intervention counted in gradient steps is due."""

from collections.abc import Callable

from torch import Tensor

from primacy.runs.assembly import Parts
from primacy.runs.randomness import WINDOW, Window
from primacy.runs.sampling import sampler


class Learner:
    """Runs the updates of an agent from its replay and counts them."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.gradient_step = 0
        self._sampler = sampler(parts)
        self._uniforms = Window(self._draw_uniforms)
        self._noise = Window(self._draw_noise)

    def learn(self, count: int, between: Callable[[], None], first: int | None = None) -> None:
        """`count` updates on replay (on its `first` transitions only, for heavy priming).

        `between` is called where gradient-step interventions may be due inside the block, and often
        enough to be asked to stop; not at its end: what the last update makes due belongs after the
        evaluation of the same env step.
        """
        end = self.gradient_step + count
        window = WINDOW * self.parts.config.algorithm.steps_per_update
        while self.gradient_step < end:
            due = self.parts.chain.next_gradient_step(self.gradient_step)
            self._block(min(end, self.gradient_step + window, due or end), first)
            if self.gradient_step < end:
                between()

    def _block(self, end: int, first: int | None) -> None:
        agent, steps = self.parts.agent, self.parts.config.algorithm.steps_per_update
        for call in range(self.gradient_step // steps, end // steps):
            batch = self._sampler.draw(self._uniforms.at(call), call * steps, first)
            agent.update(batch, self._noise.at(call))
            self._sampler.learned(batch)
        self.gradient_step = end

    def _draw_uniforms(self, start: int, count: int) -> Tensor:
        source = self.parts.randomness.source("replay", start, count)
        config = self.parts.config
        rows = config.batch_size * config.algorithm.steps_per_update
        return source.uniform("batch", (rows,)).transpose(0, 1)

    def _draw_noise(self, start: int, count: int) -> Tensor:
        source = self.parts.randomness.source("policy-noise", start, count)
        return self.parts.agent.draw(source, self.parts.config.batch_size)
