"""Limits on the size of a file, by the file system or by this process: refused before it is logged.

A frame that names an offset beyond such a limit once became durable and could then not be applied:
nobody could use the directory until the limit was gone.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bazanite import CHAR, DB, PK, Field, Schema, Table
from bazanite_wal.commit import append
from bazanite_wal.errors import CommittedNotApplied, DirectoryError
from bazanite_wal.frame import FRAME, LARGEST_FILE, Truncate
from bazanite_wal.posix import POSIX
from bazanite_wal.section import exclusive
from bazanite_wal.store import Store
from seam import Killed, Seam
from store_support import FORK, LOG, SMALL, attachment, frames_in, get, in_child, opened, put

pytestmark = pytest.mark.filterwarnings(FORK)
LIMIT = 1 << 20


def limited(work: Callable[[], object]) -> int:
    """Run ``work`` in a child whose files may have ``LIMIT`` bytes; its exit status."""

    def child() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
        work()

    return in_child(child)


def lift() -> None:
    """Free this process of the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def beyond_by_a_write(tx: Any) -> None:
    tx.write("a.dat", LIMIT - 1, b"xy")


def beyond_by_a_fill(tx: Any) -> None:
    tx.fill("a.dat", 10, ord("x"), LIMIT)


def beyond_by_a_truncate(tx: Any) -> None:
    tx.truncate("a.dat", LIMIT + 1)


def beyond_on_the_way(tx: Any) -> None:
    tx.write("a.dat", 5 * LIMIT, b"x")
    tx.truncate("a.dat", 4)


@pytest.mark.parametrize("powersafe", [True, False])
@pytest.mark.parametrize("durability", ["full", "normal", "off"])
@pytest.mark.parametrize(
    "change", [beyond_by_a_write, beyond_by_a_fill, beyond_by_a_truncate, beyond_on_the_way]
)
def test_a_transaction_beyond_the_limit_is_refused_before_it_is_logged(
    tmp_path: Path, change: Callable[[Any], None], durability: str, powersafe: bool
) -> None:
    options: dict[str, Any] = {"durability": durability, "powersafe_overwrite": powersafe}

    def work() -> None:
        store = opened(tmp_path / "data", log_size_bytes=SMALL, **options)
        put(store, b"before", "b.dat")
        put(store, b"before")
        end = store.stats()["end_lsn"]
        with pytest.raises(DirectoryError) as caught, store.transaction() as tx:
            tx.write("b.dat", 0, b"no")
            change(tx)
        assert f"{tmp_path}/data/a.dat: the transaction is rolled back" in str(caught.value)
        assert f"the limit is {LIMIT} " in str(caught.value)
        assert store.stats()["end_lsn"] == end
        assert get(store) == get(store, "b.dat") == b"before"
        put(store, b"after!")
        lift()
        with store.transaction() as tx:
            change(tx)
        store.close()

    assert limited(work) == 0
    copy = opened(tmp_path / "data", **options)
    assert get(copy)[:4] == b"afte"
    copy.close()


def test_a_file_may_have_exactly_the_limit(tmp_path: Path) -> None:
    def work() -> None:
        store = opened(tmp_path / "data", log_size_bytes=SMALL)
        put(store, b"x", offset=LIMIT - 1)
        with store.transaction() as tx:
            tx.write("a.dat", 0, b"y")
            tx.truncate("a.dat", LIMIT)
        store.close()

    assert limited(work) == 0
    assert (tmp_path / "data" / "a.dat").stat().st_size == LIMIT


def test_a_savepoint_beyond_the_limit_may_be_rolled_back(tmp_path: Path) -> None:
    def work() -> None:
        store = opened(tmp_path / "data", log_size_bytes=SMALL)
        put(store, b"before")
        with store.transaction() as tx:
            tx.write("a.dat", 0, b"after!")
            with pytest.raises(LookupError), store.transaction() as savepoint:
                savepoint.write("a.dat", LIMIT, b"x")
                raise LookupError
        with (
            pytest.raises(DirectoryError),
            store.transaction(),
            store.transaction() as savepoint,
        ):
            savepoint.write("a.dat", LIMIT, b"x")
        assert get(store) == b"after!"

    assert limited(work) == 0


def test_a_row_whose_index_would_be_too_large_is_refused(tmp_path: Path) -> None:
    class TableT(Table):
        name = "t"
        schema = Schema([Field("id", PK()), Field("text", CHAR(5))])

    def work() -> None:
        with DB([TableT], tmp_path / "data", log_size_bytes=64 << 10) as db:
            db.insert("t", {"text": "one"})
            with pytest.raises(DirectoryError, match=r"t__id.idx.dat: .* 8999999991 bytes"):
                db.insert("t", {"id": 999_999_999, "text": "last"})
            db.insert("t", {"text": "two"})
            assert db.check().ok
            assert [row["id"] for row in db.find_all("t")] == [1, 2]

    assert limited(work) == 0


