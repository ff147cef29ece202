"""A training run: act, store, learn, evaluate, intervene, measure, checkpoint; exactly resumable at
any moment."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np
import torch

from primacy.plasticity.chain import Due
from primacy.replay.journal import Journal, refill
from primacy.runs import checkpoint as checkpoints
from primacy.runs.acting import acting
from primacy.runs.assembly import Maker, assemble, make_agent
from primacy.runs.checkpoint import Checkpoint
from primacy.runs.compilation import compile_update, planned_updates
from primacy.runs.config import RunConfig
from primacy.runs.diagnose import Diagnostics
from primacy.runs.errors import UserError
from primacy.runs.evaluate import Evaluator, record
from primacy.runs.folder import RunFolder
from primacy.runs.learning import Learner
from primacy.runs.observations import view_of
from primacy.runs.progress import Progress
from primacy.runs.signals import Interrupted
from primacy.runs.state import learned, lived, restep, restore_learned, restore_lived
from primacy.runs.switch import switch_remedies, switch_text
from primacy.runs.tables import Tables

# A checkpoint is a few MB; after this many seconds one is written even between the configured
# steps. BBF's has 640 MB: such ones take this share of the time at most.
SECONDS_BETWEEN_CHECKPOINTS = 60.0
SHARE_OF_CHECKPOINTS = 0.05
SECONDS_BETWEEN_SIGNS = 30.0
"""Of life, in long phases of updates alone."""
PARTS_OF_TIME = ("environment", "replay", "update", "evaluation", "diagnostics", "checkpoint")


class Training:
    """One run in its folder. `run` trains to the end, from the start or from the newest good
    checkpoint."""

    def __init__(
        self, config: RunConfig, folder: RunFolder, quiet: bool, maker: Maker = make_agent
    ) -> None:
        self.config = config
        self.folder = folder
        self.progress = Progress(config, folder.path.name, quiet)
        self.parts = parts = assemble(config, self.progress.note, maker)
        self.tables = Tables(folder.path)
        self.journal = Journal(folder.path / "journal", parts.layout, config.seeds)
        self.learner = Learner(parts)
        self.acting = acting(parts)
        self.evaluator = Evaluator(config, parts.spaces, config.eval_episodes)
        self.diagnostics = Diagnostics(parts, self.tables.plasticity)
        self.totals = {
            "env_steps": config.env_steps,
            "gradient_steps": planned_updates(config),
            "frames": config.env_steps * config.action_repeat,
        }
        self.env_step = 0
        self.signal: int | None = None
        self.spent: dict[str, float] = dict.fromkeys(PARTS_OF_TIME, 0.0)
        self.frozen = torch.zeros(len(config.seeds), dtype=torch.bool)
        self._save_at = time.monotonic() + SECONDS_BETWEEN_CHECKPOINTS
        self._show_at = time.monotonic() + SECONDS_BETWEEN_SIGNS
        self._started_at = time.monotonic()

    # The run

    def run(self) -> None:
        """Train from wherever the folder stands to the end."""
        self._resume()
        compile_update(self.config, self.parts.agent, self.progress.say)
        self.folder.write_status("running", self.counts())
        if self.learner.gradient_step < self.config.offline_updates:
            self._learn_offline()
        if self.env_step == 0 < self.config.env_steps:
            self._switch()
        while self.env_step < self.config.env_steps:
            self._advance()
            self._stop_if_asked(saved=False)
        self._report()
        self._save()
        self.folder.write_status("finished", self.counts())

    def _advance(self) -> None:
        """One env step of every seed and all that is due with it."""
        config = self.config
        with self._timed("environment"):
            actions = self.acting.act(self.env_step, self._seen())
            transitions = self.parts.lanes.step(actions)
        with self._timed("replay"):
            rows = self.parts.layout.pack(*transitions[:-1])
            self.parts.replay.add(rows)
            self.journal.append(rows)
        self.env_step += 1
        for episode in transitions.finished:
            seed = config.seeds[episode.lane]
            self._log(seed, "episode_return", float(episode.episode_return))
            self._log(seed, "episode_length", float(episode.length))
            if episode.success is not None:
                self._log(seed, "episode_success", float(episode.success))
        before = self.learner.gradient_step
        self._learn()
        if config.eval_every and self.env_step % config.eval_every == 0:
            self._evaluate()
        self._intervene(self.learner.gradient_step > before, at_env_step=True)
        if config.diagnose_every and self.env_step % config.diagnose_every == 0:
            with self._timed("diagnostics"):
                self.diagnostics.measure("interval", self.env_step, self.learner.gradient_step)
        if self.env_step % config.log_every == 0 and self.env_step < config.env_steps:
            self._report()
        if self._checkpoint_due():
            self._save()

    def _seen(self) -> np.ndarray:
        """What agents are shown of where the lanes stand."""
        lanes, eyes = self.parts.lanes, self.parts.eyes
        return lanes.observations if eyes is None else eyes.push(lanes.observations, lanes.began)

    def _learn(self) -> None:
        config = self.config
        due = config.updates_until(self.env_step) - config.updates_until(self.env_step - 1)
        with self._timed("update"):
            if config.prime_updates and self.env_step == config.prime_transitions:
                self.learner.learn(
                    config.prime_updates, self._between_updates, config.prime_transitions
                )
                self._event("prime", f"{config.prime_updates} updates")
                if due:
                    # What the last priming update makes due belongs before the next update.
                    self._intervene(updated=True, at_env_step=False)
            if due:
                self.learner.learn(due, self._between_updates)

    def _learn_offline(self) -> None:
        """All gradient steps before the first env step, with a row of means every `log_every` of
        them, then an evaluation and a checkpoint."""
        count, steps = self.config.offline_updates, self.config.algorithm.steps_per_update
        every = -(-self.config.log_every // steps) * steps
        while (done := self.learner.gradient_step) < count:
            with self._timed("update"):
                end = min(count, (done // every + 1) * every)
                self.learner.learn(end - done, self._between_updates)
            if end < count:
                self._report()
                self._between_updates()
        self._event("offline", f"{count} updates")
        if self.config.eval_every:
            self._evaluate()
        self._intervene(updated=True, at_env_step=False)
        if self.config.diagnose_every:
            self._diagnose("interval")
        self._report()
        self._save()

    def _switch(self) -> None:
        """The remedies of the switch and the gradient steps after them.

        Nothing is saved before the first env step: the checkpoint of env step 0 is the end of the
        offline phase, where a fork may switch otherwise.
        """
        config, chain = self.config, self.parts.chain
        remedies = switch_remedies(config.at_switch)
        first = len(chain.remedies) - len(remedies)
        found = {f"switch {i}": Due(first + i, 0, switch_text(x)) for i, x in enumerate(remedies)}
        if found:
            self._apply(found, bool(config.diagnose_every))
        if config.relearn_updates:
            with self._timed("update"):
                self.learner.learn(config.relearn_updates, self._between_updates)
            self._event("relearn", f"{config.relearn_updates} updates")
            self._intervene(updated=True, at_env_step=False)

    def _between_updates(self) -> None:
        # Priming and relearning cannot be saved half way: they are dropped and repeated from the
        # last checkpoint.
        config, step = self.config, self.env_step
        if time.monotonic() > self._show_at:
            self._show()
        relearning = not step and self.learner.gradient_step > config.offline_updates
        if relearning or (config.prime_updates and step == config.prime_transitions):
            self._stop_if_asked(saved=True)
        self._intervene(updated=True, at_env_step=False)
        if not step and not relearning:
            self._stop_if_asked(saved=False)
            if self._save_overdue():
                self._save()

    def _evaluate(self) -> None:
        event = self.env_step // self.config.eval_every
        with self._timed("evaluation"):
            scores = self.evaluator.evaluate(
                self.parts.agent,
                self.parts.randomness,
                event,
                lambda: self._stop_if_asked(saved=True),
                self.parts.view,
            )
        frame = self.env_step * self.config.action_repeat
        gradient_step = self.learner.gradient_step
        table = self.tables.evaluations
        record(table, self.config.seeds, scores, self.env_step, gradient_step, frame)
        self.progress.last_return = float(scores.returns.mean())

    def _intervene(self, updated: bool, at_env_step: bool) -> None:
        """Apply what is due: gradient-step schedules after an update, the others once per env
        step."""
        step, gradient_step = self.env_step, self.learner.gradient_step
        found = self.parts.chain.due(
            env_step=step if at_env_step else None,
            gradient_step=gradient_step if updated else None,
            frame=step * self.config.action_repeat if at_env_step else None,
            totals=self.totals,
            frames_per_env_step=self.config.action_repeat,
        )
        if found:
            measured = self.config.diagnose_every and self.diagnostics.claim(step)
            self._apply({str(due.index): due for due in found}, bool(measured))

    def _apply(self, found: dict[str, Due], measured: bool) -> None:
        """Interventions due at once, in order; their keys and numbers decide their random
        numbers."""
        if measured:
            self._diagnose("before")
        fire = torch.ones(len(self.config.seeds), dtype=torch.bool).to(self.config.device)
        for key, due in found.items():
            draws = partial(self.parts.randomness.generators, "intervention", due.event, key)
            edited = self.parts.chain.apply(due, fire & self.parts.agent.alive, draws)
            self.parts.agent.on_edit(edited)
            self._event(due.text, "+".join(sorted(edited)))
        if measured:
            self._diagnose("after")

    # Records

    def _diagnose(self, phase: str) -> None:
        with self._timed("diagnostics"):
            self.diagnostics.measure(phase, self.env_step, self.learner.gradient_step)

    def _log(self, seed: int, metric: str, value: float) -> None:
        self.tables.training.add(seed, self.env_step, self.learner.gradient_step, metric, value)

    def _event(self, event: str, detail: str, seed: int = -1) -> None:
        self.tables.events.add(seed, self.env_step, self.learner.gradient_step, event, detail)

    def _report(self) -> None:
        """Write the means of the log interval, look for frozen seeds, show progress."""
        for metric, values in self.parts.agent.pop_metrics().items():
            for seed, value in zip(self.config.seeds, values.tolist(), strict=True):
                self._log(seed, metric, value)
        self._freeze()
        seconds = time.monotonic() - self._started_at
        spent = [self.spent[name] for name in PARTS_OF_TIME]
        self.tables.timing.add(self.env_step, self.learner.gradient_step, seconds, *spent)
        self.tables.flush()
        self._show()

    def _show(self) -> None:
        self.folder.write_status("running", self.counts())
        self.progress.show(self.env_step, self.learner.gradient_step)
        self._show_at = time.monotonic() + SECONDS_BETWEEN_SIGNS

    def _freeze(self) -> None:
        dead = ~self.parts.agent.alive.cpu()
        for lane in torch.nonzero(dead & ~self.frozen).flatten().tolist():
            seed = self.config.seeds[lane]
            self._event("frozen", "loss or gradient not finite", seed)
            self.progress.say(f"seed {seed} is frozen: its loss or gradient is no longer finite")
        self.frozen = dead
        if bool(dead.all()):
            self._save()
            raise UserError(
                f"every seed has diverged by gradient step {self.learner.gradient_step}",
                "lower --learning-rate or --replay-ratio, or add a remedy",
            )

    def counts(self) -> dict[str, int]:
        """How far the run is, as status.json has it."""
        return {
            "env_step": self.env_step,
            "env_steps": self.config.env_steps,
            "gradient_step": self.learner.gradient_step,
        }

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
            self.parts.settle()
        finally:
            self.spent[part] += time.perf_counter() - start

    # Stopping and going on

    def _stop_if_asked(self, saved: bool) -> None:
        if self.signal is None:
            return
        if not saved:
            self._save()
        raise Interrupted(self.signal)

    def _checkpoint_due(self) -> bool:
        kept = self.config.kept_every
        return (
            self.env_step % self.config.checkpoint_every == 0
            or (kept > 0 and self.env_step % kept == 0)
            or self._save_overdue()
        )

    def _save_overdue(self) -> bool:
        return time.monotonic() > self._save_at

    def _save(self) -> None:
        before = self.spent["checkpoint"]
        with self._timed("checkpoint"):
            self.journal.sync()
            lanes = self.parts.lanes
            numbers = {
                "gradient_step": self.learner.gradient_step,
                "episodes": lanes.episodes.tolist(),
                "lengths": lanes.lengths.tolist(),
                "frozen": self.frozen.tolist(),
                "claimed": self.diagnostics.claimed,
                "clock": {"seconds": time.monotonic() - self._started_at, "spent": self.spent},
                "rows": self.tables.sync(),
            }
            tensors = learned(self.parts) | lived(self.parts)
            folder = self.folder.path / "checkpoints"
            checkpoints.write(folder, Checkpoint(self.env_step, tensors, numbers))
            checkpoints.prune(folder, self.config.kept_every)
        took = self.spent["checkpoint"] - before
        wait = max(SECONDS_BETWEEN_CHECKPOINTS, took / SHARE_OF_CHECKPOINTS)
        self._save_at = time.monotonic() + wait

    def _resume(self) -> None:
        folder = self.folder.path / "checkpoints"
        found, damaged = checkpoints.newest(folder)
        for line in damaged:
            self.progress.say(f"{line}; going back to the one before")
        if found is None:
            self._refuse_to_begin_again(damaged)
            self.tables.empty()
            self._refill()
            self.parts.lanes.start()
            if self.config.diagnose_every:
                self._event("start", "")
            return
        checkpoints.drop_after(folder, found.env_step)
        self._restore(found)
        self._event("restart", "; ".join(damaged))
        self.progress.say(f"going on from env step {self.env_step}")

    def _refuse_to_begin_again(self, damaged: list[str]) -> None:
        """Raises UserError where a run without a good checkpoint has had one: to begin again would
        delete all that it recorded."""
        held = len(self.journal) - self.config.given_transitions
        if damaged or held > self.config.checkpoint_every:
            what = "; ".join(damaged) or f"{held} env steps are in the journal and no checkpoint is"
            raise UserError(
                f"{self.folder.path} cannot go on: {what}",
                "restore its folder checkpoints, or begin again with another --out",
            )

    def _restore(self, found: Checkpoint) -> None:
        numbers = found.numbers
        self.env_step = found.env_step
        self.learner.gradient_step = numbers["gradient_step"]
        self.frozen = torch.tensor(numbers["frozen"])
        self.diagnostics.claimed = numbers["claimed"]
        if clock := numbers.get("clock"):
            self._started_at -= clock["seconds"]
            self.spent |= clock["spent"]
        self.tables.truncate(numbers["rows"])
        self._refill()
        restore_learned(self.parts, found.tensors)
        if not restore_lived(self.parts, found.tensors):
            held = self.config.given_transitions + self.env_step
            restep(self.parts, self.journal, held, numbers["episodes"], numbers["lengths"])

    def _refill(self) -> None:
        """Replay and journal as they were: what was given, then what each env step added."""
        held = self.config.given_transitions + self.env_step
        self.journal.truncate(held)
        refill(self.parts.replay, self.journal, held)
        self.parts.view = view_of(self.config, self.journal)

    def close(self) -> None:
        """Close every file and environment."""
        with ExitStack() as stack:
            # Each is closed whatever the others raise: a full disk may fail the journal's.
            stack.callback(self.parts.lanes.close)
            stack.callback(self.evaluator.close)
            stack.callback(self.tables.close)
            stack.callback(self.journal.close)
            stack.callback(self.progress.close)
