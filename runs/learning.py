"""Gradient steps in blocks, cut exactly where an intervention counted in gradient steps is due."""

from collections.abc import Callable
from dataclasses import dataclass

from primacy.runs.assembly import Parts

# Updates whose indices and noise are drawn in one call; bounds their memory.
LARGEST_BLOCK = 64


@dataclass
class Learner:
    """Runs the updates of an agent from its replay and counts them."""

    parts: Parts
    gradient_step: int = 0

    def learn(self, count: int, between: Callable[[], None], first: int | None = None) -> None:
        """`count` updates on replay (on its `first` transitions only, for heavy priming).

        `between` is called where gradient-step interventions may be due inside the block, not at
        its end: those of the last update belong after the evaluation of the same env step.
        """
        end = self.gradient_step + count
        while self.gradient_step < end:
            due = self.parts.chain.next_gradient_step(self.gradient_step)
            stop = min(end, self.gradient_step + LARGEST_BLOCK, *([due] if due else []))
            self._block(stop - self.gradient_step, first)
            if self.gradient_step < end:
                between()

    def _block(self, count: int, first: int | None) -> None:
        config, agent, replay = self.parts.config, self.parts.agent, self.parts.replay
        randomness = self.parts.randomness
        indices = randomness.source("replay", self.gradient_step, count)
        uniforms = indices.uniform("batch", (config.batch_size,))
        policy = randomness.source("policy-noise", self.gradient_step, count)
        noise = agent.draw(policy, config.batch_size)
        for k in range(count):
            batch = replay.sample(uniforms[:, k], config.n_step, config.sac.discount, first=first)
            agent.update(batch, noise[k])
        self.gradient_step += count
