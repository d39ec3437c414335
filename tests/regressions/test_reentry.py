"""The database used by code that runs inside one of its own calls.

Once, a signal handler, an iterator or a field type that called the database in the middle of an
insert gave two rows one slot: acknowledged rows were overwritten and ids handed out twice.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bazanite import CHAR, DB, PK, Field, FieldType, Schema, Table, TransactionError

PUT_AT_RANDOM_SECONDS = 0.0007


class Notes(Table):
    name = "notes"
    schema = Schema([Field("id", PK()), Field("text", CHAR(10))])


def test_a_signal_handler_that_inserts_loses_nothing_and_doubles_no_id(tmp_path: Path) -> None:
    stored: list[tuple[int, str]] = []
    with DB([Notes], tmp_path, durability="off") as db:

        def put(text: str) -> None:
            try:
                stored.append((db.insert("notes", {"text": text})["id"], text))
            except TransactionError:
                pass  # the handler struck inside a call: refused, nothing done

        previous = signal.signal(signal.SIGALRM, lambda *_: put("handler"))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.001, PUT_AT_RANDOM_SECONDS)
            while len(stored) < 1500:
                put("main")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
        rows = {row["id"]: row["text"] for row in db.find_all("notes")}
        assert rows == dict(stored)
        assert len(rows) == len(stored)
        assert db.check().problems == []


def test_an_iterator_may_use_the_table_that_it_feeds(tmp_path: Path) -> None:
    with DB([Notes], tmp_path) as db:

        def texts() -> Iterator[dict[str, str]]:
            for number in range(3):
                db.insert("notes", {"text": f"inner {number}"})
                yield {"text": f"outer {number}"}

        db.insert_many("notes", texts())
        found = sorted(row["text"] for row in db.find_all("notes"))
        assert found == sorted(f"{kind} {n}" for kind in ("inner", "outer") for n in range(3))
        assert db.check().problems == []


def test_a_field_type_that_uses_the_database_while_it_converts_is_refused(tmp_path: Path) -> None:
    class Nosy(FieldType):
        def serialize(self, val: Any) -> bytes:
            if val == "nosy":
                db.delete_by_id("things", 1)
            return str(val).encode().ljust(self.size)

        def deserialize(self, row: bytes, start: int) -> tuple[Any, int]:
            return row[start : start + self.size].decode().strip(), start + self.size

        def validate_type(self, val: Any) -> None:
            pass

    class Things(Table):
        name = "things"
        schema = Schema([Field("id", PK()), Field("what", Nosy(8))])

    with DB([Things], tmp_path) as db:
        db.insert("things", {"what": "one"})
        with pytest.raises(TransactionError, match="nothing was done"):
            db.insert("things", {"what": "nosy"})
        with pytest.raises(TransactionError, match="nothing was done"):
            db.update_by_id("things", 1, {"what": "nosy"})
        assert db.find_all("things") == [{"id": 1, "what": "one"}]
        assert db.check().problems == []


def test_a_transaction_left_in_another_thread_commits_nothing(tmp_path: Path) -> None:
    db = DB([Notes], tmp_path)
    manager = db.transaction()
    entered = threading.Event()

    def enter() -> None:
        manager.__enter__()
        db.insert("notes", {"text": "lost"})
        entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert entered.wait(30)
    thread.join()
    with pytest.raises(TransactionError, match="in the thread that entered it"):
        manager.__exit__(None, None, None)
    assert (tmp_path / "notes.dat").read_bytes() == b""
