"""The directories that are damaged: all types, constraints, deleted rows, and how they were left.

What is random comes from a seed.  A killed writer is a child process that ends by SIGKILL; a log
whose last frames are not in the files yet is one whose files are put back to what they were before.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from bazanite import (
    BLOB,
    BOOL,
    CHAR,
    DATE,
    DATETIME,
    DB,
    DECIMAL,
    FK,
    INT,
    JSON,
    PK,
    TEXT,
    AddColumn,
    AddUnique,
    Field,
    FieldType,
    Migration,
    Schema,
    Table,
    ValidationError,
)

_ROWS = 60
_LOG_SIZE = 128 << 10


class POINT(FieldType):
    """A type of a program's own: two digits."""

    def serialize(self, val: Any) -> bytes:
        return b"%02d" % val

    def deserialize(self, row: bytes, start: int) -> tuple[Any, int]:
        return int(row[start : start + 2]), start + 2

    def validate_type(self, val: Any) -> None:
        if not 0 <= val < 100:
            raise ValidationError("not two digits")


class City(Table):
    """Referred to, and unique names."""

    name = "city"
    schema = Schema([Field("id", PK()), Field("name", CHAR(20, unique=True))])


class Person(Table):
    """Every type that is built in, three of them long, and two indexes."""

    name = "person"
    schema = Schema(
        [
            Field("id", PK()),
            Field("name", CHAR(20)),
            Field("city", FK("city", null=True, on_delete="set_null", index=True)),
            Field("age", INT(3, null=True)),
            Field("paid", BOOL()),
            Field("due", DATE(null=True)),
            Field("seen", DATETIME(null=True, utc=True)),
            Field("fee", DECIMAL(7, 2, null=True)),
            Field("note", TEXT(null=True)),
            Field("extra", JSON(null=True)),
            Field("photo", BLOB(null=True)),
        ],
        indexes=[("age", "name")],
    )


class Mark(Table):
    """An id that does not come first, and a column that a migration brought."""

    name = "mark"
    schema = Schema(
        [
            Field("kind", CHAR(4)),
            Field("id", PK()),
            Field("spot", POINT(2)),
            Field("n", INT(null=True)),
        ],
        unique=[("kind", "n")],
    )


TABLES = (City, Person, Mark)
_STEPS = [AddColumn("mark", Field("n", INT(null=True))), AddUnique("mark", ["kind", "n"])]
MIGRATIONS = [Migration(1, "numbers", _STEPS)]


@dataclass(frozen=True, slots=True)
class Kind:
    """How an original was made and left: "closed", "killed", or "unapplied"."""

    left: str
    checksums: bool
    archive: bool = False
    young: bool = False
    pages: bool = False

    def __str__(self) -> str:
        words = [self.left, "checksums" if self.checksums else "no checksums"]
        words += ["archive"] if self.archive else []
        words += ["young"] if self.young else []
        return ", ".join([*words, "whole pages"] if self.pages else words)

    @property
    def options(self) -> dict[str, Any]:
        """How its programs open it."""
        if self.pages:
            return {"log_size_bytes": 2 << 20, "powersafe_overwrite": False}
        return {"log_size_bytes": _LOG_SIZE}


KINDS: Sequence[Kind] = [
    Kind("closed", False),
    Kind("closed", True, archive=True),
    Kind("killed", False),
    Kind("killed", True),
    Kind("killed", False, archive=True, young=True),
    Kind("killed", True, young=True),
    Kind("unapplied", False),
    Kind("unapplied", True),
    Kind("killed", False, pages=True),
    Kind("unapplied", True, pages=True),
]


def make(path: Path, kind: Kind, seed: int) -> None:
    """Make the directory ``path`` of this kind."""
    random = Random(seed)
    db = DB(
        list(TABLES), str(path), checksums=kind.checksums, migrations=MIGRATIONS, **kind.options
    )
    if kind.archive:
        db.archive(1 << 20)
    _fill(db, random)
    if not kind.young:
        for _ in range(120):
            _change(db, random)
    db.close()
    if kind.left == "closed":
        return
    aside = path.with_name(f"{path.name}.aside")
    late = 3 if kind.left == "unapplied" else 0
    _in_killed_child(path, aside, random.randrange(1 << 30), late, kind)
    for file in aside.iterdir():  # what the last transactions did stands in the log only
        shutil.copyfile(file, path / file.name)
    shutil.rmtree(aside)
    for volatile in (".lock", ".sync", ".attached", ".shared"):
        path.joinpath(volatile).unlink(missing_ok=True)


