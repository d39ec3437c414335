"""A vacuum brought rows that an index's builder had not seen in front of where it was.

A unique index was being built over a table of which half the rows were deleted.  The vacuum moved
the others to the front, among those that the builder had come past, so it never compared them: the
index was called ready, and had the same value twice.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import (
    CHAR,
    DB,
    INT,
    PK,
    AddUnique,
    Field,
    IntegrityError,
    Migration,
    MigrationError,
    Schema,
    Table,
    building,
)
from bazanite.catalog_file import read_catalog
from bazanite.specs import IndexSpec
from bazanite.tables import Tables


class Words(Table):
    """What is to be unique."""

    name = "words"
    schema = Schema([Field("id", PK()), Field("word", CHAR(8))])


class Counted(Table):
    """The same with another column."""

    name = "words"
    schema = Schema([Field("id", PK()), Field("word", CHAR(8)), Field("count", INT(3))])


UNIQUE = Migration(1, "no word twice", [AddUnique("words", "word")])


def _built(db: DB) -> int | None:
    with db.storage.store.reading() as view:
        catalog = read_catalog(view, "")
    assert catalog is not None
    (index,) = catalog.tables["words"].indexes
    return index.built


@pytest.mark.parametrize("checksums", [False, True])
@pytest.mark.parametrize("twice", [False, True])
def test_a_vacuum_leaves_to_the_builder_what_it_has_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, twice: bool, checksums: bool
) -> None:
    class Stopped(Exception):
        pass

    def first_ten(self: Tables, table: str, index: IndexSpec) -> None:
        if index.built:
            raise Stopped
        take_some(self, table, index)

    take_some = building._take_some
    monkeypatch.setattr(building, "SLOTS_AT_ONCE", 10)
    with DB([Words], tmp_path, checksums=checksums) as db:
        db.insert_many("words", [{"word": f"w{number}"} for number in range(30)])
        if twice:
            db.update_by_id("words", 15, {"word": "w0"})
        with monkeypatch.context() as patched:
            patched.setattr(building, "_take_some", first_ten)
            with pytest.raises(Stopped):
                db.migrate([UNIQUE])
        assert _built(db) == 10
        for pk in range(3, 9):
            db.delete_by_id("words", pk)
        db.vacuum("words")
        assert _built(db) == 4
        assert db.check().problems == []
        db.insert("words", {"word": "late"})
        if twice:
            with pytest.raises(MigrationError, match="cannot be unique"):
                db.migrate([UNIQUE])
        else:
            assert db.migrate([UNIQUE]) == [1]
            assert _built(db) is None
            with pytest.raises(IntegrityError):
                db.insert("words", {"word": "w29"})
        assert db.check().problems == []


def test_an_update_of_another_column_is_not_refused_while_a_unique_index_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every update of a row that was somebody's double was refused meanwhile, whatever it changed.

    Only the builder can say that the column cannot be unique, and takes the index away then.
    """

    def changed(self: Tables, table: str, index: IndexSpec) -> None:
        if index.built:
            monkeypatch.undo()
            raise KeyboardInterrupt
        take_some(self, table, index)

    take_some = building._take_some
    monkeypatch.setattr(building, "SLOTS_AT_ONCE", 2)
    with DB([Counted], tmp_path) as db:
        db.insert_many("words", [{"word": "same", "count": number} for number in (1, 2, 3)])
        db.update_by_id("words", 2, {"word": "other"})
        monkeypatch.setattr(building, "_take_some", changed)
        with pytest.raises(KeyboardInterrupt):
            db.migrate([UNIQUE])
        assert _built(db) == 2
        db.update_by_id("words", 3, {"count": 4})
        with pytest.raises(IntegrityError):
            db.update_by_id("words", 3, {"word": "other"})
        with pytest.raises(MigrationError, match="cannot be unique"):
            db.migrate([UNIQUE])
        assert db.find_by_id("words", 3) == {"id": 3, "word": "same", "count": 4}
