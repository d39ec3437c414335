"""The tables that the writers use, described for either engine.

Every table has an automatic `id` first. `key` is the column by which model and judge name a row:
an id where the id is known beforehand, a token where the engine chooses the id.
"""

from dataclasses import dataclass
from typing import Literal

Value = int | str | None
Row = dict[str, Value]
Key = int | str

TOKEN_SIZE = 24
NOTE_CHARS = 400
ACCOUNTS = 8
START_BALANCE = 10_000


@dataclass(frozen=True, slots=True)
class Column:
    """One column beside the id; `size` in bytes: of a char, or of the char that stands for a text
    where the engine has no TEXT. `table` is what a ref points to. `index`: rows are looked for by
    it, in an engine that has indexes.
    """

    name: str
    kind: Literal["int", "char", "text", "ref"]
    size: int = 0
    table: str = ""
    null: bool = False
    index: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its columns after `id`, and the column that names a row. Nobody changes the rows
    of a `still` table once it is filled: others refer to them.
    """

    name: str
    columns: tuple[Column, ...]
    key: str = "id"
    still: bool = False


# balance == START_BALANCE + settled + the sum over the account's ledger rows, always.
FIXED_TABLES = (
    Table(
        "accounts",
        (Column("name", "char", 12), Column("balance", "int"), Column("settled", "int")),
    ),
    Table(
        "ledger",
        (
            Column("token", "char", TOKEN_SIZE),
            Column("source", "ref", table="accounts"),
            Column("target", "ref", table="accounts"),
            Column("amount", "int"),
        ),
        key="token",
    ),
    Table(
        "notes",
        (
            Column("token", "char", TOKEN_SIZE),
            Column("owner", "int"),
            Column("account", "ref", table="accounts", null=True),
            Column("mark", "char", TOKEN_SIZE),
            Column("body", "text", NOTE_CHARS, null=True),
        ),
        key="token",
    ),
    Table(
        "counters",
        (Column("name", "char", 12), Column("value", "int"), Column("last", "char", TOKEN_SIZE)),
    ),
)


def first_rows(writers: int) -> dict[str, list[Row]]:
    """The rows that a new directory begins with; their automatic ids count from 1.

    Counter `slot + 1` is the writer's own, counter `writers + 1` is everybody's.
    """
    accounts: list[Row] = [
        {"name": f"account {number}", "balance": START_BALANCE, "settled": 0}
        for number in range(1, ACCOUNTS + 1)
    ]
    counters: list[Row] = [
        {"name": f"writer {slot}", "value": 0, "last": ""} for slot in range(writers)
    ]
    counters.append({"name": "all", "value": 0, "last": ""})
    return {"accounts": accounts, "counters": counters}