def _in_killed_child(path: Path, aside: Path, seed: int, late: int, kind: Kind) -> None:
    """Make changes in a process that then kills itself.

    ``aside`` gets the data files as they are before the last ones.
    """
    pid = os.fork()
    if pid:
        if not os.WIFSIGNALED(os.waitpid(pid, 0)[1]):
            raise RuntimeError(f"the writer of {path} failed")
        return
    try:
        random = Random(seed)
        db = DB(list(TABLES), str(path), **kind.options)
        _changes(db, random, 40)
        aside.mkdir()
        for file in path.iterdir():
            if file.suffix == ".dat" or file.name == "schema.json":
                shutil.copyfile(file, aside / file.name)
        _changes(db, random, late)
        if not late:
            shutil.rmtree(aside)
            aside.mkdir()
        os.kill(os.getpid(), signal.SIGKILL)
    finally:
        os._exit(1)


def _changes(db: DB, random: Random, count: int) -> None:
    for _ in range(count):
        _change(db, random)


def _fill(db: DB, random: Random) -> None:
    db.insert_many("city", [{"name": f"city {n}"} for n in range(12)])
    for _ in range(_ROWS):
        db.insert("person", _person(random))
    db.insert_many("mark", [_mark(random, n) for n in range(_ROWS)])
    for table, most in (("person", _ROWS), ("mark", _ROWS)):
        for pk in random.sample(range(1, most), 8):
            db.delete_by_id(table, pk)


def _change(db: DB, random: Random) -> None:
    """One transaction like those of a program."""
    what = random.randrange(6)
    people = [row["id"] for row in db.find_all("person")]
    if what == 0 or len(people) < 10:
        db.insert("person", _person(random))
    elif what == 1:
        db.delete_by_id("person", random.choice(people))
    elif what == 2:
        db.update_by_id("person", random.choice(people), {"age": random.randrange(100)})
    elif what == 3:
        with db.transaction():
            for pk in random.sample(people, 3):
                db.update_by_id("person", pk, {"note": _text(random), "paid": True})
    elif what == 4:
        marks = [row["id"] for row in db.find_all("mark")]
        db.update_by_id("mark", random.choice(marks), {"n": random.randrange(10**8)})
    else:
        db.insert("mark", _mark(random, random.randrange(10**8)))


def _text(random: Random) -> str:
    return " ".join(random.choice(["ash", "birch", "żółw", "#", "*"]) for _ in range(
        random.randrange(1, 60)))  # fmt: skip


def _mark(random: Random, number: int) -> dict[str, Any]:
    return {
        "kind": random.choice(["a", "b", "cc"]), "spot": random.randrange(100),
        "n": None if random.random() < 0.1 else number,
    }  # fmt: skip


def _person(random: Random) -> dict[str, Any]:
    def maybe(value: Any) -> Any:
        return None if random.random() < 0.2 else value

    return {
        "name": f"p{random.randrange(10**6)}",
        "city": maybe(random.randrange(1, 13)),
        "age": maybe(random.randrange(100)),
        "paid": random.random() < 0.5,
        "due": maybe(date(2020, 1, 1 + random.randrange(28))),
        "seen": maybe(datetime(2021, 5, 1 + random.randrange(28), tzinfo=UTC)),
        "fee": maybe(Decimal(random.randrange(10**6)) / 100),
        "note": maybe(_text(random)),
        "extra": maybe({"n": random.randrange(10**6), "w": _text(random)}),
        "photo": maybe(random.randbytes(random.randrange(90))),
    }


def copy(path: Path, target: Path) -> Path:
    """A copy of a directory, without what is volatile."""
    shutil.copytree(path, target)
    return target
