"""The console command `primacy`: picks a command, and turns a user's mistakes into two lines and
exit code 2."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

# name: (module, function taking the remaining arguments, one line of help). Modules load on demand:
# help needs no torch.
COMMANDS = {
    "train": ("train_command", "train", "train S seeds of an agent on a task; goes on by itself"),
    "evaluate": ("evaluate_command", "evaluate", "fresh episodes of a trained run; table, video"),
    "sweep": ("sweep", "sweep", "a grid of runs side by side on this machine's cores"),
    "run": ("run_command", "run", "a published study as named conditions, with its report"),
    "stack": ("stack_command", "stack", "runs that differ in remedies alone, in one process"),
    "fork": ("fork_command", "fork", "go on from a run's checkpoint with other settings"),
    "transplant": (
        "transplant_command",
        "transplant",
        "start a fresh run with another one's experience or networks",
    ),
    "export": ("experience_commands", "export", "a run's experience as Minari datasets"),
    "import-experience": (
        "experience_commands",
        "import_experience",
        "Minari datasets as a run to transplant from",
    ),
    "exposure": ("exposure_command", "exposure", "how often each transition was drawn, by age"),
    "data": ("data_command", "data", "AntMaze data without a download, of a quality you choose"),
    "status": ("status", "status", "how far the runs in a folder are"),
    "compare": ("compare", "compare", "two conditions: difference, interval, each task"),
    "report": ("report_command", "report", "learning curves, aggregates, intervals as one page"),
    "digest": ("digest_command", "digest", "one hash of what a run has become"),
}


def usage() -> str:
    """The text of `primacy --help`."""
    lines = [
        "usage: primacy COMMAND [options]",
        "",
        "Train deep RL agents, study primacy bias and its remedies, report the results.",
        "",
        *(f"  {name:<17} {text}" for name, (_, _, text) in COMMANDS.items()),
        "",
        "`primacy COMMAND --help` lists a command's options with units and defaults.",
    ]
    return "\n".join(lines)


def _command(name: str) -> Callable[[Sequence[str]], int]:
    module, function, _ = COMMANDS[name]
    return getattr(import_module(f"primacy.runs.{module}"), function)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0 done, 2 a mistake in what was asked, 1 a failed
    run)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print(usage())
        return 0
    if given[0] == "--version":
        from primacy import __version__

        print(__version__)
        return 0
    if given[0] not in COMMANDS:
        from difflib import get_close_matches

        close = get_close_matches(given[0], list(COMMANDS), n=1) or ["--help"]
        return _complain(f"unknown command {given[0]!r}", f"try `primacy {close[0]}`")
    try:
        return _command(given[0])(given[1:])
    except BrokenPipeError:
        # The reader of our output (head, less) went away.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        hint = getattr(error, "hint", None)
        if hint is None:
            raise
        return _complain(str(error), hint)


def _complain(what: str, hint: str) -> int:
    print(f"error: {what}\n{hint}", file=sys.stderr, flush=True)
    return 2
