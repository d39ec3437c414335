"""While many objects are made the garbage collector rests, and nobody else is left without it."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import pytest

from bazanite import EQ
from bazanite.codec import RowCodec
from bazanite.many import made_at_once
from engine_support import TableA, opened
from store_support import FORK, in_child


@pytest.mark.filterwarnings(FORK)
def test_a_child_that_is_forked_meanwhile_has_a_collector() -> None:
    begun, forked = threading.Event(), threading.Event()

    def make() -> None:
        begun.set()
        assert forked.wait(30)

    def child() -> None:
        assert gc.isenabled()
        assert made_at_once(gc.isenabled) is False
        assert gc.isenabled()

    assert gc.isenabled()
    thread = threading.Thread(target=made_at_once, args=(make,))
    thread.start()
    assert begun.wait(30)
    assert not gc.isenabled()
    try:
        assert in_child(child) == 0
    finally:
        forked.set()
        thread.join(30)
    assert gc.isenabled()


@pytest.mark.filterwarnings(FORK)
def test_a_child_of_a_process_without_a_collector_has_none() -> None:
    gc.disable()
    try:
        assert in_child(lambda: made_at_once(gc.isenabled) and 1 / 0) == 0
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_reading_many_rows_lets_it_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    slot_count = RowCodec.slot_count

    def watched(codec: RowCodec, view: object) -> int:
        seen.append(gc.isenabled())
        return slot_count(codec, view)  # type: ignore[arg-type]

    with opened(tmp_path, TableA) as db:
        db.insert("a", {"text": "x"})
        monkeypatch.setattr(RowCodec, "slot_count", watched)
        for rows in (db.find_all("a"), db.find_by_cond("a", EQ(text="x"))):
            assert [row["id"] for row in rows] == [1]
    assert not any(seen)
    assert gc.isenabled()