def test_a_log_that_may_not_grow_rolls_the_transaction_back(tmp_path: Path) -> None:
    def work() -> None:
        store = opened(tmp_path / "data", log_size_bytes=SMALL)
        with pytest.raises(DirectoryError, match="cannot grow the log"), store.transaction() as tx:
            store.create_files(["a.dat", "b.dat"])
            for name in ("a.dat", "b.dat"):
                tx.write(name, 0, b"x" * (LIMIT * 3 // 4))
        assert get(store) == b""
        put(store, b"after")
        assert get(store) == b"after"
        assert (tmp_path / "data" / LOG).stat().st_size < LIMIT
        store.close()

    assert limited(work) == 0


def test_a_log_that_may_not_be_made_is_a_directory_error_and_the_next_one_makes_it(
    tmp_path: Path,
) -> None:
    def work() -> None:
        with pytest.raises(DirectoryError, match="File too large"):
            opened(tmp_path / "data", log_size_bytes=2 * LIMIT)

    assert limited(work) == 0
    store = opened(tmp_path / "data", log_size_bytes=2 * LIMIT)
    put(store, b"x")
    assert get(store) == b"x"


def test_who_may_not_apply_what_others_committed_leaves_it_to_those_who_may(
    tmp_path: Path,
) -> None:
    path = tmp_path / "data"
    store = opened(path, log_size_bytes=SMALL)
    put(store, b"before")
    used = attachment(store)
    with exclusive(used.core, used.group, 20):
        append(used.core, used.group, FRAME, [Truncate("a.dat", LIMIT + 5)])

    def work() -> None:
        other = opened(path)
        with pytest.raises(CommittedNotApplied, match=f"File too large: '{path}/a.dat'"):
            put(other, b"mine", "a.dat", offset=2)
        for use in (get, lambda store: put(store, b"?"), Store.checkpoint):
            with pytest.raises(DirectoryError, match="nothing was done: an earlier, durable"):
                use(other)
        with pytest.raises(DirectoryError):
            other.close()

    assert limited(work) == 0
    assert get(store)[:6] == b"bemine"
    assert store.stats()["applied_lsn"] == store.stats()["end_lsn"]
    store.close()
    assert (path / "a.dat").stat().st_size == LIMIT + 5


def test_who_may_not_recover_leaves_the_log_to_those_who_may(tmp_path: Path) -> None:
    path = tmp_path / "data"
    seam = Seam()
    store = opened(path, seam, log_size_bytes=LIMIT // 2)
    put(store, b"before")
    seam.kill_before("truncate", "a.dat")
    with pytest.raises(Killed):
        put(store, b"far", offset=3 * LIMIT)
    frames = frames_in(path)

    def work() -> None:
        for _ in range(2):
            with pytest.raises(DirectoryError, match=f"File too large: '{path}/a.dat'"):
                opened(path)

    assert limited(work) == 0
    assert frames_in(path) == frames
    store = opened(path)
    with store.reading() as view:
        assert view.read("a.dat", 3 * LIMIT, 10) == b"far"
    assert store.recovery is not None
    assert store.recovery.frames >= 1


def test_a_limit_kills_no_python_program() -> None:
    assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN


def test_a_transaction_asks_once_and_one_without_changes_never(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path / "data", seam)
    put(store, b"x")
    before = seam.count("largest_size")
    with store.transaction() as tx:
        for place in range(50):
            tx.write("a.dat", 100 * place, b"x")
    assert seam.count("largest_size") == before + 1
    with store.transaction():
        pass
    get(store)
    assert seam.count("largest_size") == before + 1


@pytest.mark.parametrize("most", [0, 1, 4096, (1 << 32) - 1, LARGEST_FILE - 1, LARGEST_FILE])
def test_the_largest_size_is_the_furthest_place_that_the_file_system_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    def lseek(_fd: int, offset: int, _whence: int) -> int:
        if offset > most:
            raise OSError(22, os.strerror(22))
        return offset

    directory = POSIX.directory(str(tmp_path), create=False)
    file = directory.create("a.dat")
    assert file.largest_size() > 1 << 30
    monkeypatch.setattr(os, "lseek", lseek)
    assert file.largest_size() == most
    file.close()
    directory.close()
