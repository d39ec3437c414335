"""What a program declared of its columns goes on to hold behind a migration of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import (
    CHAR,
    DB,
    INT,
    PK,
    AddColumn,
    ChangeColumn,
    Field,
    Migration,
    RenameColumn,
    Schema,
    Table,
    ValidationError,
)


class Stocks(Table):
    """Numbers that must not be negative, and have a default."""

    name = "stocks"
    schema = Schema(
        [
            Field("id", PK()),
            Field("n", INT(check=lambda value: value >= 0, default=7)),
            Field("s", CHAR(4, default="new")),
            Field("t", CHAR(4, default="old", null=True)),
        ]
    )


def test_checks_and_defaults_of_columns_that_stay_are_kept(tmp_path: Path) -> None:
    """They were forgotten without a word: a value that the check refuses was stored."""
    with DB([Stocks], tmp_path) as db:
        db.migrate(
            [
                Migration(
                    1,
                    "more",
                    [
                        AddColumn("stocks", Field("more", INT(null=True))),
                        RenameColumn("stocks", "t", "u"),
                        ChangeColumn("stocks", "s", CHAR(9, null=True)),
                    ],
                )
            ]
        )
        with pytest.raises(ValidationError, match="'n'"):
            db.insert("stocks", {"n": -1})
        with pytest.raises(ValidationError, match="'n'"):
            db.insert_many("stocks", [{"n": 1}, {"n": -1}])
        row = db.insert("stocks", {})
        assert row == {"id": 1, "n": 7, "s": None, "u": None, "more": None}
        with pytest.raises(ValidationError, match="'n'"):
            db.update_by_id("stocks", 1, {"n": -1})
