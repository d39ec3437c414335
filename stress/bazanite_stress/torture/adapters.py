"""One small interface, two engines: what writers, and the reader after a crash, ask of a database.

Both go through the engine's public API only. Bazoola has no transactions and no TEXT: there a
transaction is its lock held over several calls, and a text is a CHAR of the column's size.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from bazanite_stress.torture.schema import Column, Row, Table

ENGINES = ("bazanite", "bazoola")
DURABILITIES = ("full", "normal", "off")

# Small, so that a short run sees many checkpoints and some transactions larger than the log.
LOG_SIZE_BYTES = 128 * 1024


class Store(Protocol):
    """An open database. Every method may raise whatever the engine raises."""

    #: Commit LSN of the last transaction, where the engine tells it.
    last_lsn: int | None

    def insert(self, table: str, row: Row) -> int:
        """Insert one row; its id."""
        ...

    def insert_many(self, table: str, rows: Sequence[Row]) -> list[int]:
        """Insert rows, all or none; their ids in order."""
        ...

    def update(self, table: str, row_id: int, changes: Row) -> None:
        """Change columns of a row."""
        ...

    def delete(self, table: str, row_id: int) -> None:
        """Delete a row."""
        ...

    def get(self, table: str, row_id: int) -> Row | None:
        """The row, with its id; None if there is none."""
        ...

    def scan(self, table: str) -> list[Row]:
        """All rows, with their ids."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, where the engine can; an exception rolls back and comes out."""
        ...

    def checkpoint(self) -> None:
        """Write everything to the table files, where the engine has a log."""
        ...

    def check(self) -> Iterator[str]:
        """What is wrong with the files, a line each."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


def open_as_told(config: Mapping[str, Any]) -> Store:
    """Open (and thereby recover) the directory that a child's configuration names."""
    return open_store(
        config["engine"],
        config["tables"],
        config["directory"],
        config["durability"],
        **config["options"],
    )


def open_store(
    engine: str, tables: Sequence[Table], directory: Path, durability: str, **options: bool
) -> Store:
    """Open (and thereby recover) the directory with this engine; `options` are what Bazanite's DB
    takes besides.
    """
    if engine == "bazanite":
        api = import_module("bazanite")
        db = api.DB(
            table_classes(api, tables, text=True),
            base_dir=str(directory),
            durability=durability,
            log_size_bytes=LOG_SIZE_BYTES,
            **options,
        )
        return BazaniteStore(db, options.get("checksums"))
    if engine == "bazoola":
        return BazoolaStore(tables, directory)
    raise ValueError(f"no such engine: {engine}")


def has_text(engine: str) -> bool:
    """Whether texts can be of any length."""
    return engine == "bazanite"


def can_roll_back(engine: str) -> bool:
    """Whether a transaction that raises leaves no trace."""
    return engine == "bazanite"


class _Store:
    """What both engines share, being each other's likeness. Bazoola ships no types and need not be
    installed, hence `Any`.
    """

    last_lsn: int | None = None

    def __init__(self, db: Any) -> None:
        self._db = db

    def insert(self, table: str, row: Row) -> int:
        return int(self._db.insert(table, row)["id"])

    def update(self, table: str, row_id: int, changes: Row) -> None:
        self._db.update_by_id(table, row_id, changes)

    def delete(self, table: str, row_id: int) -> None:
        self._db.delete_by_id(table, row_id)

    def get(self, table: str, row_id: int) -> Row | None:
        row = self._db.find_by_id(table, row_id)
        return None if row is None else dict(row)

    def scan(self, table: str) -> list[Row]:
        return [dict(row) for row in self._db.find_all(table)]

    def close(self) -> None:
        self._db.close()


