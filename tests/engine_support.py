"""Tables, and files in memory, for the engine's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bazoola
import pytest

from bazanite import CHAR, DB, INT, PK, TEXT, Field, Schema, Table
from bazanite.bazoola import FK  # with deletes that look at nobody
from bazanite_wal.layer import PageLayer


class TableA(Table):
    name = "a"
    schema = Schema([Field("id", PK()), Field("text", CHAR(5))])


class TableB(Table):
    name = "b"
    schema = Schema([Field("id", PK()), Field("text", CHAR(5)), Field("a_id", FK("a"))])


class TableB2(Table):
    name = "b2"
    schema = Schema([Field("id", PK()), Field("text", CHAR(5)), Field("a_id", FK("a", null=True))])


class TableC(Table):
    name = "c"
    schema = Schema([Field("id", PK()), Field("varchar", CHAR(10)), Field("int", INT())])


class TableD(Table):
    name = "d"
    schema = Schema(
        [Field("id", PK()), Field("varchar", CHAR(5, null=True)), Field("int", INT(null=True))]
    )


class TableF(Table):
    name = "f"
    schema = Schema([Field("id", PK()), Field("text", TEXT())])


class TableG(Table):
    name = "g"
    schema = Schema([Field("first", CHAR(4)), Field("id", PK()), Field("note", TEXT(null=True))])


class TableTree(Table):
    name = "tree"
    schema = Schema([Field("id", PK()), Field("parent", FK("tree", null=True))])


ALL = (TableA, TableB, TableB2, TableC, TableD, TableF, TableG, TableTree)


class _NoFiles:
    def read(self, name: str, offset: int, size: int) -> bytes:
        return b""

    def size(self, name: str) -> int:
        return 0

    def next_data(self, name: str, offset: int) -> int | None:
        return None


def memory(**files: bytes) -> PageLayer:
    """A write set over no files, with these in it; ``a__free_dat`` stands for ``a__free.dat``."""
    layer = PageLayer(_NoFiles())
    for key, data in files.items():
        layer.write(key.removesuffix("_dat") + ".dat", 0, data)
    return layer


def data_bytes(directory: Path) -> dict[str, bytes]:
    """Every table file and the catalog, by name."""
    paths = [*directory.glob("*.dat"), *directory.glob("schema.json")]
    return {path.name: path.read_bytes() for path in sorted(paths)}


def opened(directory: Path, *tables: type[Table], int_width: int | None = None) -> DB:
    """A database in this directory that syncs nothing: these tests cut no power."""
    return DB(
        list(tables),
        str(directory),
        durability="off",
        int_width=int_width,
        log_size_bytes=64 << 10,  # made anew for each test
    )


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DB]:
    """An empty database with all tables from here; closed after the test."""
    with opened(tmp_path, *ALL) as database:
        yield database


def table_class(table: Any, *fields: Field) -> type[Table]:
    """A table of this name with an id and these fields."""
    return type("Made", (Table,), {"name": table, "schema": Schema([Field("id", PK()), *fields])})


def keyed(name: str, *fields: Field, **keys: Any) -> type[Table]:
    """A table of this name with an id, these fields and these keys."""
    schema = Schema([Field("id", PK()), *fields], **keys)
    return type("Made", (Table,), {"name": name, "schema": schema})


def sound(db: DB) -> None:
    """Assert that all files agree."""
    assert db.check().problems == []


def refused(db: DB, path: Path, call: Callable[[], object], error: type[Exception]) -> Any:
    """The error of a call that must change no byte, neither by itself nor in a transaction."""
    db.checkpoint()
    before = data_bytes(path)
    with pytest.raises(error) as caught:
        call()
    db.checkpoint()
    assert data_bytes(path) == before
    with db.transaction(), pytest.raises(error):
        call()  # and the transaction goes on
    with db.transaction(), pytest.raises(error), db.transaction():
        call()  # and so it does behind a savepoint
    db.checkpoint()
    assert data_bytes(path) == before
    return caught.value


def foreign_table(module: ModuleType, name: Any, *fields: tuple[str, Any]) -> Any:
    """A table of Bazoola or of ours; a field of None is the id."""
    schema = module.Schema([module.Field(n, k or module.PK()) for n, k in fields])
    return type("Made", (module.Table,), {"name": name, "schema": schema})


def usual_tables(module: ModuleType) -> list[Any]:
    """Two tables of Bazoola or of ours, the second refers to the first."""
    return [
        foreign_table(module, "a", ("id", None), ("text", module.CHAR(5))),
        foreign_table(
            module,
            "b",
            ("id", None),
            ("text", module.CHAR(5, null=True)),
            ("a_id", module.FK("a", null=True)),
            ("n", module.INT(null=True)),
        ),
    ]


def their_db(path: Path, *tables: Any) -> Any:
    """A Bazoola database in this directory."""
    return bazoola.DB(list(tables) or usual_tables(bazoola), str(path))
