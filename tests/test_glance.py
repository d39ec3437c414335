"""A row by id in few steps: whatever is unusual is left to the reading with care."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bazanite import CHAR, DB, INT, PK, CorruptionError, Field, Row, Schema, Table, ValidationError
from bazanite.errors import PoisonedError, TransactionError
from bazanite_wal import shared
from bazanite_wal.glance import Glance
from bazanite_wal.store import Store
from engine_support import TableF
from seam import Seam
from store_support import FORK, core, in_child

MOST_CALLS = 7
"""Python functions that may run for one row by id: each costs about a twentieth of it."""
ROWS = "pair.dat"
INDEX = "pair__id.idx.dat"


class Pair(Table):
    name = "pair"
    schema = Schema(
        [
            Field("id", PK()),
            Field("n", INT()),
            Field("name", CHAR(8, null=True)),
            Field("m", INT(null=True)),
        ]
    )


FIRST = {"id": 1, "n": -5, "name": "żó", "m": None}
SECOND = {"id": 2, "n": 7, "name": None, "m": 0}


def ready(path: Path, system: Any = None, **options: Any) -> DB:
    """A database with two rows, whose next row by id takes the short way."""
    db = DB([Pair], str(path), system=system, lock_timeout=20, commit_timeout=20, **options)
    if db.find_by_id("pair", 1) is None:
        db.insert_many("pair", [FIRST, SECOND])
        db.find_by_id("pair", 1)
    return db


@pytest.fixture
def careful(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry for each reading with care."""
    seen: list[object] = []
    quick_read = Store.quick_read

    def watched(store: Store, read: Any) -> Any:
        seen.append(read)
        return quick_read(store, read)

    monkeypatch.setattr(Store, "quick_read", watched)
    return seen


def test_a_row_by_id_is_two_reads_and_no_lock(tmp_path: Path, careful: list[object]) -> None:
    seam = Seam()
    with ready(tmp_path, seam) as db:
        db.tables["pair"].find_by_id(2)
        before = len(careful)
        start = len(seam.calls)
        row = db.find_by_id("pair", 1)
        assert (row, type(row)) == (FIRST, Row)
        assert [call for call in seam.calls[start:] if call[0] != "load"] == [
            ("read_at", INDEX),
            ("read_at", ROWS),
        ]
        assert [int(name) for kind, name in seam.calls[start:] if kind == "load"] == [
            shared.SEQUENCE,
            shared.APPLIED,
            shared.SEQUENCE,
            shared.POISONED,
            shared.LAYOUT,
            shared.TOLD_AHEAD,
        ]
        assert db.find_by_id("pair", 2) == SECOND
        assert len(careful) == before


def test_a_row_by_id_calls_few_functions(tmp_path: Path) -> None:
    calls: list[str] = []

    def note(frame: Any, event: str, _argument: object) -> None:
        if event == "call":
            calls.append(frame.f_code.co_name)

    with ready(tmp_path) as db:
        sys.setprofile(note)
        try:
            row = db.find_by_id("pair", 2)
        finally:
            sys.setprofile(None)
    assert row == SECOND
    assert 0 < len(calls) <= MOST_CALLS, calls


def test_rows_of_two_states_are_never_paired(tmp_path: Path) -> None:
    seam = Seam()
    db, other = ready(tmp_path, seam), ready(tmp_path, Seam())

    def change() -> None:  # between the entry and the row: row 1 goes, its slot is used again
        other.delete_by_id("pair", 1)
        other.insert("pair", {"id": 3, "n": 3})

    seam.when("read_at", INDEX, change, after=True)
    assert db.find_by_id("pair", 1) is None
    seam.when("read_at", ROWS, lambda: other.update_by_id("pair", 2, {"n": 8}))
    assert db.find_by_id("pair", 2) == SECOND | {"n": 8}
    seam.when("read_at", ROWS, lambda: other.update_by_id("pair", 2, {"n": 9}), after=True)
    assert db.find_by_id("pair", 2) == SECOND | {"n": 9}
    assert db.read_lsn == other.read_lsn


