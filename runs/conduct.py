"""From a configuration and a folder to a finished run and an exit code."""

from functools import partial
from pathlib import Path

import torch

from primacy.runs.assembly import Maker, check, make_agent
from primacy.runs.config import SCHEMA, RunConfig, to_dict
from primacy.runs.errors import UserError, refusing
from primacy.runs.folder import RunFolder, read_document
from primacy.runs.offline_data import complete
from primacy.runs.signals import Interrupted, Listener, listening
from primacy.runs.train import Training

ROOM = (
    "train fewer --seeds in one process or fewer --jobs at once, or lower --batch-size or "
    "--replay-capacity"
)
MEND = "free some space or mend the permissions, then repeat the command: it goes on"


def train(
    config: RunConfig,
    out: Path,
    quiet: bool = False,
    maker: Maker = make_agent,
    listen: Listener = listening,
) -> int:
    """Run or go on with the run in `out`.

    Args:
        maker: makes the agent.
        listen: tells the run of signals; a thread has none of its own.

    Returns:
        The exit code: 0, or 128 + the signal that stopped it.

    Raises:
        UserError, or another error with a hint: a mistake. Those in the command alone are found
            before `out` is made.
    """
    with refusing(out, MEND, "written or read"):
        if (out / "config.json").exists():
            read_document(out / "config.json")  # A damaged one is named before it is compared.
        else:
            # Once the folder has a configuration it refuses the command that mends a mistake.
            _check_new(config)
        whole = complete(config, out, (lambda line: None) if quiet else print)
        folder = RunFolder.open(out, to_dict(whole), SCHEMA)
        try:
            return _train(whole, folder, quiet, maker, listen)
        finally:
            folder.close()


def _check_new(config: RunConfig) -> None:
    if config.given_transitions and not config.offline_data:
        raise UserError(
            f"--given-transitions {config.given_transitions}: a new run has none",
            "leave it out; `primacy transplant` gives a run those of another, and sets it",
        )
    check(config)


def _train(
    config: RunConfig, folder: RunFolder, quiet: bool, maker: Maker, listen: Listener
) -> int:
    training: Training | None = None
    try:
        training = Training(config, folder, quiet, maker)
        with listen(partial(setattr, training, "signal")):
            # Inside: a second signal must not end the process before the status says what is.
            return _until_stopped(training, folder)
    except Exception as error:
        _note_failure(folder, training, error)
        if isinstance(error, BrokenPipeError):
            raise UserError(
                f"{folder.path}: nobody reads the progress lines any more",
                "repeat the command, with --quiet or into a file: it goes on",
            ) from error
        if isinstance(error, torch.OutOfMemoryError):
            raise UserError(
                f"{folder.path}: the GPU's memory is used up ({error})", ROOM
            ) from error
        raise
    finally:
        if training is not None:
            training.close()


def _until_stopped(training: Training, folder: RunFolder) -> int:
    try:
        training.run()
    except Interrupted as stop:
        folder.write_status("interrupted", training.counts())
        print(f"{folder.path}: stopped by {stop}, saved; the same command goes on", flush=True)
        return 128 + stop.number
    return 0


def _note_failure(folder: RunFolder, training: Training | None, error: Exception) -> None:
    counts = training.counts() if training is not None else {}
    try:
        folder.write_status("failed", counts, f"{type(error).__name__}: {error}")
    except OSError:
        return  # The disk that made the run fail is likely the one that would hold the status.
