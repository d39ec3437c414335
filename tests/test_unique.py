"""Unique values, defaults and checks: in every call that stores a row, however they are given."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    BLOB,
    CHAR,
    DB,
    DECIMAL,
    INT,
    JSON,
    TEXT,
    Field,
    IntegrityError,
    ValidationError,
)
from engine_support import keyed, opened, refused, sound

LONG = "x" * 64
VALUES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    # the type, values that are all different, and others that are equal to them, in order
    "char": (
        CHAR(200),
        ["a", "A", "", " a", "a\0", LONG + "1", LONG + "2", "ż" * 99],
        ["a  ", b"A", "  ", b" a", "a\0 ", LONG.encode() + b"1 ", LONG + "2", "ż".encode() * 99],
    ),
    "text": (
        TEXT(),
        ["a", "a ", "", LONG + "1", LONG + "2", LONG],
        [b"a", b"a ", b"", LONG.encode() + b"1", LONG + "2", LONG.encode()],
    ),
    "int": (INT(), [0, 1, -1, 999999999, -99999999], [0, 1, -1, 999999999, -99999999]),
    "decimal": (DECIMAL(5, 2), [0, 1, -1], [Decimal("0.00"), Decimal("1.0"), Decimal(-1)]),
    "blob": (
        BLOB(),
        [b"", b"a", b"\0", b"y" * 40 + b"1", b"y" * 40 + b"2"],
        [bytearray(), bytearray(b"a"), b"\0", b"y" * 40 + b"1", b"y" * 40 + b"2"],
    ),
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("checksums", [False, True])
def test_a_unique_value_is_refused_however_it_is_given(
    tmp_path: Path, kind: str, checksums: bool
) -> None:
    made, first, again = VALUES[kind]
    table = keyed("t", Field("v", made), Field("n", INT(null=True)), unique=["v"])
    with DB([table], tmp_path, durability="off", checksums=checksums) as db:
        db.insert_many("t", [{"v": value} for value in first])
        fresh = 7 if kind in ("int", "decimal") else b"fresh"
        for pk, value in enumerate(again, 1):
            other = 1 + pk % len(first)
            calls: list[Callable[[], object]] = [
                lambda v=value: db.insert("t", {"v": v}),  # type: ignore[misc]
                lambda v=value: db.insert_many("t", [{"v": fresh}, {"v": v}]),  # type: ignore[misc]
                lambda v=value: db.insert_ids("t", [{"v": v}, {"v": fresh}]),  # type: ignore[misc]
                lambda v=value, o=other: db.update_by_id("t", o, {"v": v}),  # type: ignore[misc]
                lambda v=value, o=other: db.update_by_id("t", o, {"n": 1, "v": v, "id": 99}),  # type: ignore[misc]
            ]
            for call in calls:
                error = refused(db, tmp_path, call, IntegrityError)
                assert (error.table, error.columns, error.ids) == ("t", ("v",), (pk,))
            db.update_by_id("t", pk, {"v": value, "n": pk})  # its own value is nobody else's
        with pytest.raises(IntegrityError):
            db.insert_many("t", [{"v": fresh}] * 40)
        assert db.insert("t", {"v": fresh})["id"] == len(first) + 1
        db.delete_by_id("t", 1)
        db.insert("t", {"v": again[0]})
        sound(db)


@pytest.mark.parametrize("many", [5, 40])  # one by one, and column by column
@pytest.mark.parametrize("columns", [("a",), ("a", "b")])
def test_rows_of_one_call_that_are_equal_are_named_by_their_places(
    tmp_path: Path, many: int, columns: tuple[str, ...]
) -> None:
    table = keyed("t", Field("a", INT(null=True)), Field("b", CHAR(5)), unique=[columns])
    with opened(tmp_path, table) as db:
        db.insert("t", {"a": 0, "b": "x"})
        rows: list[dict[str, Any]] = [{"a": n, "b": "x"} for n in range(1, many)]
        rows[3] = dict(rows[1])
        shown = {1: "a 2", 2: "a, b 2, 'x'"}[len(columns)]
        for method in (db.insert_many, db.insert_ids):
            error = refused(db, tmp_path, lambda m=method: m("t", rows), IntegrityError)  # type: ignore[misc]
            assert str(error) == (
                f"'{', '.join(columns)}': rows 1 and 3 of those given, counted from 0, have the "
                f"same {shown}"
            )
            assert (error.table, error.columns, error.ids) == ("t", columns, ())
        rows[3] = {"a": 0, "b": "x"}
        error = refused(db, tmp_path, lambda: db.insert_many("t", rows), IntegrityError)
        assert error.ids == (1,)
        assert "already exists (id 1)" in str(error)


def test_null_is_like_nothing_else_also_in_one_of_several_columns(tmp_path: Path) -> None:
    table = keyed("t", Field("a", INT(null=True)), Field("b", TEXT(null=True)), unique=[("a", "b")])
    with opened(tmp_path, table) as db:
        for values in ({}, {"a": 1}, {"b": "x"}, {"a": 1, "b": None}):
            db.insert("t", values)
            db.insert_many("t", [values] * 20)
        db.insert("t", {"a": 1, "b": "x"})
        refused(db, tmp_path, lambda: db.insert("t", {"b": b"x", "a": 1}), IntegrityError)
        refused(db, tmp_path, lambda: db.update_by_id("t", 1, {"b": "x", "a": 1}), IntegrityError)
        db.insert_many("t", [{"a": 1, "b": "y"}, {"a": 2, "b": "x"}])
        last = len(db.find_all("t"))
        refused(db, tmp_path, lambda: db.update_by_id("t", last, {"a": 1}), IntegrityError)
        refused(db, tmp_path, lambda: db.update_by_id("t", last - 1, {"b": "x"}), IntegrityError)
        db.update_by_id("t", last - 2, {"a": None})
        db.update_by_id("t", last, {"a": 1})
        sound(db)


def test_defaults_and_checks_hold_for_every_way_to_store_a_row(tmp_path: Path) -> None:
    made: list[int] = []

    def numbered() -> int:
        made.append(len(made) + 1)
        return made[-1]

    def short(value: str) -> bool:
        if "\n" in value:
            raise ValueError("one line, please")
        return len(value) < 5

    table = keyed(
        "t",
        Field("n", INT(3, null=True, default=numbered, check=lambda n: 0 <= n < 100, unique=True)),
        Field("c", CHAR(9, default="c", check=short)),
        Field("j", JSON(default=dict, check=lambda j: isinstance(j, dict))),
    )
    with opened(tmp_path, table) as db:
        assert db.insert("t", {}) == {"id": 1, "n": 1, "c": "c", "j": {}}
        assert [row["n"] for row in db.insert_many("t", [{}] * 20)] == list(range(2, 22))
        assert db.insert_ids("t", [{"n": None}] * 20) == list(range(22, 42))
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"n": 100}, "'n': The check refuses `100`"),
            ({"n": -1}, "'n': The check refuses `-1`"),
            ({"c": "12345"}, "'c': The check refuses"),
            ({"c": b"a\nb"}, "'c': one line, please"),
            ({"j": []}, r"'j': The check refuses `\[\]`"),
        ]
        for values, message in wrong:
            whole = {"n": None} | values
            calls: list[Callable[[], object]] = [
                lambda w=whole: db.insert("t", w),  # type: ignore[misc]
                lambda w=whole: db.insert_many("t", [{"n": None}] * 30 + [w]),  # type: ignore[misc]
                lambda w=whole: db.insert_ids("t", [{"n": None}] * 30 + [w]),  # type: ignore[misc]
                lambda v=values: db.update_by_id("t", 1, v),  # type: ignore[misc]
            ]
            for call in calls:
                error = refused(db, tmp_path, call, ValidationError)
                assert not isinstance(error, IntegrityError)
                with pytest.raises(ValidationError, match=message):
                    call()
        db.insert("t", {"n": None, "c": "1234     "})  # as it will be read
        db.update_by_id("t", 1, {"n": 99})
        sound(db)
    with opened(tmp_path, keyed("t", *[Field(n, k) for n, k in (
        ("n", INT(3, null=True)), ("c", CHAR(9)), ("j", JSON()))])) as db:  # fmt: skip
        db.insert("t", {"n": 555, "c": "123456789", "j": [1]})  # checks are the program's
        refused(db, tmp_path, lambda: db.insert("t", {"n": 555, "c": "", "j": 0}), IntegrityError)
