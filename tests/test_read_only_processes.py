"""Readers beside real writers that come, go and are killed: each reading is of one state.

No sleeps: somebody is killed whenever so many commits were acknowledged.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Queue

import pytest

from bazanite import DB, EQ
from read_only_support import state
from read_only_writer import ACCOUNTS, EACH, filled, move, opened

WRITERS, KILLS, READERS = 3, 8, 2
LONGEST_WAIT_SECONDS = 60.0
WRITER = str(Path(__file__).parent / "read_only_writer.py")


class Writer:
    """A child process that writes; what it acknowledged goes into a queue, at last None."""

    def __init__(self, acknowledged: Queue[int | None], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, WRITER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._acknowledged = acknowledged
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith(b"\n"):
                self._acknowledged.put(int(line))
        self._acknowledged.put(None)

    def kill(self) -> bytes:
        """SIGKILL; what it said to stderr."""
        self.process.kill()
        self._thread.join()
        told = self.process.communicate()[1]
        assert self.process.wait() == -9, told
        return told


class Reader:
    """Reads through one handle, and raises what it finds wrong."""

    def __init__(self, path: Path) -> None:
        self.db = DB.open(path, read_only=True, lock_timeout=LONGEST_WAIT_SECONDS)
        self.readings = 0
        self.count = self.lsn = 0

    def read(self) -> None:
        """Everything once: each is of one state, and none older than the one before."""
        db = self.db
        rows = db.find_all("account")
        assert sum(row["balance"] for row in rows) == ACCOUNTS * EACH
        assert [row["id"] for row in rows] == list(range(1, ACCOUNTS + 1))
        self._position()
        assert db.sum("account", "balance") == ACCOUNTS * EACH
        self._counted()
        with db.storage.lock():
            before = db.find_by_id("counter", 1)
            assert db.sum("account", "balance") == ACCOUNTS * EACH
            assert db.find("counter", EQ(id=1)) == [before]
        self._counted()
        self._counted()
        self.readings += 1

    def _counted(self) -> None:
        row = self.db.find_by_id("counter", 1)
        assert row is not None
        assert row["n"] >= self.count
        self.count = row["n"]
        self._position()

    def _position(self) -> None:
        assert self.db.read_lsn >= self.lsn
        self.lsn = self.db.read_lsn


def in_threads(readers: list[Reader], work: Callable[[], None]) -> None:
    """Run ``work`` while all readers read, each in a thread; their errors are raised."""
    failures: list[BaseException] = []
    over = threading.Event()

    def live(reader: Reader) -> None:
        try:
            while not over.is_set():
                reader.read()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=live, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        work()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_readers_see_whole_states_while_writers_are_killed(tmp_path: Path, durability: str) -> None:
    path = tmp_path / "data"
    filled(str(path), durability).close()
    choose = random.Random(f"{durability} 1")
    acknowledged: Queue[int | None] = Queue()
    readers = [Reader(path) for _ in range(READERS)]
    seeds = iter(range(1000))
    writers: list[Writer] = []
    newest = 0

    def start() -> None:
        writers.append(Writer(acknowledged, str(path), durability, str(next(seeds))))

    def run() -> None:
        nonlocal newest
        for _ in range(WRITERS):
            start()
        for number in range(KILLS):
            for _ in range(choose.randrange(1, 25)):
                count = acknowledged.get(timeout=LONGEST_WAIT_SECONDS)
                assert count is not None, writers[0].kill()
                newest = max(newest, count)
            dying = writers if number % 4 == 3 else [choose.choice(writers)]
            for writer in list(dying):
                writers.remove(writer)
                assert writer.kill() == b""
                while (count := acknowledged.get(timeout=LONGEST_WAIT_SECONDS)) is not None:
                    newest = max(newest, count)
            fresh = Reader(path)
            fresh.read()
            assert fresh.count >= newest
            while len(writers) < WRITERS:
                start()

    try:
        in_threads(readers, run)
    finally:
        for writer in writers:
            writer.kill()
    before = state(path)
    for reader in [*readers, Reader(path)]:
        reader.read()
        assert reader.count >= newest
        assert reader.readings > 0
        assert reader.db.stats()["attached_processes"] == 0
    assert state(path) == before
    with opened(str(path), durability) as db:
        counter = db.find_by_id("counter", 1)
        assert counter is not None
        assert counter["n"] >= max(reader.count for reader in readers)
        for reader in readers:
            reader.read()
            assert reader.count == counter["n"]
        move(db, choose)
        for reader in readers:
            reader.read()
            assert reader.count == counter["n"] + 1
            reader.db.close()
        assert db.check().ok