class BazaniteStore(_Store):
    """Bazanite. `checksums`: whether all tables must have them, or none may; None: either."""

    def __init__(self, db: Any, checksums: bool | None = None) -> None:
        super().__init__(db)
        self._checksums = checksums
        self._depth = 0

    def insert_many(self, table: str, rows: Sequence[Row]) -> list[int]:
        return [int(row["id"]) for row in self._db.insert_many(table, rows)]

    @contextmanager
    def transaction(self) -> Generator[None]:
        self._depth += 1
        try:
            with self._db.transaction() as tx:
                yield
        finally:
            self._depth -= 1
        if self._depth == 0:
            self.last_lsn = tx.lsn

    def checkpoint(self) -> None:
        self._db.checkpoint()

    def check(self) -> Iterator[str]:
        report = self._db.check()
        for problem in report.problems:
            yield str(problem)
        for name, table in report.tables.items():
            if self._checksums not in (None, table.checksums):
                yield f"{name}: checksums={table.checksums}, opened with {self._checksums}"


class BazoolaStore(_Store):
    """Bazoola 0.0.7.

    Its lock is not reentrant between processes: the inner release of a nested `lock()` frees the
    outer one, because an flock has no count. So inside a transaction the calls go to the tables,
    which take no lock: what is lost then is lost to the kill and to nothing else.
    """

    def __init__(self, tables: Sequence[Table], directory: Path) -> None:
        api = import_module("bazoola")
        super().__init__(api.DB(table_classes(api, tables, text=False), base_dir=str(directory)))
        self._tables = tables
        self._locked = False

    def insert(self, table: str, row: Row) -> int:
        if not self._locked:
            return super().insert(table, row)
        return int(self._db.tables[table].insert(row)["id"])

    def insert_many(self, table: str, rows: Sequence[Row]) -> list[int]:
        with self.transaction():
            return [self.insert(table, row) for row in rows]

    def update(self, table: str, row_id: int, changes: Row) -> None:
        if self._locked:
            self._db.tables[table].update_by_id(row_id, changes)
        else:
            super().update(table, row_id, changes)

    def delete(self, table: str, row_id: int) -> None:
        if self._locked:
            self._db.tables[table].delete_by_id(row_id)
        else:
            super().delete(table, row_id)

    def get(self, table: str, row_id: int) -> Row | None:
        if not self._locked:
            return super().get(table, row_id)
        row = self._db.tables[table].find_by_id(row_id)
        return None if row is None else dict(row)

    def scan(self, table: str) -> list[Row]:
        if not self._locked:
            return super().scan(table)
        return [dict(row) for row in self._db.tables[table].find_all()]

    @contextmanager
    def transaction(self) -> Generator[None]:
        with self._db.storage.lock():
            self._locked = True
            try:
                yield
            finally:
                self._locked = False

    def checkpoint(self) -> None:
        pass

    def check(self) -> Iterator[str]:
        """Whether the index leads from each row's id back to the row."""
        for table in self._tables:
            for row in self.scan(table.name):
                row_id = row["id"]
                if not isinstance(row_id, int) or self.get(table.name, row_id) != row:
                    yield f"{table.name}: the index does not lead to the row with id {row_id}"


def table_classes(api: Any, tables: Iterable[Table], *, text: bool) -> list[type]:
    """The tables as classes of this engine."""
    classes = []
    for table in tables:
        fields = [api.Field("id", api.PK())]
        fields += [
            api.Field(column.name, field_type(api, column, text)) for column in table.columns
        ]
        members = {"name": table.name, "schema": api.Schema(fields)}
        classes.append(type(table.name.capitalize(), (api.Table,), members))
    return classes


def field_type(api: Any, column: Column, text: bool) -> Any:
    """The column's type in this engine."""
    more = {"index": True} if column.index else {}
    match column.kind:
        case "int":
            return api.INT(null=column.null, **more)
        case "ref":
            return api.FK(column.table, null=column.null)
        case "text" if text:
            return api.TEXT(null=column.null)
        case _:
            return api.CHAR(column.size, null=column.null, **more)
