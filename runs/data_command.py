"""`primacy data antmaze`: offline data without a download."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Literal

import tyro

from primacy.envs.antmaze_tasks import TASKS
from primacy.replay.offline_files import cache_folder
from primacy.runs.arguments import parse
from primacy.runs.data_recipe import Recipe
from primacy.runs.errors import UserError, refusing


@dataclass(frozen=True)
class DataOptions:
    """Make AntMaze data as D4RL did: a controller trained here follows waypoints. The same command
    again trains nothing anew."""

    kind: tyro.conf.Positional[Literal["antmaze"]]
    """antmaze."""
    out: Path
    """File to write, .npz; its header goes beside it as .json."""
    recipe: tyro.conf.OmitArgPrefixes[Recipe] = field(default_factory=Recipe)
    controller_steps: int = 40_000
    """Env steps of the controller's training."""
    controller_seed: int = 0
    """Of that training."""
    any_controller: bool = False
    """Walk with a controller however slow it is: for trials."""
    clone_steps: int = 10_000
    """Gradient steps behind the cloning score (0: no score)."""
    clone_episodes: int = 100
    """Episodes behind the cloning score (0: no score)."""
    quiet: bool = False
    """No progress lines."""


def check(options: DataOptions) -> None:
    """Raises UserError for options that no data can be made of."""
    recipe = options.recipe
    if recipe.task not in TASKS:
        raise UserError(f"unknown AntMaze task {recipe.task!r}", f"choose from {', '.join(TASKS)}")
    if options.out.suffix != ".npz":
        raise UserError(f"--out {options.out} does not end in .npz", "name an .npz file")
    if not 0.0 <= recipe.quality <= 1.0:
        raise UserError(
            f"--quality {recipe.quality:g} is outside [0, 1]",
            "1 follows waypoints all the time, 0 explores",
        )
    values = asdict(recipe) | asdict(options)
    for name, least in (("rows", 2), ("controller_steps", 1), ("clone_steps", 0)):
        if values[name] < least:
            raise UserError(f"--{name.replace('_', '-')} must be at least {least}", "give more")
    for name in ("noise", "wander_noise", "seed", "controller_seed", "clone_episodes"):
        if values[name] < 0:
            raise UserError(f"--{name.replace('_', '-')} must not be negative", "give 0 or more")
        if not isfinite(values[name]):
            raise UserError(f"--{name.replace('_', '-')} must be finite", "give 0 or more")


def data(arguments: Sequence[str]) -> int:
    """Train the controller if there is none yet, walk, score, write."""
    options = parse(DataOptions, "primacy data", arguments)
    check(options)
    # Loaded here: a mistake and --help need no torch.
    from primacy.runs.config import to_dict
    from primacy.runs.data_cloning import Cloning
    from primacy.runs.data_controller import (
        controller,
        controller_config,
        controller_folder,
        trained,
    )
    from primacy.runs.data_file import (
        describe,
        generate,
        is_there,
        prepare,
        read_header,
        request,
    )

    recipe = options.recipe
    cloning = Cloning(options.clone_steps, options.clone_episodes)
    config = controller_config(options.controller_steps, options.controller_seed)
    folder = controller_folder(cache_folder(), config)

    def say(line: str) -> None:
        if not options.quiet:
            print(line, flush=True)

    if is_there(options.out, request(recipe, to_dict(config), cloning)):
        say(f"{options.out} is there already\n{describe(read_header(options.out))}")
        return 0
    prepare(options.out)
    say(f"controller: {folder}")
    code = trained(folder, config, options.quiet)
    if code:
        return code
    walker = controller(folder, config, demanded=not options.any_controller)
    with refusing(options.out, "free some space or give another --out; the controller is kept"):
        generate(recipe, walker, cloning, options.out, say)
    say(str(options.out))
    return 0
