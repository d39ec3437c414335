"""To let a reference be NULL also changed what a delete does: what was to cascade was refused.

``ChangeColumn`` took an FK that says nothing of deletes for a new one, "restrict"; in classes it
means "as stored".  So a table of Bazoola's that had references to nothing could not be changed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import (
    CHAR,
    DB,
    FK,
    PK,
    ChangeColumn,
    Field,
    IntegrityError,
    Migration,
    MigrationError,
    Schema,
    Table,
)


class Owners(Table):
    """Who is referred to."""

    name = "owners"
    schema = Schema([Field("id", PK()), Field("name", CHAR(8))])


def _pets(kind: FK) -> type[Table]:
    class Pets(Table):
        name = "pets"
        schema = Schema([Field("id", PK()), Field("owner", kind)])

    return Pets


def _change(kind: FK) -> Migration:
    return Migration(1, "owners", [ChangeColumn("pets", "owner", kind)])


def test_a_delete_does_what_it_did_if_nothing_else_is_said(tmp_path: Path) -> None:
    with DB([Owners, _pets(FK("owners", on_delete="cascade"))], tmp_path) as db:
        db.insert("owners", {"name": "a"})
        db.insert("pets", {"owner": 1})
        db.migrate([_change(FK("owners", null=True))])
        db.delete_by_id("owners", 1)
        assert db.find_all("pets") == []


def test_references_to_nothing_are_kept_where_they_were(tmp_path: Path) -> None:
    with DB([Owners, _pets(FK("owners", on_delete="keep"))], tmp_path) as db:
        db.insert("owners", {"name": "a"})
        db.insert("pets", {"owner": 1})
        db.delete_by_id("owners", 1)
        with pytest.raises(MigrationError, match="do not exist"):
            db.migrate([_change(FK("owners", null=True, on_delete="restrict"))])
        db.migrate([_change(FK("owners", null=True))])
        assert db.find_all("pets") == [{"id": 1, "owner": 1}]


def test_what_is_said_is_done_and_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with DB([Owners, _pets(FK("owners", null=True, on_delete="set_null"))], tmp_path) as db:
        db.insert("owners", {"name": "a"})
        db.insert("pets", {"owner": 1})
        with pytest.raises(MigrationError, match="on_delete"):
            db.migrate([_change(FK("owners"))])
        db.migrate([_change(FK("owners", on_delete="restrict"))])
        with pytest.raises(IntegrityError):
            db.delete_by_id("owners", 1)
