"""What the logger ``bazanite`` tells an operator: each event once, and nothing else."""

from __future__ import annotations

import errno
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    DB,
    INT,
    PK,
    TEXT,
    AddColumn,
    AddIndex,
    Field,
    Migration,
    PoisonedError,
    Schema,
    Table,
)
from bazanite.errors import CommitUncertain, LockTimeout, NetworkFileSystemError
from bazanite_wal import shared
from bazanite_wal.telling import PUT_OFF, SLOW_SECONDS
from seam import Killed, Seam
from store_support import LOG, attachment, get, opened, put

ROOT = Path(__file__).resolve().parent.parent


class Rows(Table):
    name = "rows"
    schema = Schema([Field("id", PK()), Field("n", INT()), Field("text", TEXT(null=True))])


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "bazanite")


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """(level, event) of what was told since the last time."""
    found = [(r.levelname, getattr(r, "event", "?")) for r in caplog.records]
    assert {record.name for record in caplog.records} <= {"bazanite"}
    return found


def said(caplog: pytest.LogCaptureFixture, event: str) -> str:
    """The text of the one record of this event."""
    (text,) = [r.getMessage() for r in caplog.records if getattr(r, "event", "") == event]
    return text


def test_a_quiet_life_is_told_at_debug_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(first, b"x")
    first.checkpoint()
    second.close()
    first.close()
    assert events(caplog) == [
        ("DEBUG", "opened"), ("DEBUG", "opened"), ("DEBUG", "checkpoint"), ("DEBUG", "closed"),
        ("DEBUG", "checkpoint"), ("DEBUG", "closed"),  # of the mark that the first to leave made
    ]  # fmt: skip
    assert "as the first process" in caplog.text
    assert "beside other processes" in caplog.text


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_calls_to_which_nothing_happens_never_ask_the_logger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    db = DB([Rows], tmp_path, durability=durability)

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("logged")

    monkeypatch.setattr("bazanite_wal.telling.suppress", lambda *_: pytest.raises(AssertionError))
    monkeypatch.setattr(logging.Logger, "log", forbidden)
    monkeypatch.setattr(logging.Logger, "isEnabledFor", forbidden)
    for number in range(10):
        db.insert("rows", {"n": number})
        with db.transaction():
            db.update_by_id("rows", 1, {"n": number})
        db.find_by_id("rows", 1)
        db.find_all("rows")
        db.stats()
    monkeypatch.undo()
    db.close()


def test_a_recovery_says_what_it_redid_and_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"one")
    end = put(store, b"two")
    place = attachment(store).core.header.file_offset(end)
    seam.kill()
    with open(tmp_path / LOG, "r+b") as file:
        file.seek(place)
        file.write(b"FRAME %020d" % end)
    caplog.clear()
    opened(tmp_path, Seam())
    assert events(caplog) == [("INFO", "recovered")]
    told = said(caplog, "recovered")
    assert re.search(r"redid 2 transactions; dropped a torn transaction and 0 behind it", told)
    assert str(tmp_path) in told


def test_what_a_dead_holder_left_is_told_with_its_pid(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dying = Seam()
    holder, survivor = opened(tmp_path, dying), opened(tmp_path, Seam())
    put(holder, b"x")
    dying.kill_before("store", str(shared.END))
    with pytest.raises(Killed):
        put(holder, b"y")
    caplog.clear()
    get(survivor)
    assert events(caplog) == [("INFO", "repaired")]
    assert f"pid {dying.pid} died" in said(caplog, "repaired")


def test_the_frames_of_a_dead_syncer_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dying = Seam()
    holder, survivor = opened(tmp_path, dying), opened(tmp_path, Seam())
    put(holder, b"x")
    dying.kill_before("sync_data", LOG)
    with pytest.raises(Killed):
        put(holder, b"y")
    caplog.clear()
    put(survivor, b"z")
    assert ("INFO", "written again") in events(caplog)
    assert f"pid {dying.pid} died in a sync" in said(caplog, "written again")


@pytest.mark.parametrize("operation,name", [("sync_data", LOG), ("sync", "a.dat")])
def test_a_failed_sync_is_an_error_with_its_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, operation: str, name: str
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"x")
    seam.fail(operation, name, OSError(errno.EIO, "Input/output error"))
    caplog.clear()
    with pytest.raises(PoisonedError):
        put(store, b"y")
        store.checkpoint()
    assert ("ERROR", "poisoned") in events(caplog)
    assert "[Errno 5] Input/output error" in said(caplog, "poisoned")


def test_a_failed_sync_of_the_directory_is_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    seam.fail("sync", ".", OSError(errno.EIO, "Input/output error"))
    with pytest.raises(PoisonedError):
        put(store, b"x", "b.dat")
    assert "[Errno 5] Input/output error" in said(caplog, "poisoned")
    store.close()
    caplog.clear()
    opened(tmp_path, Seam())
    assert ("INFO", "names made anew") in events(caplog)


def test_a_commit_that_nobody_confirms_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = opened(tmp_path, Seam())
    second = opened(tmp_path, Seam(), commit_timeout=0.01)
    with attachment(first).group.right_to_sync(), pytest.raises(CommitUncertain):
        put(second, b"x")
    assert ("ERROR", "commit uncertain") in events(caplog)


@pytest.mark.parametrize("archived", [False, True])
def test_a_checkpoint_that_is_put_off_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, archived: bool
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, checkpoint_bytes=1)
    if archived:
        store.archive(1 << 20)
        (segment,) = tmp_path.glob("wal.0*.archive")
        seam.fail("write_at", segment.name, OSError(errno.ENOSPC, "No space left on device"))
    else:
        seam.fail("list", ".", OSError(errno.EMFILE, "Too many open files"))
    caplog.clear()
    put(store, b"y")
    assert ("WARNING", "checkpoint put off") in events(caplog)
    told = said(caplog, "checkpoint put off")
    assert ("No space left" if archived else "Too many open files") in told
    assert get(store) == b"y"


