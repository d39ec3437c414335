"""A function of a migration's changed the very table that was being rewritten.

It ran inside the migration's transaction, and so did what it called: its rows were written under
the old layout, and then written over by the rewritten table, ids and all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DB,
    EQ,
    INT,
    PK,
    AddColumn,
    ChangeColumn,
    DropTable,
    Field,
    Migration,
    Schema,
    SchemaMismatch,
    Table,
    TransactionError,
)
from bazanite.steps import Step


class Words(Table):
    """One column, with an index."""

    name = "words"
    schema = Schema([Field("id", PK()), Field("word", CHAR(8, index=True))])


def _wider(function: Any) -> Step:
    return ChangeColumn("words", "word", CHAR(9), function)


def _longer(function: Any) -> Step:
    return AddColumn("words", Field("length", INT(3)), function)


@pytest.mark.parametrize("step", [_longer, _wider])
@pytest.mark.parametrize("reads", [False, True])
def test_a_migrations_function_cannot_use_the_database(
    tmp_path: Path, step: Any, *, reads: bool
) -> None:
    def use_it(_given: object) -> object:
        return db.find_by_id("words", 1) if reads else db.insert("words", {"word": "late"})

    with DB([Words], tmp_path) as db:
        db.insert("words", {"word": "x"})
        with pytest.raises(TransactionError, match="inside one of its own calls"):
            db.migrate([Migration(1, "with help", [step(use_it)])])
        assert db.find_all("words") == [{"id": 1, "word": "x"}]
        assert db.check().problems == []
        db.insert("words", {"word": "y"})


def test_a_table_that_was_dropped_is_no_key_error(tmp_path: Path) -> None:
    """A search by a table that the program still had, behind its drop, was a KeyError."""
    with DB([Words], tmp_path) as db:
        old = db.tables["words"]
        db.migrate([Migration(1, "none", [DropTable("words")])])
        with pytest.raises(SchemaMismatch):
            old.find_by_cond(EQ(word="x"))
