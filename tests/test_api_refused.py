"""Calls that are refused: each says why and changes no byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite import (
    DB,
    NotFoundError,
    ValidationError,
)
from engine_support import (
    data_bytes,
)

REFUSED: dict[str, tuple[Callable[[DB], object], type[Exception], str]] = {
    "unknown table": (lambda db: db.insert("x", {}), ValidationError, "No such table"),
    "unhashable table": (
        lambda db: db.find_all([]),  # type: ignore[arg-type]
        ValidationError,
        "No such table",
    ),
    "unknown field": (
        lambda db: db.insert("a", {"text": "x", "txt": "y"}),
        ValidationError,
        "'txt': no such field",
    ),
    "unknown field in update": (
        lambda db: db.update_by_id("a", 1, {"txt": "y"}),
        ValidationError,
        "'txt': no such field",
    ),
    "values that are no mapping": (
        lambda db: db.insert("a", [("text", "x")]),  # type: ignore[arg-type]
        ValidationError,
        "Type mismatch",
    ),
    "taken id": (
        lambda db: db.insert("a", {"id": 1, "text": "x"}),
        ValidationError,
        "'id': row with id 1 already exists",
    ),
    "taken id in the same batch": (
        lambda db: db.insert_many("a", [{"id": 7, "text": "x"}, {"id": 7, "text": "y"}]),
        ValidationError,
        "'id': row with id 7 already exists",
    ),
    "taken id in update": (
        lambda db: db.update_by_id("a", 1, {"id": 2}),
        ValidationError,
        "'id': row with id 2 already exists",
    ),
    "no id": (lambda db: db.insert("a", {"id": None, "text": "x"}), ValidationError, "'id': The"),
    "id 0": (lambda db: db.insert("a", {"id": 0, "text": "x"}), ValidationError, "'id': IDs must"),
    "negative id": (
        lambda db: db.insert("a", {"id": -1, "text": "x"}),
        ValidationError,
        "IDs must",
    ),
    "text as id": (
        lambda db: db.insert("a", {"id": "1", "text": ""}),
        ValidationError,
        "'id': Type",
    ),
    "True as id": (
        lambda db: db.insert("a", {"id": True, "text": ""}),
        ValidationError,
        "'id': Type",
    ),
    "huge id": (
        lambda db: db.insert("a", {"id": 10**9, "text": "x"}),
        ValidationError,
        "'id': The value is too big",
    ),
    "astronomic id": (
        lambda db: db.insert("a", {"id": 10**5000, "text": "x"}),
        ValidationError,
        "'id': The value is too big",
    ),
    "None": (lambda db: db.insert("a", {}), ValidationError, "'text': The value can't be None"),
    "too long": (
        lambda db: db.insert("a", {"text": "abcdef"}),
        ValidationError,
        "'text': The value is too long",
    ),
    "second row of a batch": (
        lambda db: db.insert_many("a", [{"text": "x"}, {"text": 5}]),
        ValidationError,
        "'text': Type mismatch",
    ),
    "update to a bad value": (
        lambda db: db.update_by_id("a", 1, {"text": None}),
        ValidationError,
        "'text': The value can't be None",
    ),
    "text in a TEXT": (
        lambda db: db.insert("f", {"text": 5}),
        ValidationError,
        "'text': Type mismatch",
    ),
    "update of a TEXT to None": (
        lambda db: db.update_by_id("f", 1, {"text": None}),
        ValidationError,
        "'text': The value can't be None",
    ),
    "star in front of a row": (
        lambda db: db.insert("g", {"first": "*"}),
        ValidationError,
        "'first': The value can't begin with",
    ),
    "star in front by update": (
        lambda db: db.update_by_id("g", 1, {"first": "**", "note": "new"}),
        ValidationError,
        "'first': The value can't begin with",
    ),
    "dangling FK": (
        lambda db: db.insert("b", {"text": "x", "a_id": 9}),
        ValueError,
        "Item id=9 does not exist in 'a'",
    ),
    "FK 0": (
        lambda db: db.insert("b", {"text": "x", "a_id": 0}),
        ValueError,
        "Item id=0 does not exist in 'a'",
    ),
    "FK of a wrong type": (
        lambda db: db.insert("b", {"text": "x", "a_id": "1"}),
        ValidationError,
        "'a_id': Type mismatch",
    ),
    "no FK": (lambda db: db.insert("b", {"text": "x"}), ValidationError, "'a_id': The value can't"),
    "dangling FK in update": (
        lambda db: db.update_by_id("b", 1, {"a_id": 9}),
        ValueError,
        "Item id=9 does not exist in 'a'",
    ),
    "FK before NotFound": (
        lambda db: db.update_by_id("b", 99, {"a_id": 9}),
        ValueError,
        "Item id=9 does not exist in 'a'",
    ),
    "update of nothing": (lambda db: db.update_by_id("a", 9, {}), NotFoundError, "ID=9 does not"),
    "delete of nothing": (lambda db: db.delete_by_id("a", 9), NotFoundError, "ID=9 does not exist"),
    "delete of 0": (lambda db: db.delete_by_id("a", 0), ValidationError, "greater than 0"),
    "delete of a huge id": (
        lambda db: db.delete_by_id("a", 10**30),
        NotFoundError,
        "does not exist",
    ),
    "find by 0": (lambda db: db.find_by_id("a", 0), ValidationError, "greater than 0"),
    "find by text": (
        lambda db: db.find_by_id("a", "1"),  # type: ignore[arg-type]
        ValidationError,
        "Type mismatch",
    ),
    "truncate of a table with referring rows": (
        lambda db: db.truncate("a"),
        ValueError,
        (
            "Cannot truncate table 'a': table 'b' has referring rows. "
            "Use `cascade` option to truncate dependent tables."
        ),
    ),
    "truncate of an unknown table": (lambda db: db.truncate("x"), ValidationError, "No such table"),
}


@pytest.mark.parametrize("in_transaction", [False, True])
@pytest.mark.parametrize("case", REFUSED)
def test_a_call_that_fails_says_why_and_changes_no_byte(
    db: DB, tmp_path: Path, case: str, in_transaction: bool
) -> None:
    call, error, message = REFUSED[case]
    db.insert_many("a", [{"text": "foo"}, {"text": "bar"}, {"text": "gone"}])
    db.delete_by_id("a", 3)
    db.insert("b", {"text": "baz", "a_id": 1})
    db.insert("f", {"text": "eggs"})
    db.insert("g", {"first": "a", "note": "b"})
    before, lsn = data_bytes(tmp_path), db.stats()["end_lsn"]
    if in_transaction:
        with db.transaction(), pytest.raises(error) as caught:
            call(db)
    else:
        with pytest.raises(error) as caught:
            call(db)
    assert message in str(caught.value)
    assert data_bytes(tmp_path) == before
    assert db.stats()["end_lsn"] == lsn
    assert db.insert("a", {"text": "next"})["id"] == 4
    assert db.check().ok


def test_a_huge_id_is_not_there(db: DB) -> None:
    assert db.find_by_id("a", 10**30) is None
