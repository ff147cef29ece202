"""Rows of bytes, and the journals that consist of them."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from primacy.replay.frame_layout import FrameLayout
from primacy.replay.journal import Journal, JournalFault, digest
from primacy.replay.layout import Layout
from primacy.tests.support.replay_disk import SEEDS, written
from primacy.tests.support.replay_frames import COLOUR, GREY, lane, pack
from primacy.tests.support.replay_twin import LAYOUT


@pytest.mark.parametrize("layout", [GREY, COLOUR, FrameLayout((1, 1)), FrameLayout((3, 5), 3)])
def test_parts_come_back_as_they_went_in(layout):
    rng = np.random.default_rng(0)
    size = layout.action_size
    given = (
        rng.integers(0, 256, (5, 3, *layout.frame), dtype=np.uint8),
        rng.integers(18, size=(5, 3))
        if size is None
        else rng.standard_normal((5, 3, size), dtype=np.float32),
        rng.standard_normal((5, 3), dtype=np.float32),
        rng.random((5, 3)) < 0.5,
        rng.random((5, 3)) < 0.5,
        rng.integers(0, 256, (5, 3, *layout.frame), dtype=np.uint8),
    )
    rows = layout.pack(*given)
    assert (rows.shape, rows.dtype) == ((5, 3, layout.width), np.uint8)
    assert layout.width % 4 == 0
    found = layout.views(torch.from_numpy(rows))
    for ours, theirs in zip(found, given, strict=True):
        assert np.array_equal(ours.numpy(), theirs)
    assert found.action.dtype == (torch.int64 if size is None else torch.float32)


def test_frames_of_another_size_or_type_are_refused():
    step = lane(GREY, 1, [(0.0, "", False)])[0]
    for wrong in (np.zeros((3, 2), dtype=np.uint8), np.zeros((2, 3), dtype=np.float32)):
        with pytest.raises(ValueError, match=r"frames are uint8 \(1, 2, 3\), not"):
            pack(GREY, [step._replace(next_frame=wrong)])
    with pytest.raises(ValueError, match=r"not \[4, 3, 84, 84\]"):
        FrameLayout((4, 3, 84, 84))


def journal(folder: Path, layout: FrameLayout, steps: int) -> np.ndarray:
    """The rows [n, S, width] of a closed journal."""
    cells = [(number / 2, "", False) for number in range(steps)]
    rows = np.stack([pack(layout, lane(layout, 1 + 300 * seed, cells)) for seed in SEEDS], axis=1)
    one = Journal(folder, layout, SEEDS, 4)
    for row in rows:
        one.append(row)
    one.close()
    return rows


@pytest.mark.parametrize("layout", [GREY, COLOUR])
def test_a_journal_of_frames_is_raw_rows_behind_a_line_and_gives_them_back(tmp_path, layout):
    rows = journal(tmp_path, layout, 6)
    line, _, raw = (tmp_path / "000001.rows").read_bytes().partition(b"\n")
    assert raw == rows[4:].tobytes()
    about = json.loads(line)
    assert about["frame"] == list(layout.frame)
    assert about["record"].startswith("u1 [seed, <f4 action|reward")
    opened = Journal.open(tmp_path)
    assert (opened.layout, opened.seeds) == (layout, SEEDS)
    assert np.array_equal(opened.read(1, 6), rows[1:])
    assert digest(tmp_path, 5) == hashlib.sha256(rows[:5].tobytes()).hexdigest()
    opened.truncate(5)
    assert np.array_equal(Journal(tmp_path, layout, SEEDS, 4).read(0, 5), rows[:5])


def test_frames_of_another_size_on_resume_are_named(tmp_path):
    journal(tmp_path, GREY, 2)
    for other, message in (
        (FrameLayout((3, 2)), r"frame \[2, 3\], not \[3, 2\]"),
        (FrameLayout((2, 3), 4), "action_size None, not 4"),
        (Layout(2, 3), "record u1"),
    ):
        with pytest.raises(JournalFault, match=message) as fault:
            Journal(tmp_path, other, SEEDS, 4)
        assert fault.value.hint


def test_rows_that_are_not_bytes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="rows are uint8"):
        Journal(tmp_path, GREY, SEEDS).append(np.zeros((2, GREY.width), dtype=np.float32))


def test_a_journal_of_vectors_has_the_bytes_it_always_had(tmp_path):
    """SHA-256 of both segments, headers included, as written before there were frames."""
    paths = sorted(written(tmp_path, 6).iterdir())
    assert LAYOUT.NUMBER == np.float32
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths] == [
        "41ffd94180b55f6303b514a068f4d9c8a7bb062d374c0d1a2a70dee7585d47fe",
        "62d0fb1bbab0be8d4928dc9a300b60c9b2171719132fa864e41f3047b863900e",
    ]
