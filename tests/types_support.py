"""Tables of the types beyond Bazoola's, for their tests."""

from __future__ import annotations

from bazanite import (
    BLOB,
    BOOL,
    DATE,
    DATETIME,
    DECIMAL,
    JSON,
    PK,
    TEXT,
    Field,
    FieldType,
    Schema,
    Table,
)

FIELDS = [
    Field("id", PK()),
    Field("b", BOOL(null=True)),
    Field("d", DATE(null=True)),
    Field("at", DATETIME(null=True)),
    Field("utc", DATETIME(null=True, utc=True)),
    Field("p", DECIMAL(6, 2, null=True)),
    Field("big", DECIMAL(40, 40, null=True)),
    Field("blob", BLOB(null=True)),
    Field("doc", JSON(null=True)),
    Field("text", TEXT(null=True)),
]


class Things(Table):
    name = "things"
    schema = Schema(FIELDS)


def one_column(kind: FieldType, name: str = "f") -> type[Table]:
    fields = [Field("id", PK()), Field(name, kind)]
    return type("One", (Table,), {"name": "one", "schema": Schema(fields)})
