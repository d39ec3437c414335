"""The log's header codec: two slots, of which the newest valid one counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite_wal.header import (
    FRAMES_START,
    LINE_SIZE,
    NO_BOOT,
    SLOT_SPACING,
    Header,
    decode_header,
    encode_header,
    newest_header,
)

BOOT = "12345678-1234-1234-1234-123456789abc"

headers = st.builds(
    Header,
    st.integers(0, 1 << 63),
    st.binary(min_size=8, max_size=8),
    st.integers(0, 1 << 63),
    st.sampled_from([1, 512, 4096]),
    st.sampled_from([NO_BOOT, BOOT]),
)


def slots(*present: Header) -> bytes:
    data = bytearray(FRAMES_START)
    for header in present:
        line = encode_header(header)
        data[header.slot_offset : header.slot_offset + len(line)] = line
    return bytes(data)


@given(headers)
def test_a_header_reads_back_as_what_was_written(header: Header) -> None:
    line = encode_header(header)
    assert len(line) == LINE_SIZE
    assert decode_header(line + bytes(100)) == header
    assert newest_header(slots(header)) == header


def test_a_header_is_one_readable_line() -> None:
    line = encode_header(Header(3, bytes(range(8)), 4096)).decode()
    assert line.startswith(
        "BAZANITE-LOG 1 generation=00000000000000000003 salt=0001020304050607"
        " base=00000000000000004096 sector=0001 state=safe boot=-----"
    )
    assert line.endswith("\n")


def test_every_flipped_bit_of_a_header_is_found() -> None:
    line = encode_header(Header(3, bytes(8), 0, 4096, BOOT))
    for bit in range(len(line) * 8):
        damaged = bytearray(line)
        damaged[bit // 8] ^= 1 << bit % 8
        assert decode_header(bytes(damaged)) is None


@pytest.mark.parametrize("number", range(1, 9))
def test_the_newest_valid_slot_wins(number: int) -> None:
    older, newer = Header(number, bytes(8), 10), Header(number + 1, b"01234567", 20)
    data = bytearray(slots(older, newer))
    assert newest_header(bytes(data)) == newer
    assert newest_header(bytes(data[:200])) == (older if number % 2 == 0 else newer)
    data[newer.slot_offset + 50] ^= 1
    assert newest_header(bytes(data)) == older
    data[older.slot_offset + 50] ^= 1
    assert newest_header(bytes(data)) is None


def test_a_header_in_the_other_generations_slot_does_not_count() -> None:
    data = slots(Header(1, bytes(8), 0))
    assert newest_header(data[SLOT_SPACING:] + data[:SLOT_SPACING]) is None


@pytest.mark.parametrize("data", [b"", bytes(FRAMES_START), b"\xff" * FRAMES_START])
def test_bytes_without_a_header_have_none(data: bytes) -> None:
    assert newest_header(data) is None


@pytest.mark.parametrize(
    "header",
    [Header(1, bytes(8), 0, 2), Header(1, bytes(8), 0, 1024)],
)
def test_a_checksummed_header_with_an_unknown_sector_is_refused(header: Header) -> None:
    assert decode_header(encode_header(header)) is None


def test_an_unsafe_header_names_its_boot_and_a_safe_one_none() -> None:
    assert Header(1, bytes(8), 0, 1, BOOT).unsafe
    assert b"state=off_ boot=" + BOOT.encode() in encode_header(Header(1, bytes(8), 0, 1, BOOT))
    assert not Header(1, bytes(8), 0).unsafe


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 20), st.sampled_from([1, 512, 4096]))
def test_aligned_positions_are_the_next_multiples_of_the_sector(
    base: int, distance: int, sector: int
) -> None:
    header = Header(1, bytes(8), base, sector)
    lsn = header.align(base + distance)
    assert (lsn - base) % sector == 0
    assert 0 <= lsn - (base + distance) < sector
    assert header.file_offset(lsn) == FRAMES_START + lsn - base
