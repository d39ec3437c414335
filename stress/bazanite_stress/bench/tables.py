"""The rows that are stored: what each holds follows from its id, so that a reader can tell.

``usertable`` is YCSB's: ten fields of a hundred characters.  ``item`` is a small row with two
numbers to search by, ``entry`` refers to it; ``keyed`` has two indexes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bazanite_stress.torture.schema import Column, Table

Values = dict[str, Any]

FIELDS = tuple(f"field{number}" for number in range(10))
FIELD_SIZE = 100

USERTABLE = Table("usertable", tuple(Column(name, "char", FIELD_SIZE) for name in FIELDS))
ITEM = Table("item", (Column("grp", "int"), Column("score", "int"), Column("name", "char", 20)))
ENTRY = Table("entry", (Column("item", "ref", table="item"), Column("amount", "int")))
KEYED = Table(
    "keyed",
    (Column("code", "int", index=True), Column("name", "char", 20, index=True)),
)

DATASETS: dict[str, tuple[Table, ...]] = {
    "users": (USERTABLE,),
    "no users": (USERTABLE,),
    "items": (ITEM, ENTRY),
    "no items": (ITEM, ENTRY),
    "items with entries": (ITEM, ENTRY),
    "keyed": (KEYED,),
}
"""What a directory holds at the beginning; ``rows_of`` says how many rows."""

WANTED_GRP = 42
SCORE_LIMIT = 9_899
_CODES, _CODE_STEP = 999_999_937, 618_033_989  # a prime, and about its golden section
_STEP = 37  # prime to 100, so that of a hundred rows in a row exactly one has the highest score


class WrongResult(Exception):
    """What an engine returned is not what was stored: its figures would mean nothing."""


def rows_of(dataset: str, rows: int) -> dict[str, int]:
    """How many rows each table of a dataset has at the beginning."""
    filled = {
        "users": {"usertable": rows},
        "no users": {"usertable": 0},
        "items": {"item": rows, "entry": 0},
        "no items": {"item": 0, "entry": 0},
        "items with entries": {"item": rows, "entry": rows},
        "keyed": {"keyed": rows},
    }
    return filled[dataset]


def rows_for(table: str, count: int) -> Iterator[Values]:
    """The first ``count`` rows, from id 1 on, without their ids."""
    makers: dict[str, Callable[[int], Values]] = {
        "usertable": user,
        "item": item,
        "entry": lambda row_id: entry(row_id, count),
        "keyed": keyed,
    }
    return map(makers[table], range(1, count + 1))


def item(row_id: int) -> Values:
    """A row of ``item``: 1 % of all have WANTED_GRP, 1 % a score above SCORE_LIMIT."""
    score = row_id * _STEP % 100 * 100
    return {"grp": row_id % 100, "score": score, "name": f"name of {row_id}"}


def entry(row_id: int, items: int) -> Values:
    """A row of ``entry``: one an item, in another order."""
    return {"item": item_of_entry(row_id, items), "amount": row_id}


def keyed(row_id: int) -> Values:
    """A row of ``keyed``: no two have the same code or name, and neither is in the order of ids."""
    code = row_id * _CODE_STEP % _CODES
    return {"code": code, "name": f"name of {code}"}


def item_of_entry(row_id: int, items: int) -> int:
    """Which item an entry refers to: each has exactly one, its mirror."""
    return items + 1 - row_id


def changed(table: str, version: int) -> Values:
    """What an update writes into a row; other versions are other values."""
    if table == "usertable":
        return {FIELDS[0]: field(1, FIELDS[0], version)}
    return {"item": {"score": version}, "entry": {"amount": 100 + version}}[table]


def user(row_id: int | str) -> Values:
    """A row of ``usertable``; one that is inserted later does not know its id: "new"."""
    return {name: field(row_id, name, 0) for name in FIELDS}


def field(row_id: int | str, name: str, version: int) -> str:
    """What a field holds after so many changes: it names its row and itself."""
    return f"{row_id} {name} {version} ".ljust(FIELD_SIZE - 1, "x") + "."


def hits(column: str, rows: int) -> int:
    """How many of the first rows of ``item`` an equality or a range scan has to find."""
    first = WANTED_GRP if column == "grp" else next(i for i in range(100) if i * _STEP % 100 == 99)
    return 0 if rows < first else (rows - first) // 100 + 1


def check_user(row_id: int, row: Values | None) -> None:
    """WrongResult unless this is the row of that id, whatever changes it has had."""
    if row is None or row.keys() != {"id", *FIELDS} or row["id"] != row_id:
        raise WrongResult(f"usertable: row {row_id} reads as {row}")
    for name in FIELDS:
        words = str(row[name]).split(" ")
        whole = len(row[name]) == FIELD_SIZE and row[name].endswith(".")
        if not whole or words[0] not in {str(row_id), "new"} or words[1] != name:
            raise WrongResult(f"usertable: {name} of row {row_id} is {row[name]!r}")


def check_item(row_id: int, row: Values | None, **changed: int) -> None:
    """WrongResult unless this is the row of that id, with these columns changed."""
    expected = {"id": row_id, **item(row_id), **changed}
    if row != expected:
        raise WrongResult(f"item: row {row_id} reads as {row}, not as {expected}")


def check_count(what: str, found: int, expected: int) -> None:
    """WrongResult unless they are equal."""
    if found != expected:
        raise WrongResult(f"{what}: {found} rows, expected {expected}")


def names(tables: Sequence[Table]) -> dict[str, tuple[str, ...]]:
    """The column names of each table, the id first."""
    return {table.name: ("id", *(column.name for column in table.columns)) for table in tables}
