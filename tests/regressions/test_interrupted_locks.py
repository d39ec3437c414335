"""An interrupt while a lock of this process's was being let go.

Once, one that struck in the question whether this thread has the lock left it locked for ever: the
lock of data syncs, and then every checkpoint of another thread hung, or the lock of a directory's
place, and then every opening and closing did.  And one that struck at the end of a read could leave
a mark of it, so that every later change within a transaction was refused.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from bazanite import DB, INT, PK, Field, Schema, Table


class Row(Table):
    name = "rows"
    schema = Schema([Field("id", PK()), Field("n", INT())])


class _Interrupter:
    """Raises KeyboardInterrupt at the n-th point at which Python would deliver a signal."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event == "c_call" or "bazanite" not in code.co_filename:
            return
        if event == "return" and code.co_flags & inspect.CO_GENERATOR:
            return
        if self.left == 0:
            sys.setprofile(None)
            self.left = -1
            raise KeyboardInterrupt
        self.left -= 1


def reopened(path: Path) -> None:
    DB([Row], path).close()


def checkpointed(db: DB) -> None:
    db.insert("rows", {"n": 1})
    db.checkpoint()


CALLS: dict[str, Callable[[DB, Path], object]] = {
    "read": lambda db, _: db.find_all("rows"),
    "checkpoint": lambda db, _: checkpointed(db),
    "open and close": lambda _, path: reopened(path),
}


def others_go_on(db: DB, path: Path) -> None:
    checkpointed(db)
    reopened(path)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("call", CALLS)
def test_wherever_an_interrupt_strikes_other_threads_and_this_one_go_on(
    tmp_path: Path, call: str
) -> None:
    path = tmp_path / "data"
    db = DB([Row], path)
    number = 0
    while True:
        interrupt = _Interrupter(number)
        try:
            sys.setprofile(interrupt)
            CALLS[call](db, path)
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(None)
        others = threading.Thread(target=lambda: others_go_on(db, path), daemon=True)
        others.start()
        others.join(20)
        assert not others.is_alive(), f"a lock was left at point {number}"
        with db.transaction():
            row = db.insert("rows", {"n": number})
            assert db.find_by_id("rows", row["id"]) == row
        with db.storage.lock():
            assert db.find_all("rows")[-1] == row
        if interrupt.left != -1:
            break
        number += 1
    assert number > 20
    db.close()
