"""What `primacy report` may be told of results: how to read, choose, score, normalise them."""

from dataclasses import dataclass
from typing import Literal

import tyro

from primacy.runs.errors import UserError

FormatName = Literal["auto", "run-folder", "text-tree", "csv", "npy", "json", "tensorboard"]


@dataclass(frozen=True)
class ImportOptions:
    """How results are read; docs/import.md shows each format with its command."""

    format: FormatName = "auto"
    """What the files are; auto looks at them."""
    pattern: str = ""
    """Where a path names things: "{condition}/{task}/{seed}.txt"; other fields are skipped over."""
    columns: tuple[str, ...] = ()
    """Columns of a CSV or record, FIELD=COLUMN: task=env_name seed=seed step=env_step score=value
    condition=exp_name."""
    where: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Use rows with COLUMN=VALUE only; may be given several times."""
    tag: str = ""
    """The scalar to read from TensorBoard files; not needed where they hold one."""
    steps: str = ""
    """Steps of arrays and score files, which hold none: EVERY, FIRST:LAST, or a,b,c."""
    rename: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Call a condition or task otherwise, OLD=NEW; may be given several times."""
    tasks: tuple[str, ...] = ()
    """Only these tasks; "atari" stands for the 26 games of Atari-100k, "dmc" for dm_control's."""
    conditions: tuple[str, ...] = ()
    """Only these conditions, in this order."""
    at: str = ""
    """Score at this step, or at each seed's own "last" one; by default at the last step that all
    share. Seeds without an evaluation at that step are left out and named."""
    last: int = 1
    """Score is the mean of so many evaluations up to that step."""
    since_reset: bool = False
    """Score is the mean over the last full period between resets up to that step."""
    reset_every: int = 0
    """Steps between resets, for --since-reset where results hold no events."""
    smooth: int = 1
    """Draw curves as means of so many evaluations; scores are not smoothed."""
    pool: bool = False
    """In the IQM and in profiles every run counts equally; otherwise every task does."""
    normalise: str = "auto"
    """auto (by the names of tasks), atari, dmc, antmaze, none, or a CSV of task,low,high."""


def pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    """LEFT=RIGHT arguments of an option as a dictionary.

    Raises:
        UserError: an argument without "=", or the same left side twice.
    """
    found: dict[str, str] = {}
    for text in given:
        left, equals, right = text.partition("=")
        if not (left and equals) or left in found:
            raise UserError(
                f"--{option} {text} is not LEFT=RIGHT, or repeats its left side",
                f"write for example --{option} {EXAMPLES[option]}",
            )
        found[left] = right
    return found


EXAMPLES = {
    "columns": "task=env_name score=value",
    "where": "metric=avg_return",
    "rename": "max_steps_2000000_resets_True=resets",
}
