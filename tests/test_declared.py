"""What a field declares beside its type: defaults and checks, and types that know of neither."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from bazanite import (
    CHAR,
    DATETIME,
    DB,
    DECIMAL,
    FK,
    INT,
    JSON,
    PK,
    TEXT,
    Field,
    FieldType,
    Schema,
    Table,
    ValidationError,
)
from types_support import one_column


@pytest.mark.parametrize(
    "make",
    [
        lambda: DECIMAL(0), lambda: DECIMAL(641), lambda: DECIMAL(3, 4), lambda: DECIMAL(3, -1),
        lambda: DECIMAL(cast("Any", "3")), lambda: DATETIME(utc=cast("Any", 1)),
        lambda: INT(3, unique=cast("Any", 1)), lambda: INT(3, index=cast("Any", "x")),
        lambda: INT(3, check=cast("Any", 5)),
    ],
)  # fmt: skip
def test_a_declaration_that_makes_no_sense_is_refused(make: Callable[[], FieldType]) -> None:
    with pytest.raises(ValidationError):
        make()


def test_a_default_is_for_what_is_left_out_and_a_callable_is_called_for_each_row(
    tmp_path: Path,
) -> None:
    calls = iter(range(1000))

    class Owners(Table):
        name = "owners"
        schema = Schema([Field("id", PK())])

    class Made(Table):
        name = "made"
        schema = Schema(
            [
                Field("id", PK()), Field("n", INT(null=True, default=lambda: next(calls))),
                Field("doc", JSON(default={})), Field("owner", FK("owners", default=1)),
                Field("name", CHAR(5, null=True, default="x ")),
            ]
        )  # fmt: skip

    with DB([Owners, Made], str(tmp_path)) as db:
        with pytest.raises(ValueError, match="owner"):
            db.insert("made", {})
        db.insert("owners", {})
        first = next(calls) + 1
        assert db.insert("made", {}) == {
            "id": 1, "n": first, "doc": {}, "owner": 1, "name": "x",
        }  # fmt: skip
        rows = db.insert_many("made", [{}, {"n": None, "name": None}, *([{}] * 30)])
        assert [row["n"] for row in rows] == [first + 1, None, *range(first + 2, first + 32)]
        assert rows[1]["name"] is None
        odd: list[Any] = [{"name": b"abc"}, *([{}] * 30)]
        assert [row["n"] for row in db.insert_many("made", odd)] == [*range(first + 32, first + 63)]
        rows[0]["doc"]["a"] = 1
        assert db.insert("made", {})["doc"] == {}
        assert db.update_by_id("made", 1, {"n": None})["n"] is None


def test_a_check_is_asked_about_what_will_be_read_and_names_its_field(tmp_path: Path) -> None:
    asked: list[object] = []

    def looked_at(value: object) -> bool:
        asked.append(value)
        return value != "no"

    def refuses(value: int) -> bool:
        if value > 5:
            raise ValueError("above five")
        if value == 3:
            raise ValidationError("three")
        return value != 4

    class Checked(Table):
        name = "checked"
        schema = Schema(
            [
                Field("id", PK(check=lambda pk: pk != 99)),
                Field("name", CHAR(5, check=looked_at)),
                Field("n", INT(null=True, check=refuses)),
                Field("note", TEXT(null=True, check=lambda text: text.islower())),
            ]
        )

    with DB([Checked], str(tmp_path)) as db:
        db.insert("checked", {"name": b"a  ", "note": "low"})
        assert asked == ["a"]
        for values, message in [
            ({"name": "no"}, "'name': The check refuses `'no'`"),
            ({"name": "b", "n": 6}, "'n': above five"),
            ({"name": "b", "n": 3}, "'n': three"),
            ({"name": "b", "n": 4}, "'n': The check refuses `4`"),
            ({"name": "b", "note": "High"}, "'note': The check refuses `'High'`"),
            ({"name": "b", "id": 99}, "'id': The check refuses `99`"),
        ]:
            for call in (
                lambda values=values: db.insert("checked", values),
                lambda values=values: db.insert_many("checked", [{"name": "b"}] * 20 + [values]),
                lambda values=values: (
                    db.insert_ids(
                        "checked", [{"name": "b", "n": None, "note": None, **values}] * 20
                    )
                    if "id" not in values
                    else db.insert("checked", values)
                ),
                lambda values=values: db.update_by_id("checked", 1, values),
            ):
                with pytest.raises(ValidationError) as caught:
                    call()
                assert caught.value.message == message
        asked.clear()
        assert db.update_by_id("checked", 1, {"n": 1})["note"] == "low"
        assert asked == []
        assert db.find_all("checked") == [{"id": 1, "name": "a", "n": 1, "note": "low"}]
        assert db.check().problems == []


class OldStyle(FieldType):
    """A type that never heard of these arguments, and uses their names for its own purposes."""

    def __init__(self, null: bool = False) -> None:
        super().__init__(3, null)
        self.default = "own"
        self.index = 5

    def check(self, value: object) -> None:
        raise AssertionError("not for the engine to call")

    def validate_type(self, val: Any) -> None:
        if val == self.default:
            self.check(val)

    def serialize(self, val: Any) -> bytes:
        return b"---" if val is None else str(val).ljust(3).encode()

    def deserialize(self, row: bytes, start: int) -> tuple[Any, int]:
        return row[start : start + 3].decode(), start + 3


class Bare(OldStyle):
    """One that does not even call the base."""

    def __init__(self) -> None:
        self.size, self.null, self.params = 3, True, {}


@pytest.mark.parametrize("kind", [OldStyle(null=True), Bare()])
def test_a_type_of_a_programs_own_that_knows_nothing_of_this_goes_on_working(
    kind: FieldType, tmp_path: Path
) -> None:
    with DB([one_column(kind)], str(tmp_path)) as db:
        assert db.insert("one", {"f": "abc"})["f"] == "abc"
        assert db.insert("one", {})["f"] == "---"
        assert db.update_by_id("one", 1, {"f": "xyz"})["f"] == "xyz"


def test_arguments_are_attributes_of_the_type() -> None:
    kind = INT(3, unique=True, index=True, default=5, check=bool)
    assert (kind.unique, kind.index, kind.default, kind.check) == (True, True, 5, bool)
    plain = kind.bind_width(6), INT(null=True).bind_width(6)
    assert [(k.unique, k.check) for k in plain] == [(True, bool), (False, None)]
