"""What the journal writes, gives back and refuses."""

import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from primacy.replay import journal as module
from primacy.replay.buffer import Replay
from primacy.replay.journal import Journal, JournalFault, digest, refill
from primacy.replay.layout import Layout
from primacy.tests.support.replay_disk import (
    RECORD_BYTES,
    SEEDS,
    SEGMENT_STEPS,
    append_until,
    contents,
    folder_for_reading,
    journal,
    no_file_larger_than,
    record,
    records,
    written,
)
from primacy.tests.support.replay_twin import LAYOUT

torch.set_num_threads(1)


def test_a_segment_is_one_line_about_itself_and_raw_rows(tmp_path: Path):
    written(tmp_path, 6)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["000000.rows", "000001.rows"]
    line, _, rows = (tmp_path / "000001.rows").read_bytes().partition(b"\n")
    assert (len(line) + 1) % 4096 == 0
    assert np.array_equal(np.frombuffer(rows, "<f4").reshape(2, 2, -1), records(4, 6))
    about = json.loads(line)
    assert (about["observation_size"], about["action_size"]) == (2, 3)
    assert (about["seeds"], about["segment_steps"], about["segment"]) == ([3, 7], 4, 1)


def test_any_stretch_is_read_back_across_segments(tmp_path: Path):
    one = journal(tmp_path)
    append_until(one, 11)
    for start in range(11):
        for stop in range(start, 12):
            assert np.array_equal(one.read(start, stop), records(0, 11)[start:stop])


def test_a_journal_opened_by_name_alone_knows_what_it_is(tmp_path: Path):
    one = Journal.open(written(tmp_path, 6))
    assert (one.layout, one.seeds, one.segment_steps) == (LAYOUT, SEEDS, SEGMENT_STEPS)
    assert np.array_equal(one.read(0, 6), records(0, 6))


def test_opening_and_reading_change_nothing_on_disk(tmp_path: Path):
    with (written(tmp_path, 6) / "000001.rows").open("ab") as file:
        file.write(b"torn")
    before = contents(tmp_path)
    one = journal(tmp_path)
    one.read(0, len(one))
    one.close()
    assert len(one) == 6
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("capacity", "until"), [(3, 10), (7, 10), (10, 10), (99, 10), (4, 7)])
@pytest.mark.parametrize("chunk_steps", [1, 3, 100])
def test_a_refilled_buffer_is_what_it_was(tmp_path, monkeypatch, capacity, until, chunk_steps):
    monkeypatch.setattr(module, "CHUNK_BYTES", chunk_steps * RECORD_BYTES)
    live, refilled = (Replay(LAYOUT, len(SEEDS), capacity) for _ in range(2))
    for number in range(until):
        live.add(record(number))
    one = journal(written(tmp_path, 10))
    refill(refilled, one, until)
    refilled.add(record(77))
    live.add(record(77))
    assert refilled.total == live.total
    held = live.size
    assert torch.equal(refilled.rows[:, :held], live.rows[:, :held])


def test_refilling_reads_no_more_than_the_buffer_holds(tmp_path: Path):
    one = journal(written(tmp_path, 10))
    (tmp_path / "000000.rows").unlink()
    replay = Replay(LAYOUT, len(SEEDS), 3)
    refill(replay, one, 10)
    assert np.array_equal(replay.rows[:, 9 % 3].numpy(), record(9))


def test_the_digest_is_that_of_the_experience_up_to_a_step(tmp_path: Path):
    whole = digest(written(tmp_path / "whole", 9), 6)
    assert whole == digest(written(tmp_path / "shorter", 6), 6)
    assert whole != digest(tmp_path / "whole", 7)
    changed = journal(written(tmp_path / "changed", 5))
    changed.append(record(99))
    changed.close()
    assert whole != digest(tmp_path / "changed", 6)


