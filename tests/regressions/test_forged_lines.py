"""A value full of text that looks like header lines once made looking at a log quadratic.

A frame of 950 KB was torn whose TEXT was full of header lines, each with the log position at which
it stood.  Behind a bad frame whole later frames were looked for, and the length in each of those
lines was believed until the payload had been hashed: opening the directory took half a minute.  Now
a line has a check of its own, and no payload behind the bad frame is hashed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite_tools.cli import main
from bazanite_wal import frame, shared
from bazanite_wal.frame import HEADER_SIZE
from bazanite_wal.offline import open_offline
from bazanite_wal.store import Store
from seam import Killed, Seam
from store_support import LOG, core, get, opened, put, word

VALUE_SIZE = 100_000
LIMIT = 4 * VALUE_SIZE
LOG_SIZE = 1 << 18  # twice the value: no checkpoint comes between


class CountingHash:
    """BLAKE2b as the frames use it, which adds up the bytes that it is given."""

    bytes_hashed = 0

    def __init__(self, data: bytes, *, digest_size: int, key: bytes) -> None:
        self._hash = hashlib.blake2b(digest_size=digest_size, key=key)
        self.update(data)

    def update(self, data: bytes) -> None:
        CountingHash.bytes_hashed += len(data)
        self._hash.update(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many bytes were hashed since it was called last."""
    monkeypatch.setattr(frame, "blake2b", CountingHash)

    def since() -> int:
        count, CountingHash.bytes_hashed = CountingHash.bytes_hashed, 0
        return count

    return since


def short(lsn: int, length: int) -> bytes:
    return b"FRAME %020d %012d\n" % (lsn, length)


def whole(lsn: int, length: int) -> bytes:
    line = b"MARK  %020d %012d %020d %016x %016x %016x\n"
    return line % (lsn, length, 1 << 50, lsn, lsn, lsn)


FORGERIES = pytest.mark.parametrize("line", [short, whole])


def forged(store: Store, line: Callable[[int, int], bytes]) -> bytes:
    """A value of lines, each with the LSN at which it will stand and a payload up to the end."""
    step = len(line(0, 0))
    size = VALUE_SIZE // step * step
    first = word(store, shared.END) + HEADER_SIZE + len(b"write a.dat 0 %d\n" % size)
    places = range(0, size, step)
    return b"".join(line(first + place, max(size - place - 2 * step, 0)) for place in places)


def torn(path: Path, line: Callable[[int, int], bytes]) -> Path:
    """A directory whose process died; its last frame lacks only the last byte."""
    seam = Seam()
    store = opened(path, seam, log_size_bytes=LOG_SIZE)
    put(store, b"acknowledged")
    value = forged(store, line)
    end = put(store, value)
    place = core(store).header.file_offset(end) - 1
    seam.kill()
    log = bytearray((path / LOG).read_bytes())
    assert log[place - 1 : place + 1] == b"\n\n"
    log[place] = 0
    (path / LOG).write_bytes(log)
    (path / "a.dat").write_bytes(b"")
    (path / ".shared").unlink()  # it would witness that the frame was durable once
    return path


@FORGERIES
def test_opening_hashes_only_a_few_times_the_value(
    tmp_path: Path, hashed: Callable[[], int], line: Callable[[int, int], bytes]
) -> None:
    torn(tmp_path, line)
    hashed()
    store = opened(tmp_path, Seam(), log_size_bytes=LOG_SIZE)
    assert VALUE_SIZE < hashed() < LIMIT
    assert store.recovery is not None
    assert (store.recovery.torn, store.recovery.dropped_frames) == (True, 0)
    assert get(store) == b"acknowledged"


@FORGERIES
def test_looking_hashes_only_a_few_times_the_value(
    tmp_path: Path, hashed: Callable[[], int], line: Callable[[int, int], bytes]
) -> None:
    torn(tmp_path, line)
    hashed()
    with open_offline(str(tmp_path)) as found:
        assert found.scan is not None
        assert (found.scan.tail, len(found.scan.frames)) == ("torn", 1)
    assert VALUE_SIZE < hashed() < LIMIT
    for command in (["wal", "verify"], ["wal", "show"], ["info"]):
        assert main([*command, str(tmp_path)]) == 0
        assert VALUE_SIZE < hashed() < LIMIT
    main(["check", str(tmp_path)])  # a.dat belongs to no table, so it finds fault
    assert VALUE_SIZE < hashed() < LIMIT


@FORGERIES
def test_a_repair_hashes_only_a_few_times_the_value(
    tmp_path: Path, hashed: Callable[[], int], line: Callable[[int, int], bytes]
) -> None:
    dying = Seam()
    first = opened(tmp_path, dying, log_size_bytes=LOG_SIZE)
    second = opened(tmp_path, Seam(), log_size_bytes=LOG_SIZE)
    put(second, b"acknowledged")
    value, end = forged(first, line), word(second, shared.END)

    def tear() -> None:
        operation = b"write a.dat 0 %d\n" % len(value)
        with open(tmp_path / LOG, "r+b") as file:
            file.seek(core(second).header.file_offset(end) + HEADER_SIZE)
            assert file.read(len(operation)) == operation
            file.seek(len(value), 1)
            file.write(b"\0")
        dying.kill()
        raise Killed

    dying.when("write_at", LOG, tear, after=True)
    with pytest.raises(Killed):
        put(first, value)
    hashed()
    assert get(second) == b"acknowledged"
    assert VALUE_SIZE < hashed() < LIMIT
    assert second.stats()["repairs"] == 1
