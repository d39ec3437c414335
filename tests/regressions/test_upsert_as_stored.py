"""An upsert by a value that reads back as another one.

Once, the row was looked for by the value as it was given: "Oslo " and b"Oslo" found no "Oslo",
though that is how they are stored, and each further upsert with them stored another row.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DATETIME,
    DB,
    INT,
    JSON,
    PK,
    TEXT,
    Field,
    Schema,
    Table,
    ValidationError,
)


class Cities(Table):
    name = "cities"
    schema = Schema(
        [
            Field("id", PK()),
            Field("name", CHAR(10, null=True)),
            Field("text", TEXT(null=True)),
            Field("seen", DATETIME(utc=True, null=True)),
            Field("tags", JSON(null=True)),
            Field("n", INT(null=True)),
        ]
    )


NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "field, given",
    [
        ("name", ["Oslo", "Oslo ", b"Oslo  "]),
        ("text", ["Oslo", b"Oslo"]),
        ("seen", [NOON, NOON.astimezone(timezone(timedelta(hours=5)))]),
        ("tags", [["a", {"b": 1, "c": 2}], ["a", {"c": 2, "b": 1}]]),
    ],
    ids=str,
)
def test_an_upsert_finds_what_the_same_upsert_stored(
    tmp_path: Path, field: str, given: list[Any]
) -> None:
    with DB([Cities], tmp_path / "data", durability="off") as db:
        for value in given * 2:
            assert db.upsert("cities", {field: value, "n": 1}, on=field)["id"] == 1
        assert db.count("cities") == 1


def test_what_cannot_be_stored_or_is_no_name_is_refused(tmp_path: Path) -> None:
    with DB([Cities], tmp_path / "data", durability="off") as db:
        on: Any
        for values, on in (
            ({"name": "x" * 11}, "name"),
            ({"name": ["x"]}, "name"),
            ({"id": True}, "id"),
            ({"name": "x"}, [["name"]]),
        ):
            with pytest.raises(ValidationError):
                db.upsert("cities", values, on=on)
        assert db.count("cities") == 0
