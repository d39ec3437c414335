"""A read that met the close of its database by another thread could be a bare ValueError.

Between finding the attachment and looking at its shared words, those were given back to the system.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import CHAR, DB, EQ, PK, Field, Schema, Table, TransactionError
from bazanite_wal import registry


class Words(Table):
    """One column to look for."""

    name = "words"
    schema = Schema([Field("id", PK()), Field("word", CHAR(8, index=True))])


@pytest.mark.parametrize("number", range(8))
def test_a_close_by_another_thread_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """``number`` is how many times the reader finds the attachment before the close."""
    db = DB([Words], tmp_path)
    db.insert("words", {"word": "x"})
    table, store = db.tables["words"], db.storage.store
    find = store._use
    left = number

    def found() -> registry.Attachment:
        nonlocal left
        used = find()
        left -= 1
        if left == -1:
            db.close()
        return used

    with monkeypatch.context() as patched:
        patched.setattr(store, "_use", found)
        for read in (lambda: table.find_by_id(1), lambda: table.find_by_cond(EQ(word="x"))) * 4:
            if left < 0:
                break
            try:
                read()
            except TransactionError as error:
                assert "closed" in str(error)  # noqa: PT017
    assert db.storage.closed
