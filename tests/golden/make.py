"""How the directories beside this file were made, once, to be kept for ever.

A change of the format that can no longer open them is a new format.  ``python make.py DIRECTORY``
makes them anew somewhere else, for example to look at; salts differ then.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bazanite import CHAR, DB, FK, INT, PK, TEXT, Field, Schema, Table

VOLATILE = (".lock", ".sync", ".attached", ".shared")


class Author(Table):
    """A CHAR of several bytes a character, and a sized INT."""

    name = "author"
    schema = Schema(
        [Field("id", PK()), Field("name", CHAR(14)), Field("born", INT(4, null=True))],
    )


class Book(Table):
    """Every type, each with NULL where it can be."""

    name = "book"
    schema = Schema(
        [
            Field("id", PK()),
            Field("author_id", FK("author", null=True)),
            Field("title", CHAR(24, null=True)),
            Field("price", INT(null=True)),
            Field("note", TEXT(null=True)),
        ]
    )


TABLES = [Author, Book]


def fill(db: DB) -> None:
    """Rows, and all that a table's files can show."""
    db.insert("author", {"name": "Lem", "born": 1921})
    db.insert("author", {"name": "Żuławski", "born": None})
    db.insert("author", {"name": "漱石", "born": -1})
    db.insert("book", {"author_id": 1, "title": "Solaris", "price": 999, "note": "an ocean"})
    db.insert("book", {"author_id": 2, "title": "Na Srebrnym Globie", "price": None})
    db.insert("book", {"author_id": 3, "title": "坊っちゃん", "price": -5, "note": "two\nlines"})
    db.insert("book", {"note": "nothing else"})
    db.insert("book", {"id": 9, "author_id": 1, "title": "Fiasko", "price": 0, "note": ""})
    db.update_by_id("book", 1, {"note": "an ocean that thinks: 海"})
    db.delete_by_id("book", 2)
    db.delete_by_id("book", 4)


def change(db: DB) -> None:
    """What the killed process leaves in the log: some of it applied, the rest not."""
    with db.transaction():
        db.insert("author", {"name": "Dick", "born": 1928})
        db.insert("book", {"author_id": 4, "title": "Ubik", "price": 1969, "note": "spray"})
    db.delete_by_id("book", 3)
    with db.storage.lock():
        pass  # makes the frames so far durable and puts them into the files
    db.update_by_id("author", 2, {"name": "J. Żuławski", "born": 1874})
    db.insert("book", {"author_id": 2, "title": "Zwycięzca", "note": "part two"})


def die(path: Path, *, log_size_bytes: int, powersafe_overwrite: bool) -> None:
    """Do all of it in a child that ends without closing anything."""
    child = os.fork()
    if child == 0:
        db = DB(
            TABLES,
            path,
            durability="normal",
            log_size_bytes=log_size_bytes,
            powersafe_overwrite=powersafe_overwrite,
        )
        fill(db)
        db.checkpoint()
        change(db)
        os._exit(0)
    os.waitpid(child, 0)


def main(target: Path) -> None:
    """Make the three directories, without the files that mean nothing once nobody has them open."""
    with DB(TABLES, target / "closed", log_size_bytes=8192) as db:
        fill(db)
    die(target / "killed", log_size_bytes=8192, powersafe_overwrite=True)
    die(target / "killed_aligned", log_size_bytes=1 << 16, powersafe_overwrite=False)
    for volatile in [file for name in VOLATILE for file in target.glob(f"*/{name}")]:
        volatile.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
