"""Tables with everything in them, for the tests of migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bazanite import BLOB, CHAR, DB, FK, INT, JSON, TEXT, Field, Migration
from engine_support import keyed, sound, table_class

OWNERS = table_class("owners", Field("name", CHAR(6)))
THINGS = keyed(
    "things",
    Field("name", CHAR(6)),
    Field("n", INT(null=True)),
    Field("note", TEXT(null=True)),
    Field("data", BLOB(null=True)),
    Field("doc", JSON(null=True)),
    Field("owner", FK("owners", null=True)),
    unique=[("name", "n")],
    indexes=["note"],
)


def filled(path: Path, **options: Any) -> DB:
    """Rows with everything, deleted slots among them, and texts that were erased."""
    db = DB([OWNERS, THINGS], path, durability="off", log_size_bytes=64 << 10, **options)
    db.insert_many("owners", [{"name": name} for name in ("ann", "bob", "cy")])
    db.insert_many(
        "things",
        [
            {
                "name": f"t{i}", "n": i if i % 3 else None, "note": f"note {i} " * (i % 4),
                "data": bytes([i, 10, 255]), "doc": {"i": i}, "owner": 1 + i % 2 if i % 4 else None,
            }
            for i in range(12)
        ],
    )  # fmt: skip
    for pk in (2, 5, 12):
        db.delete_by_id("things", pk)
    db.update_by_id("things", 3, {"note": "longer than it was before " * 3})
    return db


def made(db: DB, *steps: Any) -> None:
    """Make these steps, with a number that is free; all is well afterwards."""
    db.migrate([Migration(1, "made", steps)])
    sound(db)
