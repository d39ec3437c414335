"""The frame codec: what is written is read back, and nothing else is read."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite_wal.frame import (
    FRAME,
    HEADER_SIZE,
    MARK,
    Fill,
    FrameError,
    Operation,
    Truncate,
    Write,
    claims_position,
    decode_frame,
    decode_operations,
    decode_watermark,
    encode_frame,
    encode_operations,
    initial_chain,
    is_data_file_name,
)

SALT = bytes(range(8))
CHAIN = initial_chain(SALT)

names = st.sampled_from(["a.dat", "a__id.idx.dat", "a.text.dat", "schema.json", "_0-9.dat"])
offsets = st.integers(0, 1 << 40)
operations = st.one_of(
    st.builds(Write, names, offsets, st.binary(max_size=200)),
    st.builds(Fill, names, offsets, st.integers(0, 255), st.integers(0, 1 << 30)),
    st.builds(Truncate, names, offsets),
)


@given(st.lists(operations, max_size=8), st.integers(0, 1 << 45), st.integers(0, 1 << 45))
def test_a_frame_reads_back_as_what_was_written(
    changes: list[Operation], lsn: int, watermark: int
) -> None:
    payload = encode_operations(changes)
    data, checksum = encode_frame(FRAME, lsn, watermark, CHAIN, SALT, payload)
    frame = decode_frame(b"before" + data + b"behind", 6, lsn, SALT)
    assert frame.operations() == changes
    assert (frame.kind, frame.lsn, frame.watermark) == (FRAME, lsn, watermark)
    assert (frame.previous, frame.checksum) == (CHAIN, checksum)
    assert frame.end == lsn + len(data)


def test_a_frame_is_a_readable_header_line_and_one_line_an_operation() -> None:
    payload = encode_operations([Write("a.dat", 3, b"foo"), Fill("a.dat", 7, 0x2A, 5)])
    data, checksum = encode_frame(FRAME, 112, 42, "0" * 16, SALT, payload)
    line = b"FRAME 00000000000000000112 000000000038 00000000000000000042 0000000000000000 "
    check = blake2b(line, digest_size=8, key=SALT).hexdigest().encode()
    assert len(data) - len(payload) == HEADER_SIZE
    operations = b"write a.dat 3 3\nfoo\nfill a.dat 7 2a 5\n"
    assert data == line + check + b" " + checksum.encode() + b"\n" + operations
    covered = line + check + b" " + operations
    assert checksum == blake2b(covered, digest_size=8, key=SALT).hexdigest()


def test_a_mark_has_no_operations() -> None:
    data, _ = encode_frame(MARK, 0, 0, CHAIN, SALT, b"")
    assert data.startswith(b"MARK  ")
    assert decode_frame(data, 0, 0, SALT).operations() == []


def test_every_flipped_bit_of_a_frame_is_found() -> None:
    data, _ = encode_frame(FRAME, 7, 7, CHAIN, SALT, encode_operations([Truncate("a.dat", 4)]))
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FrameError):
            decode_frame(bytes(damaged), 0, 7, SALT)


def test_every_shorter_frame_is_incomplete() -> None:
    data, _ = encode_frame(FRAME, 0, 0, CHAIN, SALT, b"truncate a.dat 4\n")
    for size in range(len(data)):
        with pytest.raises(FrameError, match="incomplete"):
            decode_frame(data[:size], 0, 0, SALT)


def test_a_frame_of_another_salt_or_position_is_none() -> None:
    data, _ = encode_frame(FRAME, 50, 0, CHAIN, SALT, b"")
    with pytest.raises(FrameError, match="header check differs"):
        decode_frame(data, 0, 50, SALT[::-1])
    with pytest.raises(FrameError, match="no frame of this position"):
        decode_frame(data, 0, 51, SALT)


def test_a_damaged_length_is_not_believed() -> None:
    data, _ = encode_frame(FRAME, 0, 0, CHAIN, SALT, b"truncate a.dat 4\n")
    with pytest.raises(FrameError, match="header check differs"):
        decode_frame(data[:27] + b"9" * 12 + data[39:], 0, 0, SALT)


def test_a_line_tells_its_watermark_whatever_became_of_its_payload() -> None:
    data, _ = encode_frame(FRAME, 7, 5, CHAIN, SALT, b"truncate a.dat 4\n")
    assert decode_watermark(b"before" + data[:HEADER_SIZE], 6, 7, SALT) == 5
    assert decode_watermark(data[:-1] + b"X", 0, 7, SALT) == 5
    with pytest.raises(FrameError, match="incomplete header line"):
        decode_watermark(data[: HEADER_SIZE - 1], 0, 7, SALT)
    with pytest.raises(FrameError, match="no frame of this position"):
        decode_watermark(data, 0, 8, SALT)
    for bit in range(95 * 8):  # all that stands before the checksum of the frame
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FrameError):
            decode_watermark(bytes(damaged), 0, 7, SALT)


def test_a_header_check_is_never_a_frames_checksum() -> None:
    """They cover texts of different lengths, even where there is no payload."""
    data, checksum = encode_frame(MARK, 0, 0, CHAIN, SALT, b"")
    assert data[78:94] != checksum.encode()
    for swapped in (checksum.encode(), data[78:94]):
        with pytest.raises(FrameError):
            decode_frame(data[:78] + swapped + b" " + swapped + b"\n", 0, 0, SALT)


def test_zeros_are_no_frame() -> None:
    with pytest.raises(FrameError, match="no frame of this position"):
        decode_frame(bytes(4096), 0, 0, SALT)


@pytest.mark.parametrize(
    "payload",
    [
        b"write a.dat 0 5\nfour\n",
        b"write a.dat 0 4\nfourX",
        b"write a.dat 0 -4\nfour\n",
        b"write a.dat 0x1 4\nfour\n",
        b"write a.dat 0 4 4\nfour\n",
        b"write ../a.dat 0 4\nfour\n",
        b"write /etc/passwd 0 4\nfour\n",
        b"write .hidden.dat 0 4\nfour\n",
        b"write wal.log 0 4\nfour\n",
        b"write a.dat\xff 0 4\nfour\n",
        b"write %s.dat 0 4\nfour\n" % (b"a" * 252),
        b"write a.dat 99999999999999999999 4\nfour\n",
        b"write a.dat 999999999999999999999999999999 4\nfour\n",
        b"fill a.dat 0 2A 5\n",
        b"fill a.dat 0 2 5\n",
        b"fill a.dat 0 2a 1073741825\n",
        b"fill a.dat 0 2a\n",
        b"truncate a.dat\n",
        b"truncate a.dat 1125899906842625\n",
        "truncate a.dat \u0663\n".encode(),
        b"remove a.dat\n",
        b"truncate a.dat 4",
        b"\n",
        bytes(500),
        b"write a.dat 0 4\r\nfour\n",
    ],
)
def test_a_hostile_payload_is_a_frame_error(payload: bytes) -> None:
    with pytest.raises(FrameError):
        decode_operations(payload)


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_a_frame_error(payload: bytes) -> None:
    try:
        changes = decode_operations(payload)
    except FrameError:
        return
    assert encode_operations(changes) == payload or b" 0" in payload


@pytest.mark.parametrize(
    "name,good",
    [
        ("a.dat", True), ("schema.json", True), ("A-1.b_2.dat", True), ("a" * 251 + ".dat", True),
        ("a" * 252 + ".dat", False), ("a.dat\n", False), (".dat", False), ("-a.dat", False),
        ("a/b.dat", False), ("..dat", False), ("ä.dat", False), ("other.json", False), ("", False),
    ],
)  # fmt: skip
def test_only_plain_names_of_ours_are_data_files(name: str, good: bool) -> None:
    assert is_data_file_name(name) is good


def test_the_largest_numbers_that_are_allowed_are_read() -> None:
    changes: list[Operation] = [Truncate("a.dat", 1 << 43), Fill("a.dat", 0, 255, 1 << 30)]
    assert decode_operations(encode_operations(changes)) == changes


def test_a_torn_line_claims_its_position_by_its_lsn_or_by_its_predecessor() -> None:
    data, _ = encode_frame(FRAME, 123, 0, CHAIN, SALT, b"")
    assert claims_position(data, 0, 123, "f" * 16)
    assert claims_position(data, 0, 124, CHAIN)
    assert not claims_position(data, 0, 124, "f" * 16)
    assert not claims_position(bytes(200), 0, 0, CHAIN)
