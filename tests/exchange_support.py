"""Random schemas and rows for what goes into a directory and comes out of it again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

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
    DBError,
    Field,
    Schema,
    Table,
)
from bazanite.check import read_catalog
from bazanite.fields import FieldType
from bazanite.specs import Catalog
from bazanite_wal.offline import open_offline

ON_DELETE = ["restrict", "cascade", "set_null", "keep"]
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text("\t\n\r\\\"',; .\x00\x01\x7f\x85\u2028\ufeff#*NULL", max_size=8),
    st.sampled_from(["", "\\N", "\\.", "NULL", "null", "2026-11-26", "1e5", "007", "true", " x "]),
    st.integers(1, 3).map(lambda times: "long\u00e9\n" * 900 * times),
)
NAMES = st.one_of(
    st.sampled_from(
        ["order", "group by", 'quo"ted', "Grün", "a,b", "select", "tab.le", "x'y", "_"]
    ),
    st.text("abcxyz", min_size=1, max_size=4),
).filter(lambda name: name != "id")
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXTS, part, max_size=3),
    max_leaves=5,
)  # fmt: skip
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001  of both kinds


@dataclass(frozen=True)
class Made:
    """Table classes, and rows to be tried."""

    classes: list[type[Table]]
    rows: list[tuple[str, dict[str, Any]]]
    int_width: int

    def fill(self, path: Path) -> None:
        """A directory with those of the rows that it takes."""
        with DB(self.classes, path, durability="off", int_width=self.int_width) as db:
            for name, row in self.rows:
                try:
                    db.insert(name, row)
                except (DBError, ValueError):
                    continue
            for name, row in self.rows[::5]:  # so that ids have gaps and references dangle
                try:
                    db.delete_by_id(name, row.get("id") or 2)
                except DBError:
                    continue


def _kinds(tables: list[str]) -> st.SearchStrategy[tuple[FieldType, st.SearchStrategy[Any]]]:
    null = st.booleans()
    ids = st.integers(1, 9)

    def chars(size: int, empty: bool) -> tuple[FieldType, st.SearchStrategy[Any]]:
        return CHAR(size, empty), TEXTS

    def ints(size: int, empty: bool) -> tuple[FieldType, st.SearchStrategy[Any]]:
        return INT(size, empty), st.integers(1 - 10 ** (size - 1), 10**size - 1)

    def decimals(digits: int, places: int, empty: bool) -> tuple[FieldType, Any]:
        places = min(digits, places)
        whole = st.integers(1 - 10**digits, 10**digits - 1)
        return DECIMAL(digits, places, empty), whole.map(
            lambda value: Decimal(value).scaleb(-places) if digits < 28 else Decimal(0)
        )

    def references(target: str, action: str, empty: bool) -> tuple[FieldType, Any]:
        return FK(target, empty or action == "set_null", on_delete=action), ids

    def moments(utc: bool, empty: bool) -> tuple[FieldType, st.SearchStrategy[Any]]:
        values = MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)) if utc else MOMENTS
        return DATETIME(empty, utc=utc), values

    return st.one_of(
        st.builds(chars, st.sampled_from([1, 5, 30]), null),
        null.map(lambda empty: (TEXT(empty), TEXTS)),
        st.builds(ints, st.sampled_from([1, 4, 9, 18, 19, 40]), null),
        null.map(lambda empty: (BOOL(empty), st.booleans())),
        null.map(lambda empty: (DATE(empty), st.dates(date.min + timedelta(1)))),
        st.builds(moments, st.booleans(), null),
        st.builds(decimals, st.sampled_from([1, 6, 15, 16, 27]), st.integers(0, 6), null),
        null.map(lambda empty: (BLOB(empty), st.binary(max_size=9))),
        null.map(lambda empty: (JSON(empty), DOCUMENTS)),
        st.builds(references, st.sampled_from(tables), st.sampled_from(ON_DELETE), null),
    )


@st.composite
def databases(draw: st.DrawFn) -> Made:
    """One to three tables with columns of any type, that refer to each other in any way."""
    names = draw(st.lists(st.sampled_from(["t", "order", "A-b", "x_1"]), min_size=1, max_size=3,
                          unique=True))  # fmt: skip
    classes: list[type[Table]] = []
    rows: list[tuple[str, dict[str, Any]]] = []
    for name in names:
        columns = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=str.lower))
        kinds = [draw(_kinds(names)) for _ in columns]
        fields = [Field(c, kind) for c, (kind, _) in zip(columns, kinds, strict=True)]
        fields.insert(draw(st.integers(0, len(fields))), Field("id", PK()))
        able = [f.name for f in fields if not isinstance(f.type, JSON)]
        keys = st.lists(
            st.lists(st.sampled_from(able), min_size=1, max_size=3, unique=True).map(tuple),
            max_size=2,
        )
        schema = Schema(fields, unique=draw(keys), indexes=draw(keys))
        classes.append(type("Made", (Table,), {"name": name, "schema": schema}))
        values = {
            column: st.none() | value if kind.null else value
            for column, (kind, value) in zip(columns, kinds, strict=True)
        }
        row = st.fixed_dictionaries(values, optional={"id": st.integers(1, 30)})
        rows += [(name, one) for one in draw(st.lists(row, min_size=3, max_size=6))]
    return Made(classes, draw(st.permutations(rows)), draw(st.sampled_from([6, 9, 12])))


def rows_of(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, by its id, with values of the types that Python tells apart."""
    with DB.open(path, durability="off") as db:
        assert db.check().problems == []
        return {
            name: sorted((dict(row) for row in table.find_all()), key=lambda row: row["id"])
            for name, table in db.tables.items()
        }


def next_ids(path: Path) -> dict[str, int]:
    """The last automatic id of each table."""
    return {
        file.name.removesuffix("__seqnum.dat"): int(file.read_text())
        for file in path.glob("*__seqnum.dat")
    }


def catalog(path: Path) -> Catalog:
    """What a directory says of its tables, the files' names of its indexes left out."""
    with open_offline(str(path)) as offline:
        found = read_catalog(offline.view)
    tables = {
        name: replace(spec, indexes=tuple(replace(i, name="") for i in spec.indexes))
        for name, spec in found.tables.items()
    }
    return replace(found, tables=tables)
