"""A migration that is refused half-way must leave its handle with the tables as they are now.

The first step of a migration was made and stored, the second one refused (values that are not
unique).  The handle then still had the tables of before: each call on the one that the first step
had changed ended in SchemaMismatch, "another program changed it", until the database was opened
again.  Found by the explorer, which migrates again whatever a power cut left.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import (
    DB,
    INT,
    PK,
    AddUnique,
    DropColumn,
    Field,
    Migration,
    MigrationError,
    RenameTable,
    Schema,
    Table,
)
from bazanite.errors import ValidationError


class A(Table):
    name = "a"
    schema = Schema([Field("id", PK()), Field("n", INT(null=True)), Field("m", INT(null=True))])


def test_a_handle_whose_migration_was_refused_half_way_has_the_tables_as_they_are(
    tmp_path: Path,
) -> None:
    with DB([A], tmp_path) as db:
        db.insert_many("a", [{"n": 1}, {"n": 1}])
        migration = Migration(1, "one", [DropColumn("a", "m"), AddUnique("a", "n")])
        with pytest.raises(MigrationError):
            db.migrate([migration])
        assert db.find_all("a") == [{"id": 1, "n": 1}, {"id": 2, "n": 1}]
        db.delete_by_id("a", 2)
        assert db.migrate([migration]) == [1]
        assert db.insert("a", {"n": 2}) == {"id": 3, "n": 2}


def test_the_same_for_a_step_that_means_nothing(tmp_path: Path) -> None:
    with DB([A], tmp_path) as db:
        unique = AddUnique("a", "n")
        with pytest.raises(ValidationError):
            db.migrate([Migration(1, "one", [DropColumn("a", "m"), unique, RenameTable("a", "/")])])
        assert db.insert("a", {"n": 1}) == {"id": 1, "n": 1}
