"""A log that somebody wrote by hand, with right checksums: its salt is there to be read.

Whoever can do that owns the database, but must not reach beyond it: nothing outside the directory
is read or written, errors are typed, and the memory that it takes is in proportion to the log.
Found by it: a change up to behind the end of any file was tried, and looking at a fill of a GiB,
which takes 30 bytes of log, took two GiB.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bazanite import DB, INT, PK, Changes, DBError, Field, Schema, Table
from bazanite_tools.cli import main
from bazanite_wal.frame import FRAME, LARGEST_FILE, FrameError, decode_operations, encode_frame
from bazanite_wal.layer import PAGE_SIZE, PageLayer
from bazanite_wal.scan import scan_log
from seam import Seam

LOOKS = (["check"], ["info"], ["wal", "show"], ["wal", "verify"], ["wal", "archive"], ["tables"])


class Rows(Table):
    name = "t"
    schema = Schema([Field("id", PK()), Field("n", INT())])


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    seam = Seam()
    path = tmp_path / "data"
    db = DB([Rows], path, system=seam, log_size_bytes=1 << 16)
    db.insert_many("t", [{"n": n} for n in range(10)])
    seam.kill()
    return path


@pytest.fixture
def little_memory() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def forge(path: Path, payload: bytes) -> None:
    """Add a frame with this payload, as the engine would have written it."""
    log = bytearray((path / "wal.log").read_bytes())
    scan = scan_log(bytes(log))
    assert scan is not None
    frame, _ = encode_frame(FRAME, scan.end, scan.end, scan.chain, scan.header.salt, payload)
    place = scan.header.file_offset(scan.end)
    log[place : place + len(frame)] = frame
    (path / "wal.log").write_bytes(log)


NAMES = [
    b"../outside.dat", b"/tmp/outside.dat", b"a/b.dat", b".lock", b"wal.log", b"wal.log.new",
    b".shared", b"..", b"x\0.dat", b"-x.dat", b"t.dat\r", b"x" * 256 + b".dat", b"",
]  # fmt: skip
HUGE = str(LARGEST_FILE).encode()
PAYLOADS = [
    *(b"write %s 0 1\nx\n" % name for name in NAMES),
    *(b"truncate %s 5\n" % name for name in NAMES),
    *(b"fill %s 0 2a 5\n" % name for name in NAMES),
    b"fill t.dat 0 2a %d\n" % ((1 << 30) + 1), b"fill t.dat %s 2a 5\n" % HUGE,
    b"write t.dat %s 1\nx\n" % HUGE, b"write t.dat -1 1\nx\n", b"write t.dat 0 99999999999\nx\n",
    b"truncate t.dat 9999999999999999999\n", b"write t.dat %s 1\nx\n" % (b"9" * 30), b"garbage",
    b"remove t.dat\n", b"write t.dat 0 1", bytes(range(256)) * 10,
]  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_that_no_transaction_has_is_not_decoded(payload: bytes) -> None:
    with pytest.raises(FrameError):
        decode_operations(payload)


@pytest.mark.parametrize("payload", [PAYLOADS[0], PAYLOADS[-1], b"write nosuch.dat 0 1\nx\n"])
def test_such_a_log_is_refused_and_nothing_outside_is_written(killed: Path, payload: bytes) -> None:
    forge(killed, payload)
    before = {file.name: file.read_bytes() for file in killed.glob("*.dat")}
    for _ in range(2):
        with pytest.raises(DBError):
            DB([Rows], killed)
    with suppress(DBError):  # who only reads needs no file for what was written into it
        DB.open(killed, read_only=True).find_all("t")
    for command in LOOKS:
        assert main([*command, str(killed)]) in (0, 1)
    with suppress(DBError), Changes(killed) as changes:  # it may not be durable yet
        list(changes.read())
    assert {file.name: file.read_bytes() for file in killed.glob("*.dat")} == before
    assert os.listdir(killed.parent) == ["data"]


class Base:
    """A view of nothing."""

    def read(self, name: str, offset: int, size: int) -> bytes:
        return b"."[:0]

    def size(self, name: str) -> int:
        return 0

    def next_data(self, name: str, offset: int) -> int | None:
        return None


def test_long_fills_take_little_memory_and_show_what_short_ones_do(little_memory: None) -> None:
    layer = PageLayer(Base())
    for number in range(20):
        layer.fill("a", 7 + (number % 3), 65 + number, 1 << 30)
    assert layer.size("a") == 7 + 2 + (1 << 30)
    assert layer.read("a", 0, 12) == b"\0" * 7 + b"ST" + b"T" * 3
    assert layer.read("a", (1 << 30) + 5, 99) == b"TTTR"


@pytest.mark.parametrize("count", [0, 1, PAGE_SIZE, 16 * PAGE_SIZE - 1, 16 * PAGE_SIZE + 3, 99_999])
@pytest.mark.parametrize("offset", [0, 1, PAGE_SIZE - 1, PAGE_SIZE, 3 * PAGE_SIZE + 17])
def test_a_fill_of_any_length_is_that_write_and_can_be_written_over(
    offset: int, count: int
) -> None:
    filled, written = PageLayer(Base()), PageLayer(Base())
    for layer in (filled, written):
        layer.write("a", 2 * PAGE_SIZE, b"before" * 2000)
    filled.fill("a", offset, 42, count)
    written.write("a", offset, b"*" * count)
    for layer in (filled, written):
        layer.write("a", offset + count // 2, b"after")
        layer.truncate("a", max(1, offset + count - 100))
        layer.write("a", offset + count + 100, b"end")
    assert filled.size("a") == written.size("a")
    assert filled.read("a", 0, 1 << 20) == written.read("a", 0, 1 << 20)


def test_changes_that_no_memory_holds_are_a_typed_error(
    killed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(PageLayer, "apply", full)
    assert main(["check", str(killed)]) == 1
    assert "fit in memory" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "info", "checkpoint"])
def test_a_fill_of_a_gibibyte_is_looked_at_within_the_same_memory(
    killed: Path, little_memory: None, command: str
) -> None:
    forge(killed, b"fill unrelated.dat 0 2a %d\n" % (1 << 30))
    assert main([command, str(killed)]) in (0, 1, 2)


@pytest.mark.parametrize("size", [1 << 33, 1 << 40])
def test_a_log_without_an_end_is_a_typed_error_for_followers_too(
    killed: Path, little_memory: None, size: int
) -> None:
    (killed / ".shared").unlink()
    os.truncate(killed / "wal.log", size)
    with pytest.raises(DBError), Changes(killed) as changes:
        list(changes.read())
    with pytest.raises(DBError):
        DB([Rows], killed)