def test_refilling_and_hashing_hold_a_chunk_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", 1 << 14)
    one = journal(tmp_path, segment_steps=10_000)
    for number in range(20_000):
        one.append(record(0) + np.float32(number))
    one.close()
    replay = Replay(LAYOUT, len(SEEDS), 5_000)
    tracemalloc.start()
    refill(replay, one, 20_000)
    digest(tmp_path, 20_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.1 * 20_000 * RECORD_BYTES


def test_syncing_puts_every_segment_and_its_name_on_the_disk(tmp_path, monkeypatch):
    one = journal(tmp_path)
    reached = []
    monkeypatch.setattr(
        module.os, "fsync", lambda file: reached.append((os.fstat(file).st_ino, len(one)))
    )
    append_until(one, 10)
    one.sync()
    paths = sorted(tmp_path.iterdir())
    for path, steps in zip(paths, (4, 8, 10), strict=True):
        assert (path.stat().st_ino, steps) in reached
    for begun in (0, 4, 8):
        assert (tmp_path.stat().st_ino, begun) in reached


def test_a_crash_while_cutting_leaves_no_gap(tmp_path, monkeypatch):
    one = journal(written(tmp_path, 15))
    left = iter((Path.unlink, Path.unlink))
    monkeypatch.setattr(module.Path, "unlink", lambda path: next(left)(path))
    with pytest.raises(StopIteration):
        one.truncate(2)
    assert np.array_equal(journal(tmp_path).read(0, 8), records(0, 8))


def test_dropped_segments_are_gone_from_the_disk_before_the_cut(tmp_path, monkeypatch):
    one = journal(written(tmp_path, 15))
    done: list[tuple[str, int]] = []
    monkeypatch.setattr(module.Path, "unlink", lambda path: done.append(("unlink", int(path.stem))))
    monkeypatch.setattr(module.os, "truncate", lambda path, _: done.append(("cut", int(path.stem))))
    monkeypatch.setattr(module, "_sync", lambda path: done.append(("sync", path == tmp_path)))
    one.truncate(6)
    assert done == [("unlink", 3), ("unlink", 2), ("sync", True), ("cut", 1)]


def test_rows_that_are_not_the_layout_are_refused(tmp_path: Path):
    one = journal(tmp_path)
    for rows in (record(0)[:1], record(0)[:, 1:], record(0).astype(np.float64)):
        with pytest.raises(ValueError, match="rows are float32"):
            one.append(rows)
    assert len(one) == 0


# What goes wrong on disks: one clear message, a hint, and nothing lost that was written before.


def test_a_full_disk_loses_nothing_and_can_be_gone_on_from(tmp_path: Path):
    one = journal(tmp_path / "full", segment_steps=100)
    with no_file_larger_than(4096 + 10 * RECORD_BYTES + 30):
        append_until(one, 15)
        with pytest.raises(JournalFault, match="full.*: File too large") as fault:
            one.sync()
        assert "free some space" in fault.value.hint
        with pytest.raises(JournalFault):
            one.close()
    assert len(one) == 10
    left = journal(tmp_path / "full", segment_steps=100)
    assert np.array_equal(left.read(0, len(left)), records(0, 10))
    append_until(left, 15)
    left.close()
    whole = journal(tmp_path / "whole", segment_steps=100)
    append_until(whole, 15)
    whole.close()
    assert contents(tmp_path / "full") == contents(tmp_path / "whole")


@pytest.mark.parametrize("buffer_bytes", [2 * RECORD_BYTES, 1 << 20])
@pytest.mark.parametrize("room", [0, 4096 + 1, 4096 + 3 * RECORD_BYTES + 5])
def test_what_a_full_disk_refused_can_be_repeated(tmp_path, monkeypatch, room, buffer_bytes):
    monkeypatch.setattr(module, "BUFFER_BYTES", buffer_bytes)
    one = journal(tmp_path / "full")
    with no_file_larger_than(room), pytest.raises(JournalFault):
        append_until(one, 9)
    assert len(one) < 9
    append_until(one, 9)
    one.close()
    assert contents(tmp_path / "full") == contents(written(tmp_path / "whole", 9))


def test_a_refused_step_at_a_boundary_costs_none_of_those_before_it(tmp_path: Path):
    one = journal(tmp_path)
    append_until(one, SEGMENT_STEPS)
    with no_file_larger_than(4096 + 2 * RECORD_BYTES + 5), pytest.raises(JournalFault):
        one.append(record(SEGMENT_STEPS))
    assert len(one) == SEGMENT_STEPS
    one.append(record(SEGMENT_STEPS))
    assert np.array_equal(one.read(0, SEGMENT_STEPS + 1), records(0, SEGMENT_STEPS + 1))


def test_a_folder_without_write_permission_is_named_and_still_read():
    with folder_for_reading(steps=6) as folder:
        one = journal(folder)
        assert np.array_equal(one.read(0, 6), records(0, 6))
        for change in (lambda: one.append(record(6)), lambda: one.truncate(3)):
            with pytest.raises(JournalFault, match="journal.*: Permission denied") as fault:
                change()
            assert "permissions" in fault.value.hint
            assert len(one) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Layout(3, 3), SEEDS, SEGMENT_STEPS), "observation_size 2, not 3"),
        ((Layout(2, 4), SEEDS, SEGMENT_STEPS), "action_size 3, not 4"),
        ((LAYOUT, (3, 8), SEGMENT_STEPS), r"seeds \[3, 7\], not \[3, 8\]"),
        ((LAYOUT, (3,), SEGMENT_STEPS), r"seeds \[3, 7\], not \[3\]"),
        ((LAYOUT, SEEDS, 5), "segment_steps 4, not 5"),
    ],
)
def test_another_layout_or_other_seeds_are_named(tmp_path, arguments, message):
    with pytest.raises(JournalFault, match=message) as fault:
        Journal(written(tmp_path, 6), *arguments)
    assert fault.value.hint


