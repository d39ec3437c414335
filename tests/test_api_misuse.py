"""Arguments of a wrong kind: each is a typed error that says what is wrong, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DB,
    EQ,
    FK,
    INT,
    LT,
    PK,
    SUBSTR,
    BaseJoin,
    DBError,
    Field,
    FieldType,
    InverseJoin,
    Join,
    NotFoundError,
    Schema,
    ValidationError,
)
from engine_support import TableA, TableB, data_bytes, opened, table_class

HUGE: Any = 10**5000
"""More digits than Python turns into text."""


class _Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


ODD: list[Any] = [
    *(None, True, 0, -1, 1.5, float("nan"), HUGE, "", "\0", "\ud800", "*", b"a", b"\xff"),
    *([], [1], (), {}, {"id": 1}, {1: 2}, set(), object, object(), int, _Unprintable(), len),
    *(EQ, EQ(id=1), Join("a_id", "k", "a"), [Join], PK, PK(), Schema, TableA, range(3)),
]


class _HalfAJoin(BaseJoin):
    def join(self, fk: Any, foreign_table: Any) -> Any:
        return None


class _GivesNothing(_HalfAJoin):
    fk_attr = "id"
    foreign_table_name = "a"


class _GivesText(FieldType):
    def serialize(self, val: Any) -> Any:
        return str(val)

    def deserialize(self, row: bytes, start: int) -> tuple[Any, int]:
        return row[start : start + self.size], start + self.size

    def validate_type(self, val: Any) -> None:
        pass


class _Sizeless(_GivesText):
    def __init__(self) -> None:
        pass


def _field(kind: Any) -> Schema:
    return Schema([Field("id", PK()), Field("v", kind)])


DECLARATIONS: dict[str, tuple[Callable[[], object], str]] = {
    "schema of numbers": (lambda: Schema([1]), "1 is none"),  # type: ignore[list-item]
    "schema of pairs": (lambda: Schema([("id", PK())]), "list of fields"),  # type: ignore[list-item]
    "schema of nothing": (lambda: Schema(None), "not None"),  # type: ignore[arg-type]
    "schema of text": (lambda: Schema("id"), "'i' is none"),  # type: ignore[arg-type]
    "type class": (lambda: _field(INT), "'v': needs a type such as INT()"),
    "type None": (lambda: _field(None), "'v': needs a type"),
    "type without a size": (lambda: _field(_Sizeless()), "'v': needs a type"),
    "INT of 5000": (lambda: INT(5000), "at most 640"),
    "INT of a text": (lambda: INT("5"), "greater than 0"),  # type: ignore[arg-type]
    "INT of True": (lambda: INT(True), "greater than 0"),
    "CHAR of 0": (lambda: CHAR(0), "greater than 0"),
    "CHAR of a text": (lambda: CHAR("5"), "greater than 0"),  # type: ignore[arg-type]
    "CHAR of None": (lambda: CHAR(None), "greater than 0"),  # type: ignore[arg-type]
    "join on a number": (lambda: Join(1, "k", "a"), "needs a field"),  # type: ignore[arg-type]
    "join under a list": (lambda: Join("a_id", ["k"], "a"), "a key"),  # type: ignore[arg-type]
    "join to a class": (lambda: InverseJoin("a_id", "k", TableA), "a table"),  # type: ignore[arg-type]
    "part of a huge number": (lambda: SUBSTR(text=HUGE), "is not `str`"),
}


@pytest.mark.parametrize("case", DECLARATIONS)
def test_a_declaration_that_makes_no_sense_is_refused(case: str) -> None:
    call, message = DECLARATIONS[case]
    with pytest.raises(ValidationError) as caught:
        call()
    assert message in caught.value.message


OPENINGS: dict[str, dict[str, Any]] = {
    "no tables": {"cls_tables": None},
    "a table instead of a list": {"cls_tables": TableA},
    "tables that are none": {"cls_tables": [1]},
    "a class that is no table": {"cls_tables": [Schema]},
    "a table's name instead of its class": {"cls_tables": ["a"]},
    "an FK to a number": {"cls_tables": [table_class("x", Field("v", FK(HUGE)))]},
    "a lone surrogate": {"base_dir": "\ud800"},
    "a NUL": {"base_dir": "a\0b"},
    "a path of bytes": {"base_dir": b"data"},
    "a class of paths": {"base_dir": Path},
    "a number as path": {"base_dir": HUGE},
    **{
        f"{name}={label}": {name: value}
        for name in ("durability", "commit_timeout", "log_size_bytes", "powersafe_overwrite")
        for label, value in (("None", None), ("text", "x"), ("huge", HUGE), ("list", [1]))
    },
    "lock_timeout=huge": {"lock_timeout": HUGE},
    "lock_timeout=True": {"lock_timeout": True},
    "checkpoint_bytes=1.5": {"checkpoint_bytes": 1.5},
    "a log larger than a file": {"log_size_bytes": 1 << 60},
    "allow_network_fs=1": {"allow_network_fs": 1},
    "accept_unsafe=no": {"accept_unsafe": "no"},
    "int_width=text": {"int_width": "9"},
    "int_width=huge": {"int_width": HUGE},
}


@pytest.mark.parametrize("case", OPENINGS)
def test_an_opening_that_makes_no_sense_is_refused_and_makes_nothing(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValidationError):
        DB(**{"cls_tables": [TableA], "base_dir": "data", **OPENINGS[case]})
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DB]:
    with opened(tmp_path, TableA, TableB, table_class("odd", Field("v", _GivesText(4)))) as made:
        made.insert_many("a", [{"text": "foo"}, {"text": "bar"}])
        made.insert("b", {"text": "baz", "a_id": 1})
        yield made


CALLS: dict[str, tuple[Callable[[Any], object], type[DBError], str]] = {
    "unknown table": (lambda db: db.find_all("zzz"), ValidationError, "No such table: 'zzz'"),
    "table of a huge number": (lambda db: db.find_all(HUGE), ValidationError, "No such table: a"),
    "insert None": (lambda db: db.insert("a", None), ValidationError, "`None` does not map"),
    "insert_many None": (
        lambda db: db.insert_many("a", None),
        ValidationError,
        "None is not a list of rows",
    ),
    "insert_many of texts": (lambda db: db.insert_many("a", ["x"]), ValidationError, "`'x'` does"),
    "insert_many of one row": (
        lambda db: db.insert_many("a", {"text": "x"}),
        ValidationError,
        "`'text'` does not map",
    ),
    "a number as field": (lambda db: db.insert("a", {HUGE: 1}), ValidationError, "no such field"),
    "a list with a huge number": (
        lambda db: db.insert("a", {"id": [HUGE]}),
        ValidationError,
        "Type mismatch",
    ),
    "serialize gives text": (lambda db: db.insert("odd", {"v": 1}), ValidationError, "not bytes"),
    "update with None": (lambda db: db.update_by_id("a", 1, None), ValidationError, "does not map"),
    "update of a huge id": (
        lambda db: db.update_by_id("a", HUGE, {}),
        NotFoundError,
        "does not exist",
    ),
    "delete of a huge id": (lambda db: db.delete_by_id("a", HUGE), NotFoundError, "does not exist"),
    "find by None": (lambda db: db.find_by_id("a", None), ValidationError, "is not `int`"),
    "no condition": (lambda db: db.find_by_cond("a", None), ValidationError, "not a condition"),
    "a condition's class": (lambda db: db.find_by_cond("a", EQ), ValidationError, "a condition"),
    "less than a huge list": (
        lambda db: db.find_by_cond("a", LT(id=[HUGE])),
        ValidationError,
        "cannot compare",
    ),
    "joins=5": (lambda db: db.find_all("a", joins=5), ValidationError, "5 is not a list of joins"),
    "one join": (
        lambda db: db.find_by_cond("b", EQ(id=1), joins=Join("a_id", "k", "a")),
        ValidationError,
        "is not a list of joins",
    ),
    "a join's class": (lambda db: db.find_by_id("b", 1, joins=[Join]), ValidationError, "no"),
    "a join that is none": (lambda db: db.find_by_id("b", 1, joins=[1]), ValidationError, "1 is"),
    "half a join": (lambda db: db.find_all("b", joins=[_HalfAJoin()]), ValidationError, "a field"),
    "a join that gives None": (
        lambda db: db.find_all("b", joins=[_GivesNothing()]),
        ValidationError,
        "not None",
    ),
    "backup to None": (lambda db: db.backup(None), ValidationError, "is not the path"),
    "backup to a surrogate": (lambda db: db.backup("\ud800"), ValidationError, "be the path"),
    "truncate None": (lambda db: db.truncate(None), ValidationError, "No such table: None"),
}


@pytest.mark.parametrize("case", CALLS)
def test_a_call_that_makes_no_sense_is_refused_and_changes_no_byte(
    db: DB, tmp_path: Path, case: str
) -> None:
    call, kind, message = CALLS[case]
    before = data_bytes(tmp_path)
    with pytest.raises(kind) as caught:
        call(db)
    assert message in caught.value.message
    assert data_bytes(tmp_path) == before


SLOTS: list[Callable[[Any, Any], object]] = [
    lambda db, odd: db.insert(odd, {"text": "x"}),
    lambda db, odd: db.insert("a", odd),
    lambda db, odd: db.insert("a", {"text": odd, "id": 1}),
    lambda db, odd: db.insert("a", {"id": odd}),
    lambda db, odd: db.insert("b", {"text": "x", "a_id": odd, "id": 1}),
    lambda db, odd: db.insert_many("b", odd),
    lambda db, odd: db.update_by_id("a", 3, {"text": odd}),
    lambda db, odd: db.update_by_id("a", odd, {"nothing": odd}),
    lambda db, odd: db.update_by_id("a", 1, {"id": odd, "text": None}),
    lambda db, odd: db.delete_by_id("zzz", odd),
    lambda db, odd: db.find_by_id("a", odd),
    lambda db, odd: db.find_by_id("b", 1, joins=odd),
    lambda db, odd: db.find_all("b", joins=[odd]),
    lambda db, odd: db.find_by_cond("b", odd),
    lambda db, odd: db.find_by_cond("a", EQ(text=odd)),
    lambda db, odd: db.find_by_cond("a", LT(id=odd)),
    lambda db, odd: db.find_by_cond("a", SUBSTR(text=odd)),
    lambda db, odd: Schema(odd),
    lambda db, odd: Schema([Field(odd, INT())]),
    lambda db, odd: Schema([Field("id", odd)]),
    lambda db, odd: INT(odd),
    lambda db, odd: CHAR(odd),
    lambda db, odd: Join(odd, odd, odd),
    lambda db, odd: DB(odd, "/dev/null/no"),
    lambda db, odd: DB([table_class(odd)], "/dev/null/no"),
    lambda db, odd: DB([table_class("x", Field("v", FK(odd)))], "/dev/null/no"),
    lambda db, odd: db.truncate(odd),
]


@pytest.mark.parametrize("slot", range(len(SLOTS)))
def test_an_odd_value_anywhere_is_taken_or_refused_with_a_typed_error(
    db: DB, tmp_path: Path, slot: int
) -> None:
    before = data_bytes(tmp_path)
    for odd in ODD:
        try:
            SLOTS[slot](db, odd)
        except DBError:
            pass
        except ValueError as error:
            if "does not exist in" not in str(error):  # a foreign key: Bazoola's ValueError
                raise
    assert data_bytes(tmp_path) == before
    assert db.check().ok
