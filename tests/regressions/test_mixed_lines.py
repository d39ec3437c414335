"""A power cut in the middle of a line once made a sound log look like a damaged one.

The first frame of a new generation is written over the first frame of the one before.  If the power
goes in the middle, on a medium that writes less than whole sectors, the bytes there are a mixture:
some digits of the old LSN, some of the new.  Such a mixture can be larger than both, and recovery
took it for a frame of a later generation, whose header must be damaged, and refused to open.  Now
only a line that proves itself tells of a later generation.
"""

from __future__ import annotations

import random

from bazanite_wal.frame import FRAME, HEADER_SIZE, encode_frame, initial_chain
from bazanite_wal.header import FRAMES_START, Header, encode_header
from bazanite_wal.scan import scan_log

OLD, NEW = Header(2, b"2" * 8, 8_900), Header(3, b"3" * 8, 9_099)


def first_line(header: Header) -> bytes:
    salt = header.salt
    return encode_frame(FRAME, header.base, header.base, initial_chain(salt), salt, b"")[0]


def log_with(line: bytes, *headers: Header) -> bytes:
    log = bytearray(FRAMES_START + 1000)
    for header in headers:
        encoded = encode_header(header)
        log[header.slot_offset : header.slot_offset + len(encoded)] = encoded
    log[FRAMES_START : FRAMES_START + len(line)] = line
    return bytes(log)


def test_a_mixture_of_two_first_lines_is_never_a_later_generation() -> None:
    old, new = first_line(OLD), first_line(NEW)
    generator = random.Random(5)
    larger = 0
    for _ in range(2000):
        mixed = bytes(generator.choice(pair) for pair in zip(old, new, strict=True))
        larger += int(mixed[6:26]) > NEW.base
        scan = scan_log(log_with(mixed, OLD, NEW))
        assert scan is not None
        assert scan.tail in ("clean", "torn")
        assert scan.header == NEW
    assert larger > 100  # the mixtures are of the kind that was mistaken


def test_a_whole_first_line_tells_of_a_later_generation() -> None:
    scan = scan_log(log_with(first_line(NEW), OLD))
    assert scan is not None
    assert (scan.tail, scan.bad_offset) == ("corrupt", NEW.slot_offset)


def test_one_damaged_byte_takes_that_proof_away() -> None:
    line = first_line(NEW)
    for position in range(HEADER_SIZE - 17):
        damaged = line[:position] + bytes((line[position] ^ 1,)) + line[position + 1 :]
        scan = scan_log(log_with(damaged, OLD))
        assert scan is not None
        assert scan.tail != "corrupt"