def test_a_missing_segment_is_named(tmp_path: Path):
    (written(tmp_path, 10) / "000001.rows").unlink()
    with pytest.raises(JournalFault, match=r"000001\.rows: this segment is missing"):
        journal(tmp_path)


@pytest.mark.parametrize("lost", [1, RECORD_BYTES, 4 * RECORD_BYTES, 4 * RECORD_BYTES + 1])
def test_bytes_lost_in_the_middle_are_named(tmp_path, lost):
    path = written(tmp_path, 10) / "000001.rows"
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(JournalFault, match=r"000001\.rows") as fault:
        journal(tmp_path)
    assert fault.value.hint


@pytest.mark.parametrize("steps", [8, 10])
def test_a_segment_with_too_much_in_it_is_named(tmp_path, steps):
    with (written(tmp_path, steps) / "000001.rows").open("ab") as file:
        file.write(bytes(RECORD_BYTES))
    with pytest.raises(JournalFault, match="5 env steps where 4 belong"):
        journal(tmp_path)


def test_segments_in_another_order_are_named(tmp_path: Path):
    first, second = sorted(written(tmp_path, 8).iterdir())
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    with pytest.raises(JournalFault, match="segment 1, not 0"):
        journal(tmp_path)


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b"[1]\n", b"\xff\n", b"no end of a line"])
def test_a_header_that_is_none_is_named(tmp_path, line):
    path = written(tmp_path, 3) / "000000.rows"
    path.write_bytes(line + path.read_bytes()[len(line) :].replace(b"\n", b" "))
    for opening in (journal, Journal.open):
        with pytest.raises(JournalFault, match=r"000000\.rows") as fault:
            opening(tmp_path)
        assert fault.value.hint


def test_no_journal_where_one_is_asked_for(tmp_path: Path):
    with pytest.raises(JournalFault, match=r"000000\.rows: No such file"):
        Journal.open(tmp_path / "nothing")
    assert len(journal(tmp_path / "nothing")) == 0
    assert not (tmp_path / "nothing").exists()


def test_fewer_steps_than_a_checkpoint_needs_are_named(tmp_path: Path):
    one = journal(written(tmp_path, 6))
    for demand in (
        lambda: one.truncate(7),
        lambda: one.read(5, 7),
        lambda: refill(Replay(LAYOUT, 2, 3), one, 7),
        lambda: digest(tmp_path, 7),
    ):
        with pytest.raises(JournalFault, match="6 env steps where at least 7 belong"):
            demand()


def test_a_segment_cut_after_opening_is_named(tmp_path: Path):
    one = journal(written(tmp_path, 6))
    path = tmp_path / "000000.rows"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(JournalFault, match=r"000000\.rows: it ends before env step 4"):
        one.read(0, 6)
