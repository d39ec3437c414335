"""A condition, a join or a field type that writes to the database that is being read for it.

Once, a ``truncate`` inside a condition's ``eval`` made the scan under way call the table damaged:
CorruptionError, and nothing was wrong.  The write is refused instead; reads go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bazanite import CHAR, DB, GT, PK, BaseCond, BaseJoin, Field, Schema, Table, TransactionError


class Notes(Table):
    name = "notes"
    schema = Schema([Field("id", PK()), Field("text", CHAR(10))])


ROWS = 30_000
"""More than one chunk of a scan."""


class Using(BaseCond):
    """Calls ``use`` once for each row."""

    def eval(self, row: dict[str, Any]) -> bool:
        self.params["use"]()
        return True


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DB]:
    with DB([Notes], tmp_path_factory.mktemp("db"), durability="normal") as made:
        made.insert_many("notes", ({"text": str(n)} for n in range(ROWS)))
        yield made


WRITES: dict[str, Callable[[DB], object]] = {
    "truncate": lambda db: db.truncate("notes"),
    "insert": lambda db: db.insert("notes", {"text": "x"}),
    "update": lambda db: db.update_by_id("notes", ROWS, {"text": "x"}),
    "delete": lambda db: db.delete_by_id("notes", ROWS),
    "checkpoint": lambda db: db.checkpoint(),
    "transaction": lambda db: db.transaction().__enter__(),
}


@pytest.mark.parametrize("in_transaction", [False, True])
@pytest.mark.parametrize("write", WRITES)
def test_a_condition_that_writes_is_refused_and_nothing_happens(
    db: DB, write: str, in_transaction: bool
) -> None:
    cond = Using(use=lambda: WRITES[write](db))
    if in_transaction:
        with db.transaction():
            with pytest.raises(TransactionError, match="while it is being read"):
                db.find_by_cond("notes", cond)
            db.update_by_id("notes", 1, {"text": "0"})
    else:
        with pytest.raises(TransactionError, match="while it is being read"):
            db.find_by_cond("notes", cond)
    assert len(db.find_by_cond("notes", GT(id=0))) == ROWS
    assert db.update_by_id("notes", 1, {"text": "0"}) == {"id": 1, "text": "0"}


def test_a_condition_that_goes_on_after_the_refusal_sees_every_row(db: DB) -> None:
    refused: list[str] = []

    def use() -> None:
        if not refused:
            try:
                db.truncate("notes")
            except TransactionError as error:
                refused.append(error.message)

    assert len(db.find_by_cond("notes", Using(use=use))) == ROWS
    assert len(refused) == 1


def test_a_condition_may_read(db: DB) -> None:
    assert len(db.find_by_cond("notes", Using(use=lambda: db.find_by_id("notes", 7)))) == ROWS


def test_a_join_that_writes_is_refused(db: DB) -> None:
    class Writing(BaseJoin):
        fk_attr = "id"
        foreign_table_name = "notes"

        def join(self, fk: Any, foreign_table: Any) -> dict[str, Any]:
            return {"new": foreign_table.insert({"text": "x"})}

    with pytest.raises(TransactionError, match="while it is being read"):
        db.find_by_id("notes", 1, joins=[Writing()])
    assert db.find_by_id("notes", ROWS + 1) is None


def test_after_a_failed_condition_writes_work_again(tmp_path: Path) -> None:
    with DB([Notes], tmp_path) as db:
        db.insert("notes", {"text": "x"})
        with db.storage.lock():
            with pytest.raises(ZeroDivisionError):
                db.find_by_cond("notes", Using(use=lambda: 1 // 0))
            db.insert("notes", {"text": "y"})
        assert len(db.find_all("notes")) == 2
