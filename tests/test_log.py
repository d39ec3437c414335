"""The log file: made whole, read strictly, recycled."""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_wal.errors import CorruptionError
from bazanite_wal.frame import FRAME, HEADER_SIZE, encode_frame, initial_chain
from bazanite_wal.header import FRAMES_START, NO_BOOT
from bazanite_wal.log import LOG_NAME, Log, LogSettings, create_log, next_generation
from bazanite_wal.posix import POSIX


def made(path: Path) -> Log:
    directory = POSIX.directory(str(path), create=True)
    create_log(directory, POSIX, FRAMES_START + 1000)
    return Log.open(directory)


def test_a_new_log_is_empty_of_its_full_size_and_of_the_first_generation(tmp_path: Path) -> None:
    log = made(tmp_path)
    header = log.read_header()
    assert (header.generation, header.base, header.sector, header.boot) == (1, 0, 1, NO_BOOT)
    assert log.size() == FRAMES_START + 1000
    assert log.read(header, 0, 5000) == bytes(1000)
    assert [file.name for file in tmp_path.iterdir()] == [LOG_NAME]


def test_frames_are_read_back_and_a_bad_one_is_corruption_with_its_place(tmp_path: Path) -> None:
    log = made(tmp_path)
    header = log.read_header()
    first, chain = encode_frame(FRAME, 0, 0, initial_chain(header.salt), header.salt, b"")
    second, _ = encode_frame(FRAME, HEADER_SIZE, 0, chain, header.salt, b"truncate a.dat 1\n")
    log.write(header, 0, first + second)
    end = len(first + second)
    assert [frame.lsn for frame in log.frames(header, 0, end)] == [0, HEADER_SIZE]
    assert log.frames(header, HEADER_SIZE, end)[0].payload == b"truncate a.dat 1\n"
    assert log.frames(header, end, end) == []
    with pytest.raises(CorruptionError) as caught:
        log.frames(header, 0, end + 1)
    assert (caught.value.path, caught.value.offset) == (log.path, FRAMES_START + end)
    unchained, _ = encode_frame(FRAME, HEADER_SIZE, 0, "0" * 16, header.salt, b"")
    log.write(header, HEADER_SIZE, unchained)
    with pytest.raises(CorruptionError, match="does not follow"):
        log.frames(header, 0, 2 * HEADER_SIZE)


def test_a_log_grows_with_zeros_and_shrinks(tmp_path: Path) -> None:
    log = made(tmp_path)
    log.grow(FRAMES_START + 5000)
    log.sync()
    assert log.size() == FRAMES_START + 5000
    assert log.read(log.read_header(), 900, 5000) == bytes(4100)
    log.shrink(FRAMES_START + 1000)
    assert log.size() == FRAMES_START + 1000
    log.close()


def test_the_next_generation_has_another_salt_and_goes_into_the_other_slot(tmp_path: Path) -> None:
    log = made(tmp_path)
    first = log.read_header()
    second = next_generation(POSIX, first, 1000, LogSettings(4096, "f" * 36))
    log.write_header(second)
    assert log.read_header() == second
    assert second.salt != first.salt
    assert (second.generation, second.base, second.sector, second.boot) == (2, 1000, 4096, "f" * 36)
    assert {first.slot_offset, second.slot_offset} == {0, 4096}
    with open(tmp_path / LOG_NAME, "r+b") as file:
        file.seek(second.slot_offset)
        file.write(b"!")
    assert log.read_header() == first
    with open(tmp_path / LOG_NAME, "r+b") as file:
        file.write(bytes(FRAMES_START))
    with pytest.raises(CorruptionError):
        log.read_header()