def test_a_row_that_is_just_being_applied_is_not_read(tmp_path: Path) -> None:
    seam = Seam()
    db, other = ready(tmp_path, seam), ready(tmp_path, Seam())
    seen: list[object] = []

    def read() -> None:
        seen.append(other.find_by_id("pair", 1))

    reader = threading.Thread(target=read)
    seam.when("write_at", ROWS, reader.start, after=True)
    db.update_by_id("pair", 1, {"n": 6})
    reader.join(30)
    assert seen == [FIRST | {"n": 6}]


def test_what_was_read_while_the_database_was_poisoned_does_not_count(tmp_path: Path) -> None:
    seam = Seam()
    db, other = ready(tmp_path, seam), ready(tmp_path, Seam())
    seam.when("read_at", ROWS, lambda: core(other.storage.store).poison(), after=True)
    with pytest.raises(PoisonedError):
        db.find_by_id("pair", 1)
    with pytest.raises(PoisonedError):
        db.find_by_id("pair", 1)


def test_a_closed_handle_refuses_though_another_one_reads_on(tmp_path: Path) -> None:
    seam = Seam()
    db, other = ready(tmp_path, seam), ready(tmp_path, seam)
    table = db.tables["pair"]
    assert table.find_by_id(1) == FIRST
    db.close()
    for find in (table.find_by_id, lambda pk: db.find_by_id("pair", pk)):
        with pytest.raises(TransactionError, match="closed"):
            find(1)
    assert other.find_by_id("pair", 1) == FIRST
    table = other.tables["pair"]
    other.close()
    with pytest.raises(TransactionError, match="closed"):
        table.find_by_id(1)


@pytest.mark.filterwarnings(FORK)
def test_a_forked_child_attaches_for_itself(tmp_path: Path) -> None:
    with ready(tmp_path) as db:

        def child() -> None:
            assert db.find_by_id("pair", 1) == FIRST
            assert db.find_by_id("pair", 2) == SECOND
            assert db.stats()["attached_processes"] == 2
            db.update_by_id("pair", 2, {"n": 70})
            assert db.find_by_id("pair", 2) == SECOND | {"n": 70}
            db.close()

        assert in_child(child) == 0
        assert db.find_by_id("pair", 2) == SECOND | {"n": 70}


def test_a_transaction_and_the_held_lock_read_their_own_way(
    tmp_path: Path, careful: list[object]
) -> None:
    with ready(tmp_path, Seam()) as db:
        with db.transaction():
            db.update_by_id("pair", 1, {"n": 6})
            assert db.find_by_id("pair", 1) == FIRST | {"n": 6}
        before = len(careful)
        with db.storage.lock():
            assert db.find_by_id("pair", 1) == FIRST | {"n": 6}
        assert len(careful) > before


def test_normal_durability_reads_what_is_not_applied_yet(tmp_path: Path) -> None:
    with ready(tmp_path, Seam(), durability="normal") as db:
        for number in range(3):
            db.update_by_id("pair", 1, {"n": number})
            assert db.find_by_id("pair", 1) == FIRST | {"n": number}


def test_without_ordered_memory_the_lock_is_taken(tmp_path: Path) -> None:
    seam = Seam()
    seam.ordered_memory = lambda: False  # type: ignore[method-assign]
    with ready(tmp_path, seam) as db:
        start = len(seam.calls)
        assert db.find_by_id("pair", 1) == FIRST
        assert ("try_lock", ".lock") in seam.calls[start:]


def test_the_position_that_was_read_is_told(tmp_path: Path) -> None:
    with ready(tmp_path, Seam()) as db, ready(tmp_path, Seam()) as other:
        with other.transaction() as tx:
            other.update_by_id("pair", 1, {"n": 6})
        assert db.read_lsn < tx.lsn
        assert db.find_by_id("pair", 1) == FIRST | {"n": 6}
        assert db.read_lsn == tx.lsn


