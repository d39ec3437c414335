"""Decoders and files of any bytes: typed errors, soon, and nothing outside the directory."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite import CorruptionError, DBError, sequence
from bazanite.catalog import decode
from bazanite.check import check_view
from bazanite.files import TableFiles
from bazanite.freestack import FreeStack
from bazanite.index import RowIndex
from bazanite.sums import block_sum, covered, sum_file
from bazanite.textfile import TextReader
from bazanite.verified import VerifiedView
from bazanite_stress.explore import fuzz as module
from bazanite_stress.explore.damage import Scenario, prepare
from bazanite_stress.explore.fuzz import Fuzzer, FuzzTally, fuzz, main
from bazanite_wal.frame import (
    FRAME,
    FrameError,
    claims_position,
    decode_first_lsn,
    decode_frame,
    decode_operations,
    decode_watermark,
    encode_frame,
    encode_operations,
    is_data_file_name,
)
from bazanite_wal.header import FRAMES_START, Header, decode_header, encode_header, newest_header
from bazanite_wal.layer import PageLayer
from bazanite_wal.scan import scan_generation, scan_log
from check_support import Files

SALT = b"12345678"
SUMS = prepare(Scenario("closed", checksums=True)).image
PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"write a.dat 0 3\nabc\n", b"fill a.dat 9 23 4\n", b"truncate a.dat 5\n", b"write a.dat",
         b" 0 ", b"\n", b"99999999999999", b"../x.dat", b"wal.log", b"FRAME ", b"MARK  ", b"-1",
         b"00000000000000000000 ", b"000000000000 ", b"#" * 9, b"*", b"\0" * 9]
    ),
)  # fmt: skip
BYTES = st.lists(PIECES, max_size=8).map(b"".join)


def refusal(call: Callable[[], object]) -> CorruptionError | None:
    """The typed error in which the call ends, None if it gives an answer."""
    try:
        call()
    except CorruptionError as error:
        return error
    return None


@given(BYTES)
def test_operations_are_decoded_or_refused_and_stay_in_the_directory(data: bytes) -> None:
    try:
        operations = decode_operations(data)
    except FrameError:
        return
    assert decode_operations(encode_operations(operations)) == operations
    assert all(is_data_file_name(operation.name) for operation in operations)
    assert not any("/" in operation.name or operation.name[0] == "." for operation in operations)


@given(BYTES, st.integers(0, 1 << 64))
def test_frames_and_lines_are_decoded_or_refused(data: bytes, lsn: int) -> None:
    for decoder in (
        lambda: decode_frame(data, 0, lsn, SALT),
        lambda: decode_watermark(data, 0, lsn, SALT),
        lambda: decode_first_lsn(data, 0),
    ):
        with pytest.raises(FrameError):
            decoder()
    claims_position(data, 0, lsn, "0" * 16)


@given(BYTES, st.integers(0, 1 << 40), st.integers(0, 200), st.integers(0, 7))
def test_a_whole_frame_is_read_back_and_a_flipped_one_never(
    payload: bytes, lsn: int, place: int, bit: int
) -> None:
    data, checksum = encode_frame(FRAME, lsn, lsn, "0" * 16, SALT, payload)
    frame = decode_frame(data, 0, lsn, SALT)
    assert (frame.payload, frame.checksum) == (payload, checksum)
    flipped = bytearray(data)
    flipped[place % len(data)] ^= 1 << bit
    with pytest.raises(FrameError):
        decode_frame(bytes(flipped), 0, lsn, SALT)


@given(BYTES, BYTES)
def test_any_log_is_judged(header: bytes, area: bytes) -> None:
    scan_log(header)
    decode_header(header)
    newest_header(header)
    good = encode_header(Header(2, SALT, 0)).ljust(FRAMES_START, b"\0")
    for log in (good + area, good[:5] + header + good[5:] + area):
        scan = scan_log(log)
        assert scan is None or scan.tail in ("clean", "torn", "corrupt")
    assert scan_generation(area, Header(2, SALT, 0)).frames == ()


@given(BYTES)
def test_any_file_of_a_table_is_read_or_refused(data: bytes) -> None:
    files = TableFiles("db", "a")
    view = Files(dict.fromkeys(files.names(has_text=True), data))

    def index() -> object:
        return list(RowIndex(files, 9).entries(view)), RowIndex(files, 9).find(view, 10**17)

    def stack() -> object:
        free = FreeStack(view, files, 9)
        return [free.pop(12) for _ in range(free.count)]

    for read in (
        lambda: sequence.read(view, files),
        index,
        stack,
        lambda: [TextReader(view, files).get(offset) for offset in range(20)],
    ):
        error = refusal(read)
        assert error is None or error.path.startswith("db/a")


@given(st.sampled_from(sorted(SUMS)), st.integers(0, 2000), BYTES, st.booleans())
def test_files_with_checksums_of_any_bytes_are_checked_and_no_read_believes_them(
    name: str, place: int, piece: bytes, inserted: bool
) -> None:
    sound = Files(SUMS)
    data = sound[name]
    place %= len(data) + 1
    changed = data[:place] + piece + data[place + (0 if inserted else len(piece)) :]
    view = Files(SUMS | {name: changed})
    report = check_view(view)
    in_tables = name.endswith((".dat", ".json"))
    assert report.ok == (changed == data or not in_tables)
    files = TableFiles("db", "t")
    verified = VerifiedView(
        view, covered([sum_file(files, decode(SUMS["schema.json"]).tables["t"])])
    )
    for file in files.names(has_text=True):
        try:
            assert verified.read(file, 0, 4096) == sound[file]
            assert verified.size(file) == len(sound[file])
        except CorruptionError:
            assert name in (file, files.sums)


@given(BYTES, st.integers(0, 300))
def test_any_catalog_is_decoded_or_refused(piece: bytes, place: int) -> None:
    for image in (SUMS, prepared_without()):
        data = image["schema.json"]
        changed = data[:place] + piece + data[place + len(piece) :]
        error = refusal(partial(decode, changed, "db"))
        assert error is None or error.path == "db/schema.json"
    with pytest.raises(CorruptionError):
        decode(piece)


_WITHOUT: list[Files] = []


def prepared_without() -> Files:
    if not _WITHOUT:
        _WITHOUT.append(Files(prepare(Scenario("closed")).image))
    return _WITHOUT[0]


@pytest.mark.parametrize("seed", range(2))
def test_mutated_directories_are_answered_or_refused(seed: int) -> None:
    tally = fuzz(count=350, seed=seed)
    assert tally.violations == []
    assert sum(tally.inputs.values()) == 350
    assert set(tally.inputs) == {"directory", "signed frame", "looking", "decoders"}
    assert 50 < tally.refused < 300


def test_an_input_depends_on_seed_and_number_alone() -> None:
    alone, last = FuzzTally(5), FuzzTally(5)
    Fuzzer().one(alone, 11)
    fuzzer = Fuzzer()
    for number in range(12):
        last = FuzzTally(5)
        fuzzer.one(last, number)
    assert (alone.inputs, alone.refused) == (last.inputs, last.refused)


def _slowly(*_: object) -> None:
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass


@pytest.mark.parametrize(
    "planted",
    [
        lambda: mock.patch.object(module, "scan_log", side_effect=ValueError("planted")),
        lambda: mock.patch.object(module, "check_view", side_effect=KeyError("planted")),
        lambda: mock.patch.object(module, "questions", return_value=[lambda _db: 1 / 0]),
        lambda: mock.patch.object(module, "_OTHERS", {""}),
        lambda: mock.patch.multiple(module, LONGEST_SECONDS=0.001, questions=lambda: [_slowly]),
        lambda: mock.patch.object(PageLayer, "read", side_effect=OverflowError("planted")),
    ],
    ids=["decoder", "check", "a read", "names", "time", "the engine"],
)
def test_a_broken_rule_is_reported(planted: Callable[[], mock.MagicMock]) -> None:
    fuzzer = Fuzzer()
    tally = FuzzTally(0)
    with planted():
        for number in range(12):
            fuzzer.one(tally, number)
    assert tally.violations


def test_the_command_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "5", "--seed", "3"]) == 0
    assert "5 inputs" in capsys.readouterr().out
    with (
        mock.patch.object(module, "scan_log", side_effect=ValueError("planted")),
        mock.patch.object(module, "check_view", side_effect=DBError("planted")),
    ):
        assert main(["--count", "12"]) == 1
    assert "planted" in capsys.readouterr().out
    assert main(["--seconds", "0.01"]) == 0
    with pytest.raises(ValueError, match="either"):
        fuzz()


def test_a_checksum_covers_name_number_and_bytes() -> None:
    sums = {block_sum(n, i, d) for n in ("a.dat", "b.dat") for i in (0, 1) for d in (b"x", b"y")}
    assert len(sums) == 8
    assert block_sum("a.dat", 0, b"x") == block_sum("a.dat", 0, b"x" + bytes(511))
