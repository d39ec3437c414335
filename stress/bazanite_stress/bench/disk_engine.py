"""The bare disk: the bytes of Bazanite's frames, written and synced, and nothing else: the limit.

How long a frame is for each kind of change is asked of Bazanite itself, once a directory.  Each
thread overwrites a file of its own, which was filled and synced before, so that nobody waits for
anybody; what does group commit may be faster than this, because one sync serves several.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

from bazanite_stress.torture.schema import Table

from .bazanite_engine import BazaniteSession, open_bazanite
from .engine import Counters, Searching, Session
from .tables import Values, changed, rows_for

_FILE_BYTES = 8 << 20
_CHUNK = bytes(range(1, 256)) * (1 << 12)
_MANY = 200
_SIZES = "sizes.json"


class DiskEngine:
    """``pwrite`` and ``fdatasync`` of a preallocated file."""

    def open(self, directory: Path, tables: Sequence[Table]) -> Session:
        """As ``Engine`` says."""
        directory.mkdir(exist_ok=True)
        sizes = directory / _SIZES
        if not sizes.exists():
            sizes.write_text(json.dumps(frame_sizes(directory / "asked", tables)))
        return DiskSession(directory, json.loads(sizes.read_text()))


def frame_sizes(directory: Path, tables: Sequence[Table]) -> dict[str, int]:
    """Bytes of Bazanite's log for an insert and an update of each table, for each row of many, and
    for one transaction that inserts into the last table and updates the first.
    """
    sizes: dict[str, int] = {}
    session = open_bazanite(directory, tables)
    try:
        for table in tables:
            session.insert_many(table.name, rows_for(table.name, 100))
            values = next(rows_for(table.name, 1))
            before = _end(session)
            session.insert(table.name, values)
            inserted = _end(session)
            session.update(table.name, 1, changed(table.name, 1))
            sizes[f"insert {table.name}"] = inserted - before
            sizes[f"update {table.name}"] = _end(session) - inserted
            before = _end(session)
            session.insert_many(table.name, [values] * _MANY)
            sizes[f"many {table.name}"] = (_end(session) - before) // _MANY
        first, last = tables[0].name, tables[-1].name
        before = _end(session)
        with session.transaction():
            session.insert(last, next(rows_for(last, 1)))
            session.update(first, 1, changed(first, 2))
        sizes["transaction"] = _end(session) - before
    finally:
        session.close()
    return sizes


def _end(session: BazaniteSession) -> int:
    return int(session.db.stats()["end_lsn"])


class _File:
    """A thread's file and where it writes next."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self.offset = self.commits = self.bytes = 0
        for offset in range(0, _FILE_BYTES, len(_CHUNK)):
            os.pwrite(self.descriptor, _CHUNK, offset)
        os.fsync(self.descriptor)

    def write(self, size: int) -> None:
        """Write so many bytes after the last ones, from the beginning when it is full, and sync."""
        if self.offset + size > _FILE_BYTES:
            self.offset = 0
        left = size
        while left:
            # What stands there is overwritten by the same bytes one place further.
            piece = _CHUNK[1 : 1 + min(left, len(_CHUNK) - 1)]
            written = os.pwrite(self.descriptor, piece, self.offset)
            self.offset += written
            left -= written
        os.fdatasync(self.descriptor)
        self.commits += 1
        self.bytes += size


class DiskSession(Searching):
    """Files of this process; no row can be read back."""

    def __init__(self, directory: Path, sizes: dict[str, int]) -> None:
        self._directory = directory
        self._sizes = sizes
        self._mine = threading.local()
        self._files: list[_File] = []

    def _write(self, size: int) -> None:
        self._file().write(size)

    def _file(self) -> _File:
        try:
            file: _File = self._mine.file
        except AttributeError:
            name = f"log.{os.getpid()}.{threading.get_native_id()}"
            file = self._mine.file = _File(self._directory / name)
            self._files.append(file)
        return file

    def get(self, table: str, row_id: int) -> Values | None:
        """No row; but the thread has its file afterwards."""
        del table, row_id
        self._file()
        return None

    def insert(self, table: str, values: Values) -> int:
        del values
        if not getattr(self._mine, "inside", False):
            self._write(self._sizes[f"insert {table}"])
        return 0

    def update(self, table: str, row_id: int, values: Values) -> None:
        del row_id, values
        if not getattr(self._mine, "inside", False):
            self._write(self._sizes[f"update {table}"])

    def insert_many(self, table: str, rows: Iterable[Values]) -> None:
        self._write(self._sizes[f"many {table}"] * sum(1 for _ in rows))

    @contextmanager
    def transaction(self) -> Generator[None]:
        self._mine.inside = True
        try:
            yield
        finally:
            self._mine.inside = False
        self._write(self._sizes["transaction"])

    def scan(self, table: str) -> list[Values]:
        """No rows."""
        del table
        return []

    def count(self, table: str) -> int:
        """No rows."""
        del table
        return 0

    def counters(self) -> Counters:
        commits = sum(file.commits for file in self._files)
        return Counters(commits, commits, sum(file.bytes for file in self._files))

    def close(self) -> None:
        for file in self._files:
            os.close(file.descriptor)
