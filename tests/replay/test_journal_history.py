"""The journal through random histories of appends, cuts, crashes and reopenings."""

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from primacy.replay import journal as module
from primacy.tests.support.replay_disk import (
    RECORD_BYTES,
    SEGMENT_STEPS,
    append_until,
    contents,
    journal,
    record,
    written,
)

HEADER_BYTES = 4096


class Histories(RuleBasedStateMachine):
    """Beside the journal stands the list of the record numbers that it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.root = tempfile.TemporaryDirectory()
        self.folder = Path(self.root.name) / "0"
        self.numbers: list[int] = []
        self.used = 0
        self.safe = 0
        self.lives = 0

    @initialize(buffer_bytes=st.sampled_from([RECORD_BYTES + 1, 3 * RECORD_BYTES, 1 << 20]))
    def begin(self, buffer_bytes: int) -> None:
        self.patch = patch.object(module, "BUFFER_BYTES", buffer_bytes)
        self.patch.start()
        self.journal = journal(self.folder)

    @rule(count=st.integers(1, 6))
    def append(self, count: int) -> None:
        for _ in range(count):
            # No number is used twice: what is written after a cut differs from what was there.
            self.journal.append(record(self.used))
            self.numbers.append(self.used)
            self.used += 1

    @rule(sync=st.booleans())
    def save(self, sync: bool) -> None:
        self.journal.sync() if sync else self.journal.flush()
        self.safe = len(self.numbers)

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.journal = journal(self.folder)
        self.safe = len(self.numbers)

    @rule(share=st.floats(0, 1))
    def truncate(self, share: float) -> None:
        steps = round(share * len(self.numbers))
        self.journal.truncate(steps)
        del self.numbers[steps:]
        self.safe = steps

    @rule(torn=st.integers(0, RECORD_BYTES - 1))
    def crash(self, torn: int) -> None:
        """Go on from a copy of the disk: what was buffered is lost, a last record is torn."""
        self.lives += 1
        copy = Path(self.root.name) / str(self.lives)
        if self.folder.exists():
            shutil.copytree(self.folder, copy)
        self.journal.close()
        self.folder, self.journal = copy, journal(copy)
        assert self.safe <= len(self.journal) <= len(self.numbers)
        del self.numbers[len(self.journal) :]
        self.tear(torn)
        self.journal = journal(self.folder)

    def tear(self, torn: int) -> None:
        """Bytes of one more record, or of the header of one more segment."""
        segment, offset = divmod(len(self.numbers), SEGMENT_STEPS)
        self.folder.mkdir(exist_ok=True)
        with (self.folder / f"{segment:06d}.rows").open("ab") as file:
            file.truncate(HEADER_BYTES + offset * RECORD_BYTES if offset else 0)
            file.write(b"\1" * torn)

    @rule(share=st.floats(0, 1))
    def read(self, share: float) -> None:
        start = round(share * len(self.numbers))
        expected = b"".join(record(number).tobytes() for number in self.numbers[start:])
        assert self.journal.read(start, len(self.numbers)).tobytes() == expected
        self.safe = len(self.numbers)

    @invariant()
    def length_is_that_of_the_list(self) -> None:
        assert len(self.journal) == len(self.numbers)

    def teardown(self) -> None:
        self.journal.truncate(len(self.numbers))
        fresh = journal(Path(self.root.name) / "fresh")
        for number in self.numbers:
            fresh.append(record(number))
        fresh.close()
        self.folder.mkdir(exist_ok=True)
        fresh.folder.mkdir(exist_ok=True)
        try:
            assert contents(self.folder) == contents(fresh.folder)
        finally:
            self.patch.stop()
            self.root.cleanup()


TestHistories = Histories.TestCase
TestHistories.settings = settings(deadline=None, max_examples=60, stateful_step_count=25)


WRITER = """
import sys
from pathlib import Path
from primacy.tests.support.replay_disk import journal, record
one = journal(Path(sys.argv[1]))
for number in range(10**9):
    one.append(record(number))
    if number % 50 == 49:
        one.sync()
        print(len(one), flush=True)
"""


def test_a_killed_process_loses_nothing_that_was_synced(tmp_path: Path):
    command = [sys.executable, "-c", WRITER, str(tmp_path / "killed")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(4):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().split()
    synced = int(lines[-1]) if lines else 200
    killed = journal(tmp_path / "killed")
    assert len(killed) >= synced >= 200
    killed.truncate(synced)
    append_until(killed, synced + 10)
    killed.close()
    assert contents(killed.folder) == contents(written(tmp_path / "whole", synced + 10))
