"""A handle closed by another thread told a call under way that a migration had changed its table.

Closing the last handle of a process waits for calls under way, closing one of several does not.  It
takes the handle's tables away, and a call that then looked for its own took it for replaced: who
takes it from `db.tables` again, as the message says, finds none.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from bazanite import DB, INT, PK, Field, Schema, Table, TransactionError
from bazanite.storage import Storage


class Numbers(Table):
    name = "numbers"
    schema = Schema([Field("id", PK()), Field("n", INT())])


def test_it_is_told_that_the_handle_is_closed(tmp_path: Path) -> None:
    db, other = DB([Numbers], tmp_path), DB([Numbers], tmp_path)
    looked = Storage.catalog

    def closing(storage: Storage, *args: Any) -> Any:
        found = looked(storage, *args)
        closer = threading.Thread(target=db.close)
        closer.start()
        closer.join()
        return found

    with (
        mock.patch.object(Storage, "catalog", closing),
        pytest.raises(TransactionError, match="the database is closed"),
    ):
        db.insert("numbers", {"n": 1})
    assert other.find_all("numbers") == []
    other.close()
