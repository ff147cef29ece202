"""Anyone's results as a study: find out what the files are, read them, choose, group and score."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from primacy.runs import import_arrays, import_csv, import_events, import_text
from primacy.runs.errors import UserError
from primacy.runs.import_options import ImportOptions
from primacy.runs.import_rows import Source
from primacy.runs.import_select import Selection, relabelled
from primacy.runs.report_study import Study, study
from primacy.runs.results import RUN_FOLDER, Run, has_runs, read_runs
from primacy.runs.scoring import Scoring


class Format(NamedTuple):
    """One kind of results."""

    recognises: Callable[[Path], bool]
    """Whether a file, or something below a folder, is of this kind."""
    read: Callable[[Source], list[Run]]


def _read_folders(source: Source) -> list[Run]:
    runs = read_runs([source.root])
    return [kept for run in runs if (kept := source.selection.take_task(run)) is not None]


FORMATS: dict[str, Format] = {
    RUN_FOLDER: Format(has_runs, _read_folders),
    "text-tree": Format(import_text.recognises, import_text.read),
    "csv": Format(import_csv.recognises, import_csv.read),
    "npy": Format(import_arrays.recognises_arrays, import_arrays.read_arrays),
    "json": Format(import_arrays.recognises_json, import_arrays.read_json),
    "tensorboard": Format(import_events.recognises, import_events.read),
}
"""Run folders hold CSV and JSON files too, so they come first and exclude the others."""


def results(paths: Sequence[Path], options: ImportOptions) -> Study:
    """Read everything at or below `paths`.

    Raises:
        UserError: files that are missing, of no or of several kinds, or malformed; options that fit
            nothing; whatever `study` refuses.
    """
    selection, scoring = Selection.of(options), Scoring.of(options)
    found: list[Run] = []
    notes: dict[str, None] = {}
    for path in paths:
        source = Source(path, options, selection)
        form = _form(path, options)
        known = {run.folder.resolve() for run in found}
        found += [r for r in FORMATS[form].read(source) if r.folder.resolve() not in known]
        if form != RUN_FOLDER:
            notes[f"{path} is read as {form}: returns and steps alone."] = None
        notes.update(dict.fromkeys(source.notes))
    own = [run for run in found if run.form == RUN_FOLDER]
    others = [run for run in found if run.form != RUN_FOLDER]
    chosen = [*_chosen(own, selection, scoring, bool(others)), *others]
    selection.check()
    if not chosen:
        raise UserError(
            "no result is left by --tasks and --conditions",
            f"there are conditions {', '.join(list(selection.seen_conditions)[:8])}",
        )
    return study(chosen, scoring, options.normalise, tuple(notes), options.conditions)


def _form(path: Path, options: ImportOptions) -> str:
    if options.format != "auto":
        return options.format
    if not path.exists():
        raise UserError(f"cannot read {path}: no such file or folder", "check the path")
    found = [name for name, form in FORMATS.items() if form.recognises(path)]
    if RUN_FOLDER in found:
        return RUN_FOLDER
    if len(found) == 1:
        return found[0]
    if not found and options.pattern:
        return "text-tree"
    if not found:
        raise UserError(
            f"no run in {path}, and no results of another kind",
            "a run folder holds config.json and evaluations.csv; docs/import.md shows what else "
            "can be read",
        )
    raise UserError(f"{path} holds files of {' and '.join(found)}", f"choose: --format {found[0]}")


def _chosen(
    runs: list[Run], selection: Selection, scoring: Scoring, beside_others: bool
) -> list[Run]:
    """Run folders by the labels that a report on them alone would give."""
    if not runs or not (selection.conditions or selection.rename or beside_others):
        return runs
    labels = {
        run.folder: condition.label
        for condition in study(runs, scoring).conditions
        for group in condition.runs.values()
        for run in group
    }
    chosen = []
    for run in runs:
        label = labels.get(run.folder)
        taken = selection.take_condition(label) if label else run.config.get("label", "")
        if taken is not None:
            chosen.append(relabelled(run, taken))
    return chosen
