"""`primacy evaluate`: fresh episodes of a trained run, as a table and optionally a video."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from primacy.agents.agent import Agent
from primacy.replay.journal import Journal
from primacy.runs import checkpoint as checkpoints
from primacy.runs.acting import evaluating
from primacy.runs.arguments import parse
from primacy.runs.assembly import make_agent, set_up_torch
from primacy.runs.config import RunConfig, read
from primacy.runs.environment import environment
from primacy.runs.errors import UserError, refusing, try_writing
from primacy.runs.evaluate import Evaluator
from primacy.runs.observations import View, as_is, view_of
from primacy.runs.randomness import Randomness
from primacy.runs.spaces import Spaces, lives_count, spaces_of

# Far from the numbers of the evaluations during training, so that the episodes are fresh.
FIRST_EVENT = 1 << 32


@dataclass(frozen=True)
class EvaluateOptions:
    """Evaluate a run's newest checkpoint (or another) on fresh episodes with the mean action."""

    run: tyro.conf.Positional[Path]
    """Run folder."""
    episodes: int = 10
    """Episodes per seed."""
    at: int | None = None
    """Env step of the checkpoint (default: the newest)."""
    video: Path | None = None
    """Write one episode of the first seed to this mp4 file."""
    backend: str = ""
    """Simulator of an AntMaze task, as of `primacy train` (default: the run's own)."""
    device: str = ""
    """Where the networks live: cpu or cuda (default: where the run had them)."""


def check(options: EvaluateOptions) -> None:
    """Raises UserError for options that no run can be evaluated with."""
    if options.episodes < 1:
        raise UserError(f"--episodes {options.episodes} must be at least 1", "give more")
    if options.video is None:
        return
    if options.video.suffix != ".mp4":
        raise UserError(f"--video {options.video} does not end in .mp4", "name an .mp4 file")
    _imageio()
    try_writing(options.video, "give --video an .mp4 file in a folder that is there")


def load_agent(folder: Path, config: RunConfig, at: int | None) -> tuple[Agent, int]:
    """The agent of a run at a checkpoint, and that checkpoint's env step."""
    saved = folder / "checkpoints"
    if at is None:
        found, _ = checkpoints.newest(saved)
        if found is None:
            raise UserError(
                f"{folder} has no good checkpoint", "let the run go on until it has one"
            )
    else:
        if at not in checkpoints.steps(saved):
            listing = ", ".join(map(str, checkpoints.steps(saved))) or "none"
            raise UserError(f"{folder} has no checkpoint at {at}", f"there are: {listing}")
        try:
            found = checkpoints.read(saved, at)
        except ValueError as error:
            raise UserError(f"checkpoint {at} is damaged ({error})", "use another step") from error
    agent, _ = make_agent(config, Randomness(config.seeds), spaces_of(config))
    for name, value in agent.state().items():
        value.copy_(found.tensors[f"agent/{name}"])
    return agent, found.env_step


def _view(folder: Path, config: RunConfig) -> View:
    if not config.normalize_observations:
        return as_is  # Without a look at a journal that may be elsewhere.
    return view_of(config, Journal.open(folder / "journal"))


def _imageio() -> Any:
    try:
        import imageio.v2 as imageio
        import imageio_ffmpeg  # noqa: F401
    except ModuleNotFoundError:
        raise UserError(
            "video needs the extra `video`", "run: pip install 'primacy[video]'"
        ) from None
    return imageio


def record_video(config: RunConfig, agent: Agent, view: View, path: Path) -> None:
    """One episode of the first seed as mp4 (needs the extra `video` and OpenGL)."""
    imageio = _imageio()
    env = environment(config)
    spaces = Spaces.of(env, config.algorithm)
    eyes = spaces.eyes(1, config.algorithm)
    explore = evaluating(config, spaces, Randomness(config.seeds), FIRST_EVENT, 1)
    chosen = torch.zeros(len(config.seeds), 1, dtype=torch.int64)
    began = True
    seed = Randomness(config.seeds).integers("evaluation", FIRST_EVENT, "video")[0]
    observation, _ = env.reset(seed=seed)
    writer: Any = imageio.get_writer(path, fps=env.metadata["render_fps"], macro_block_size=8)
    with writer:
        done = False
        while not done:
            writer.append_data(env.render())
            seen = observation if eyes is None else eyes.push(observation[None], np.array([began]))
            one = torch.from_numpy(seen).view(1, 1, *np.shape(seen)[-len(spaces.shape) :])
            stacked = one.expand(len(config.seeds), *one.shape[1:]).to(config.device)
            action = explore(agent.act_greedily(view(stacked)).cpu(), chosen)[0, 0].numpy()
            observation, _, terminated, truncated, info = env.step(action)
            began = lives_count(config.algorithm) and info.get("life_lost", False)
            done = terminated or truncated
    env.close()


def evaluate(arguments: Sequence[str]) -> int:
    """Print the returns of fresh episodes per seed, and how many succeeded where that is known."""
    options = parse(EvaluateOptions, "primacy evaluate", arguments)
    check(options)
    config = read(options.run)
    if options.backend:
        config = replace(config, backend=options.backend)
    if options.device:
        config = replace(config, device=options.device)
    set_up_torch(config)
    agent, env_step = load_agent(options.run, config, options.at)
    evaluator = Evaluator(config, spaces_of(config), options.episodes)
    randomness = Randomness(config.seeds)
    view = _view(options.run, config)
    scores = evaluator.evaluate(agent, randomness, FIRST_EVENT, lambda: None, view)
    evaluator.close()
    title = f"{config.task} at env step {env_step:,}, {options.episodes} episodes a seed"
    shares = [scores.success(lane) for lane in range(len(config.seeds))]
    known = ["success"] if None not in shares else []
    table = Table("seed", *known, "return mean", "std", "min", "max", "length mean", title=title)
    for lane, seed in enumerate(config.seeds):
        returns, lengths = scores.returns[lane], scores.lengths[lane]
        figures = (returns.mean(), returns.std(), returns.min(), returns.max(), lengths.mean())
        share = [f"{shares[lane]:.0%}"] if known else []
        table.add_row(str(seed), *share, *(f"{value:.1f}" for value in figures))
    Console().print(table)
    if options.video is not None:
        with refusing(options.video, "free some space, or give another --video"):
            record_video(config, agent, view, options.video)
        print(options.video)
    return 0
