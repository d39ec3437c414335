"""Whole reads and writes over calls that may be short or interrupted."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

import pytest

from bazanite_wal.io import read_up_to, write_all, write_zeros


@dataclass
class Choppy:
    """A file that moves at most ``most`` bytes a call and is interrupted every second one."""

    most: int = 3
    data: bytearray = field(default_factory=bytearray)
    calls: int = 0

    def _interrupted(self) -> None:
        self.calls += 1
        if self.calls % 2:
            raise InterruptedError

    def read_at(self, size: int, offset: int) -> bytes:
        self._interrupted()
        return bytes(self.data[offset : offset + min(size, self.most)])

    def write_at(self, data: bytes | memoryview, offset: int) -> int:
        self._interrupted()
        part = bytes(data[: self.most])
        self.data.extend(bytes(max(0, offset - len(self.data))))
        self.data[offset : offset + len(part)] = part
        return len(part)

    def size(self) -> int:
        return len(self.data)

    def identity(self) -> int:
        return id(self)

    def next_data(self, offset: int) -> int | None:
        return offset

    def largest_size(self) -> int:
        return 1 << 40

    def truncate(self, size: int) -> None: ...
    def sync_data(self) -> None: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...


@pytest.mark.parametrize("most", [1, 3, 7, 100])
def test_short_and_interrupted_calls_are_continued(most: int) -> None:
    file = Choppy(most)
    write_all(file, b"0123456789", 2)
    assert file.data == b"\0\x000123456789"
    assert read_up_to(file, 10, 2) == b"0123456789"
    assert read_up_to(file, 99, 8) == b"6789"
    assert read_up_to(file, 9, 50) == b""
    assert read_up_to(file, 0, 0) == b""


def test_a_write_that_moves_nothing_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(OSError, match="wrote nothing") as caught:
        write_all(Choppy(0), b"x", 0)
    assert caught.value.errno == errno.ENOSPC


def test_writing_nothing_calls_nothing() -> None:
    file = Choppy()
    write_all(file, b"", 0)
    write_zeros(file, 5, 5)
    assert file.calls == 0


def test_zeros_are_written_up_to_the_end_and_not_beyond() -> None:
    file = Choppy(1 << 20, bytearray(b"x" * 10))
    write_zeros(file, 4, (2 << 20) + 6)
    assert file.data == b"xxxx" + bytes((2 << 20) + 2)
