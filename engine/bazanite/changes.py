"""The changes of rows that were committed, in order, read from the log of a directory.

    for commit in Changes(path).read():
        for change in commit.changes: ...

Reads only, beside whoever uses the directory, and takes no lock.  Each committed transaction comes
once, whole, with the log position to go on from: ``Changes(path, position)`` gives what came
behind it.  The tables are read as the catalog was at that position.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bazanite_wal.frame import FRAME, Fill, Operation, Truncate, Write
from bazanite_wal.log_reader import READ_ANEW, LogReader

from .catalog import decode
from .codec import Layout
from .errors import ForgottenError
from .files import CATALOG_NAME, PathLike, TableFiles, path_text
from .row_changes import SCHEMA, Change, RowChanges
from .specs import Catalog, TableSpec
from .stored_schema import layout_of

if TYPE_CHECKING:
    from bazanite_wal.system import System

__all__ = ["Change", "Changes", "Commit"]


@dataclass(frozen=True, slots=True)
class Commit:
    """One committed transaction: the log position behind it, and what it changed.

    Each row comes once, as the transaction left it; a row that came and went within it does not.
    """

    lsn: int
    changes: list[Change]


class Changes:
    """The committed changes of a directory behind log position ``start``.  For one thread.

    Without a position: from as far back as everything is there.  ``start`` then says where that is.
    DirectoryError if there is no such directory; ForgottenError if something behind the position is
    not there any more, or the catalog of then is not; ValidationError for a position beyond the
    log's end.
    """

    def __init__(
        self, base_dir: str | PathLike, start: int | None = None, *, system: System | None = None
    ) -> None:
        self._log = LogReader(path_text(base_dir), start, system)
        self._decoder = _Decoder(self._log.path, self._log.beginning.catalog)
        self.start = self._log.beginning.lsn if start is None else start
        """Everything behind this log position is given."""
        self.position = self.start
        """Everything up to this log position was given."""
        self._must_tell = start is not None

    def read(self) -> Iterator[Commit]:
        """What was committed since, up to now; call it again for what comes later.

        With durability "full" only what is durable.  Transactions that changed no row or schema are
        left out.  Besides the errors above: CorruptionError, DirectoryError.
        """
        for frame in self._log.frames():
            operations = _without_pages(frame.operations()) if frame.kind == FRAME else []
            wanted = frame.end > self.start
            if not self._decoder.knows_tables and _touches_tables(operations) and wanted:
                if self._must_tell:
                    raise ForgottenError(
                        self._log.path,
                        self.position,
                        frame.end,
                        "its frames are, but how their tables were laid out is not, as a schema"
                        f" was changed since: {READ_ANEW}",
                    )
                self.start = frame.end
                wanted = False
            changes = self._decoder.changes(operations, wanted=wanted)
            self.position = max(self.position, frame.end)
            if wanted and changes:
                self._must_tell = True
                yield Commit(frame.end, changes)

    def close(self) -> None:
        """Let go of the directory."""
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Decoder:
    """Makes changes of frames, by the catalog as the frames before left it."""

    def __init__(self, path: str, catalog: bytes | None) -> None:
        self._path = path
        self._catalog: Catalog | None = None
        self._bytes = catalog or b""
        self.knows_tables = catalog is not None
        if catalog:
            self._catalog = decode(catalog, path)
        self._files: dict[str, str] = {}
        self._layouts: dict[str, Layout] = {}
        self._find_files()

    def changes(self, operations: list[Operation], *, wanted: bool) -> list[Change]:
        """What a frame changed; unless it is ``wanted`` only its catalog is looked at."""
        found: list[tuple[int, Change]] = []
        apart: set[str] = set()
        if any(operation.name == CATALOG_NAME for operation in operations):
            apart = self._take_catalog(operations)
            found += [(0, Change(name, SCHEMA)) for name in sorted(apart)]
        if not wanted:
            return []
        tables: dict[str, RowChanges] = {}
        for order, operation in enumerate(operations, 1):
            name = self._files.get(operation.name)
            if name is None or name in apart:
                continue
            if name not in tables:
                tables[name] = RowChanges(self._layout(name))
            tables[name].take(operation, order)
        for table in tables.values():
            found += table.result()
        found.sort(key=lambda item: item[0])
        return [change for _, change in found]

    def _take_catalog(self, operations: list[Operation]) -> set[str]:
        """Read the catalog that a frame writes; returns the tables that are another's now."""
        data = self._bytes
        for operation in operations:
            if operation.name == CATALOG_NAME:
                if isinstance(operation, Write):
                    start, end = operation.offset, operation.offset + len(operation.data)
                    data = data[:start].ljust(start, b"\0") + operation.data + data[end:]
                elif isinstance(operation, Truncate):
                    data = data[: operation.size].ljust(operation.size, b"\0")
        known, before = self.knows_tables, self._catalog.tables if self._catalog else {}
        self._bytes, self.knows_tables = data, True
        self._catalog = decode(data, self._path)
        self._find_files()
        after = self._catalog.tables
        if not known:
            return set(after)
        return {
            name
            for name in {**before, **after}
            if _told(before.get(name)) != _told(after.get(name))
        }

    def _layout(self, name: str) -> Layout:
        found = self._layouts.get(name)
        if found is None:
            assert self._catalog is not None
            spec, files = self._catalog.tables[name], TableFiles(self._path, name)
            found = self._layouts[name] = layout_of(files, spec, self._catalog.int_width)
        return found

    def _find_files(self) -> None:
        self._files, self._layouts = {}, {}
        for name in self._catalog.tables if self._catalog else ():
            files = TableFiles(self._path, name)
            self._files |= dict.fromkeys((files.rows, files.index, files.text), name)


def _told(spec: TableSpec | None) -> TableSpec | None:
    """What of a table is told when it changes: not how far an index is built, nor checksums."""
    if spec is None:
        return None
    indexes = tuple(replace(index, built=None) for index in spec.indexes)
    return replace(spec, indexes=indexes, checksums=False)


def _without_pages(operations: list[Operation]) -> list[Operation]:
    """What a transaction did, of a frame that may list whole pages behind it."""
    for place, operation in enumerate(operations):
        if isinstance(operation, Fill) and not operation.count:
            return operations[:place]
    return operations


def _touches_tables(operations: list[Operation]) -> bool:
    """Whether a frame changes a table by a catalog that it does not bring itself."""
    names = {operation.name for operation in operations}
    return bool(names) and CATALOG_NAME not in names
