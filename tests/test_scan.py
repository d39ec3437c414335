"""Judging a log: clean, torn or corrupt, and never a frame that nobody wrote."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from bazanite_wal.frame import (
    FRAME,
    HEADER_SIZE,
    MARK,
    FrameError,
    Write,
    encode_frame,
    encode_operations,
    initial_chain,
)
from bazanite_wal.header import FRAMES_START, Header, encode_header
from bazanite_wal.scan import Scan, _length_without_zeros, frame_at, scan_generation, scan_log

SALT = b"saltsalt"


@dataclass
class Builder:
    """Writes frames as the log would."""

    header: Header = field(default_factory=lambda: Header(2, SALT, 1000))
    area: bytearray = field(default_factory=lambda: bytearray(20_000))
    ends: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.end = self.header.base
        self.chain = initial_chain(self.header.salt)

    def add(self, payload: bytes, *, watermark: int = 0, kind: bytes = FRAME) -> int:
        lsn = self.header.align(self.end)
        data, self.chain = encode_frame(kind, lsn, watermark, self.chain, self.header.salt, payload)
        self.area[lsn - self.header.base : lsn - self.header.base + len(data)] = data
        self.end = lsn + len(data)
        self.ends.append(self.end)
        return lsn

    def write(self, data: bytes, *, watermark: int = 0) -> int:
        return self.add(encode_operations([Write("a.dat", 0, data)]), watermark=watermark)

    def scan(self) -> Scan:
        return scan_generation(bytes(self.area), self.header)

    def log(self) -> bytes:
        data = bytearray(FRAMES_START)
        line = encode_header(self.header)
        data[self.header.slot_offset : self.header.slot_offset + len(line)] = line
        return bytes(data + self.area)


def test_a_log_without_frames_is_clean() -> None:
    scan = Builder().scan()
    assert (scan.frames, scan.end, scan.tail, scan.detail) == ((), 1000, "clean", "")


@pytest.mark.parametrize("sector", [1, 4096])
def test_whole_frames_are_found_up_to_the_end(sector: int) -> None:
    log = Builder(Header(2, SALT, 8192, sector))
    lsns = [log.write(b"x" * size) for size in (1, 500, 30)]
    scan = log.scan()
    assert [frame.lsn for frame in scan.frames] == lsns
    assert (scan.end, scan.chain, scan.tail) == (log.end, log.chain, "clean")
    assert all((lsn - 8192) % sector == 0 for lsn in lsns)


def test_every_flipped_bit_of_a_log_is_a_shorter_log_or_corruption_never_another_frame() -> None:
    log = Builder(area=bytearray(600))
    log.write(b"one")
    log.write(b"two", watermark=log.end)
    log.write(b"three", watermark=log.ends[0])
    good = log.scan().frames
    for bit in range((log.end - 1000) * 8):
        damaged = bytearray(log.area)
        damaged[bit // 8] ^= 1 << bit % 8
        scan = scan_generation(bytes(damaged), log.header)
        hit = sum(1000 + bit // 8 >= end for end in log.ends)
        assert scan.frames == good[:hit]
        # only the first frame is covered by a later watermark; the last leaves a torn tail
        assert scan.tail == ("corrupt", "torn", "torn")[hit], bit


def test_a_frame_cut_at_any_byte_is_a_torn_tail_or_as_if_never_written() -> None:
    log = Builder()
    log.write(b"first")
    cut = log.end
    log.write(b"second")
    for end in range(cut, log.end):
        area = bytes(log.area[: end - 1000]) + bytes(100)
        scan = scan_generation(area, log.header)
        assert scan.end == cut
        # Less than the whole LSN tells nothing, and there is nothing to tell of.
        assert scan.tail == ("torn" if end - cut >= 26 else "clean") or end - cut in range(6, 26)


def test_a_bad_frame_that_a_later_watermark_covers_is_corruption() -> None:
    log = Builder()
    log.write(b"one")
    bad = log.write(b"two")
    log.add(b"", watermark=log.end, kind=MARK)
    log.area[bad - 1000 + HEADER_SIZE + 5] ^= 1
    scan = log.scan()
    assert (scan.tail, scan.bad_lsn, scan.end) == ("corrupt", bad, bad)
    assert scan.bad_offset == FRAMES_START + bad - 1000
    assert f"durable up to LSN {log.ends[1]}" in scan.detail


def test_a_bad_frame_that_nothing_covers_is_a_torn_tail_and_what_follows_is_counted() -> None:
    log = Builder()
    log.write(b"one")
    bad = log.write(b"two")
    log.write(b"three", watermark=bad)
    log.write(b"four", watermark=bad)
    log.area[bad - 1000 + HEADER_SIZE + 5] ^= 1
    scan = log.scan()
    assert (scan.tail, len(scan.frames), scan.dropped_frames) == ("torn", 1, 2)


def test_a_later_line_whose_own_payload_is_torn_still_proves_the_corruption() -> None:
    log = Builder()
    log.write(b"one")
    bad = log.write(b"two")
    last = log.write(b"six", watermark=log.end)
    log.area[bad - 1000 + HEADER_SIZE + 5] ^= 1
    log.area[last - 1000 + HEADER_SIZE :] = bytes(len(log.area[last - 1000 + HEADER_SIZE :]))
    scan = log.scan()
    assert (scan.tail, scan.bad_lsn, scan.dropped_frames) == ("corrupt", bad, 1)
    assert f"the frame at LSN {last} says" in scan.detail
    log.area[last - 1000 + 41] ^= 1  # its watermark
    assert log.scan().tail == "torn"


def test_a_later_line_alone_tells_that_the_tail_is_torn() -> None:
    log = Builder()
    log.write(b"one")
    bad = log.write(b"two")
    last = log.write(b"six", watermark=bad)
    log.area[bad - 1000 : last - 1000] = bytes(last - bad)
    log.area[last - 1000 + HEADER_SIZE] ^= 1
    scan = log.scan()
    assert (scan.tail, scan.bad_lsn, scan.dropped_frames) == ("torn", bad, 1)


@pytest.mark.parametrize("sector", [1, 512])
@pytest.mark.parametrize("seed", range(200))
def test_no_power_cut_looks_like_corruption_or_takes_a_durable_frame(
    seed: int, sector: int
) -> None:
    """Of the bytes since the last sync, each sector is any version that was ever written to it."""
    rng = random.Random(seed)
    log = Builder(Header(2, SALT, 1000, sector), bytearray(1 << 14))
    older = Builder(Header(1, b"old salt", 1000, sector), log.area)
    while older.end < 1000 + 12_000:
        older.write(b"o" * rng.randrange(900), watermark=older.end)
    durable, durable_frames = 1000, 0
    versions = [bytes(log.area)]
    for _ in range(rng.randrange(2, 12)):
        payload = encode_operations([Write("a.dat", 0, b"n" * rng.randrange(900))])
        if rng.random() < 0.3:  # a write that fails half-way, is rolled back, and overwritten
            before = log.end, log.chain, bytes(log.area)
            start = log.add(payload, watermark=durable) - 1000
            end = log.end - 1000
            log.ends.pop()
            log.end, log.chain, cut = *before[:2], rng.randrange(start, end)
            log.area[cut:] = before[2][cut:]
        elif rng.random() < 0.3:
            versions = [bytes(log.area)]
            durable, durable_frames = log.end, len(log.ends)
        else:
            log.add(payload, watermark=durable)
        versions.append(bytes(log.area))
    area = b"".join(
        rng.choice(versions)[place : place + 512] for place in range(0, len(log.area), 512)
    )
    scan = scan_generation(area, log.header)
    assert scan.tail != "corrupt"
    assert len(scan.frames) >= durable_frames
    assert [frame.end for frame in scan.frames] == log.ends[: len(scan.frames)]


def test_frames_of_an_older_generation_never_validate() -> None:
    old = Builder(Header(1, b"old salt", 0))
    for number in range(5):
        old.write(b"%d" % number, watermark=old.end)
    for base in (0, 1000):  # even if LSNs began again, the salt would tell
        scan = scan_generation(bytes(old.area), Header(2, SALT, base))
        assert (scan.frames, scan.end) == ((), base)


def test_a_frame_forged_inside_a_value_never_validates() -> None:
    log = Builder()
    inner = Builder(Header(2, b"guessed!", 1000))
    start = log.write(b"x") + HEADER_SIZE + len(b"write a.dat 0 1\n")
    inner.end = start
    inner.write(b"forged", watermark=1 << 40)
    log = Builder()
    bad = log.write(bytes(inner.area[start - 1000 : inner.end - 1000]))
    assert len(log.scan().frames) == 1
    log.area[bad - 1000 + 80] ^= 1
    scan = log.scan()
    assert (scan.frames, scan.dropped_frames, scan.tail) == ((), 0, "torn")


def test_a_frame_that_does_not_name_its_predecessor_ends_the_log() -> None:
    # Written by a process that died, overwritten by an equally long one, back after a power cut.
    log, ghost = Builder(), Builder()
    log.write(b"real")
    log.write(b"next")
    log.write(b"last")
    ghost.write(b"dead")
    log.area[: ghost.end - 1000] = ghost.area[: ghost.end - 1000]
    scan = log.scan()
    assert [frame.checksum for frame in scan.frames] == [ghost.chain]
    assert (scan.tail, scan.dropped_frames) == ("torn", 1)


def test_a_checksummed_frame_that_cannot_be_understood_is_corruption() -> None:
    log = Builder()
    log.write(b"fine")
    bad = log.add(b"rename a.dat b.dat\n")
    scan = log.scan()
    assert (scan.tail, scan.bad_lsn, len(scan.frames)) == ("corrupt", bad, 1)
    assert "unknown operation" in scan.detail


def test_a_log_whose_newest_header_is_lost_is_corrupt_at_that_slot() -> None:
    log = Builder(Header(3, SALT, 5000))
    log.write(b"of generation 3")
    older = encode_header(Header(2, b"22222222", 0))
    data = bytearray(log.log())
    data[: len(older)] = older
    assert scan_log(bytes(data)).tail == "clean"  # type: ignore[union-attr]
    data[4096:4296] = bytes(200)
    scan = scan_log(bytes(data))
    assert scan is not None
    assert (scan.tail, scan.bad_offset) == ("corrupt", 4096)
    assert "later generation" in scan.detail


def test_a_log_without_a_valid_header_has_no_verdict() -> None:
    assert scan_log(b"") is None
    assert scan_log(bytes(20_000)) is None
    assert scan_log(Builder().log()) is not None


def test_looking_for_one_frame_checks_its_predecessor_only_if_it_is_known() -> None:
    log = Builder()
    log.write(b"one")
    area = bytes(log.area)
    assert frame_at(area, 1000, log.header, 1000, None).end == log.end
    with pytest.raises(FrameError, match="does not follow"):
        frame_at(area, 1000, log.header, 1000, "0" * 16)


@pytest.mark.parametrize("zeros", [0, 1, 65_535, 65_536, 65_537, 150_000])
@pytest.mark.parametrize("data", [b"", b"x", bytes(65_535) + b"x", b"x" * 65_536 + b"\0y"])
def test_the_zeros_at_a_logs_end_are_left_out_whatever_their_number(
    data: bytes, zeros: int
) -> None:
    assert _length_without_zeros(data + bytes(zeros)) == len(data)