def test_a_long_wait_is_a_warning_with_the_holder_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam = Seam(steady=True)
    holder, waiter = opened(tmp_path, Seam()), opened(tmp_path, seam, lock_timeout=20)
    slept = 0.0

    def nap(seconds: float) -> None:
        nonlocal slept
        slept += 0.5
        seam._slept += 0.5

    monkeypatch.setattr(seam, "sleep", nap)
    with holder.lock():
        caplog.clear()
        with pytest.raises(LockTimeout):
            get(waiter)
    assert slept >= 20
    assert events(caplog) == [("WARNING", "lock wait")]
    told = said(caplog, "lock wait")
    assert re.search(r"waited 3\.[05] s for the lock, held by pid \d+ \(process", told)


def test_a_wait_that_is_not_long_is_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    holder, waiter = opened(tmp_path, Seam()), opened(tmp_path, Seam(), lock_timeout=0.05)
    with holder.lock():
        caplog.clear()
        with pytest.raises(LockTimeout):
            get(waiter)
        assert events(caplog) == []


def test_who_held_the_lock_for_long_tells_of_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seam = Seam(steady=True)
    store = opened(tmp_path, seam)
    caplog.clear()
    with store.lock():
        seam._slept += SLOW_SECONDS - 0.1
    assert events(caplog) == []
    with store.lock():
        seam._slept += SLOW_SECONDS
    assert events(caplog) == [("WARNING", "lock held")]
    assert "held it 3.0 s" in said(caplog, "lock held")


def test_a_slow_sync_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seam = Seam(steady=True)
    store = opened(tmp_path, seam)
    put(store, b"x")
    caplog.clear()

    def drag() -> None:
        seam._slept += 4

    seam.when("sync_data", LOG, drag)
    put(store, b"y")
    assert ("WARNING", "slow sync") in events(caplog)
    assert "took 4.0 s" in said(caplog, "slow sync")
    caplog.clear()
    seam.when("sync", "a.dat", drag)
    store.checkpoint()
    assert "a sync of its table files took 4.0 s" in said(caplog, "slow sync")
    assert ("DEBUG", "checkpoint") in events(caplog)


def test_a_log_that_grows_and_segments_that_go_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(tmp_path, Seam(), log_size_bytes=8192)
    store.archive(4096)
    put(store, bytes(20_000))
    assert ("INFO", "log grown") in events(caplog)
    assert "for a transaction of 20" in said(caplog, "log grown")
    for number in range(8):
        put(store, bytes([number + 1]) * 3000)
        store.checkpoint()
    assert ("INFO", "segment removed") in events(caplog)


def test_migrations_are_told_one_by_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    steps = [AddColumn("rows", Field("m", INT(null=True))), AddIndex("rows", "n")]
    with DB([Rows], tmp_path) as db:
        db.insert("rows", {"n": 1})
        db.migrate([Migration(1, "more", steps)])
    texts = [r.getMessage() for r in caplog.records if getattr(r, "event", "") == "migrated"]
    assert [text.partition(": ")[2] for text in texts] == [
        "migration 1 (more): 1 of 2 steps are made",
        "migration 1 (more): 2 of 2 steps are made",
    ]


def test_risks_that_somebody_took_are_warnings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NetworkFileSystemError):
        opened(tmp_path, Seam(file_system="nfs4"))
    assert events(caplog) == []
    store = opened(tmp_path, Seam(file_system="nfs4"), allow_network_fs=True)
    put(store, b"{}", "schema.json")
    store.close()
    assert ("WARNING", "network file system") in events(caplog)
    (tmp_path / LOG).unlink()
    opened(tmp_path, Seam(), accept_unsafe=True)
    assert "without the log, which is missing" in said(caplog, "unsafe accepted")


class Broken(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        raise RuntimeError("a program's own filter")


def test_a_filter_that_raises_is_no_error_of_the_databases(tmp_path: Path) -> None:
    logger, broken = logging.getLogger("bazanite"), Broken()
    logger.addFilter(broken)
    try:
        store = opened(tmp_path, Seam(), log_size_bytes=8192)
        put(store, bytes(20_000))
        store.checkpoint()
        store.close()
    finally:
        logger.removeFilter(broken)
    assert get(opened(tmp_path, Seam())) == bytes(20_000)


def test_a_handler_that_uses_the_database_is_refused_and_nothing_hangs(tmp_path: Path) -> None:
    found: list[Any] = []

    class Recursive(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                found.append(get(store))
            except Exception as error:
                found.append(type(error).__name__)

    store = opened(tmp_path, Seam(), log_size_bytes=8192)
    handler = Recursive(logging.INFO)
    logging.getLogger("bazanite").addHandler(handler)
    try:
        put(store, bytes(20_000))
    finally:
        logging.getLogger("bazanite").removeHandler(handler)
    assert found == ["TransactionError"]
    assert get(store) == bytes(20_000)


def test_no_handler_is_installed_and_every_event_is_documented() -> None:
    source = "\n".join(
        path.read_text("utf-8")
        for folder in ("wal", "engine")
        for path in (ROOT / folder).rglob("*.py")
    )
    told = set(re.findall(r'tell\(\s*[\w ]+,\s*"([^"]+)"', source)) | PUT_OFF
    assert len(told) >= 15
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert {event for event in told if f"| `{event}` |" not in page} == set()
    assert "Handler(" not in source