def flawed(path: Path, name: str, offset: int, data: bytes) -> None:
    """Damage a file behind the engine's back."""
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[:offset] + data + content[offset + len(data) :])


SIZE = 9 + 9 + 8 + 9 + 1


@pytest.mark.parametrize(
    "name, offset, data",
    [
        (ROWS, 0, b"3"),
        (ROWS, 0, b"*" * (SIZE - 1)),
        (ROWS, 9, b"-"),
        (ROWS, 10, b" 5"),
        (ROWS, 9, b"+"),
        (ROWS, 18, b"\xff"),
        (ROWS, 18, b"\0"),
        (ROWS, 18 + 8, b"5"),
        (ROWS, 18 + 8, b"1_0      "),
        (ROWS, SIZE - 1, b" "),
        (INDEX, 0, b"1"),
        (INDEX, 0, b"9"),
        (INDEX, 0, b"-1"),
        (INDEX, 0, b"x"),
    ],
)
def test_damage_is_told_with_its_place(
    tmp_path: Path, name: str, offset: int, data: bytes, careful: list[object]
) -> None:
    with ready(tmp_path, Seam()) as db:
        assert db.find_by_id("pair", 1) == FIRST
        flawed(tmp_path, name, offset, data)
        before = len(careful)
        if data == b"-":  # "-5" has become "--": else it would be another number
            flawed(tmp_path, name, offset + 1, b"-")
        with pytest.raises(CorruptionError):
            db.find_by_id("pair", 1)
        assert len(careful) == before + 1
        assert db.find_by_id("pair", 2) == SECOND


@pytest.mark.parametrize("pk", [0, -1, -2, True, "1", None, 1.0])
def test_an_id_that_is_none_is_refused(tmp_path: Path, pk: Any) -> None:
    with ready(tmp_path, Seam()) as db, pytest.raises(ValidationError):
        db.find_by_id("pair", pk)


@pytest.mark.parametrize("pk", [3, 10**9, 10**30, 1 << 62])
def test_an_id_without_a_row_is_none(tmp_path: Path, pk: int) -> None:
    with ready(tmp_path, Seam()) as db:
        assert db.find_by_id("pair", pk) is None


class Even(INT):
    """A type of a program's own: half of the number is stored."""

    def serialize(self, val: int | None) -> bytes:
        return super().serialize(val // 2 if val is not None else None)

    def deserialize(self, row: bytes, start: int) -> tuple[int | None, int]:
        value, end = super().deserialize(row, start)
        return None if value is None else 2 * value, end


def test_a_type_of_ones_own_is_asked(tmp_path: Path) -> None:
    class Halves(Table):
        name = "halves"
        schema = Schema([Field("id", PK()), Field("n", Even())])

    with DB([Halves], str(tmp_path)) as db:
        db.insert("halves", {"n": 10})
        assert [db.find_by_id("halves", 1) for _ in range(3)] == [{"id": 1, "n": 10}] * 3
        assert db.find_all("halves") == [{"id": 1, "n": 10}]


def test_a_table_with_texts_reads_with_care(tmp_path: Path, careful: list[object]) -> None:
    with DB([TableF], str(tmp_path)) as db:
        db.insert("f", {"text": "eggs"})
        assert [db.find_by_id("f", 1) for _ in range(3)] == [{"id": 1, "text": "eggs"}] * 3
    assert len(careful) == 3


def test_a_missing_file_is_left_to_the_reading_with_care(tmp_path: Path) -> None:
    with ready(tmp_path, Seam()) as db:
        store = db.storage.store
        where = db.tables["pair"]._where._replace(entries="none.dat")
        nothing: list[Callable[[], object]] = [
            lambda: Glance(store, store._use(), where, store.word(shared.LAYOUT)).record(0),
            lambda: store.glance(where, store.word(shared.LAYOUT)).record(0),
        ]
        assert [ask() for ask in nothing] == [None, None]
