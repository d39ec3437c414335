"""docs/format.md is enough to read a log: the reader below was written from that page alone.

``PageReader`` imports nothing of Bazanite and must not be "fixed" by looking at its code: where the
two differ, the page or the engine is wrong.
"""

from __future__ import annotations

import hashlib
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bazanite import CHAR, DB, INT, PK, Field, Schema, Table
from bazanite_wal.frame import Fill, Truncate, Write
from bazanite_wal.options import StoreOptions
from bazanite_wal.scan import scan_log
from bazanite_wal.store import Store, open_store
from seam import Seam

PAGE = Path(__file__).parent.parent / "docs" / "format.md"
STOPS = 60

# ------------------------------------------------------------------ the reader, from the page alone

FRAME_LINE = re.compile(
    rb"(FRAME|MARK ) (\d{20}) (\d{12}) (\d{20}) ([0-9a-f]{16}) ([0-9a-f]{16}) (.{16})(.)", re.DOTALL
)
FRAME_START = re.compile(rb"(?:FRAME|MARK ) (\d{20}) ")
HEADER_LINE = re.compile(
    rb"BAZANITE-LOG 1 generation=(\d{20}) salt=([0-9a-f]{16}) base=(\d{20}) sector=(\d{4})"
    rb" state=(safe|off_) boot=([0-9a-f-]{36}) check=([0-9a-f]{16})\n"
)
NAME = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_.-]*\.dat|schema\.json")
LIMIT = 1 << 43


@dataclass
class PageFrame:
    """Section 6."""

    kind: bytes
    lsn: int
    end: int
    watermark: int
    previous: bytes
    checksum: bytes
    payload: bytes


@dataclass
class PageReader:
    """Section 8, with what it needs of sections 4 to 7.  ``verdict`` is clean, torn or corrupt."""

    log: bytes
    frames: list[PageFrame] = field(default_factory=list)
    operations: list[list[tuple[Any, ...]]] = field(default_factory=list)
    verdict: str = "clean"

    def __post_init__(self) -> None:
        places = [(slot, 4096 * slot + copy) for slot in (0, 1) for copy in (0, 2048)]
        headers = [found for place in places if (found := self._header(*place)) is not None]
        if not headers:
            raise ValueError("neither header slot is valid")
        newest = max(headers, key=lambda match: int(match[1]))
        self.generation = int(newest[1])
        self.salt = bytes.fromhex(newest[2].decode())
        self.base = int(newest[3])
        self.sector = int(newest[4])
        self.unsafe = newest[5] == b"off_"
        self.end = self.base
        self._walk(newest[2])

    def _header(self, slot: int, offset: int) -> re.Match[bytes] | None:
        line = self.log[offset : offset + 183]
        match = HEADER_LINE.fullmatch(line)
        if (
            match is None
            or hashlib.blake2b(line[:159], digest_size=8).hexdigest() != match[7].decode()
        ):
            return None
        if (match[5] == b"safe") != (match[6] == b"-" * 36) or int(match[1]) % 2 != slot:
            return None
        return match if int(match[4]) in (1, 512, 4096) else None

    def _walk(self, previous: bytes) -> None:
        while True:
            lsn = self.base + -(-(self.end - self.base) // self.sector) * self.sector
            frame = self._frame(lsn)
            if frame is None or frame.previous != previous:
                break
            try:
                operations = parse_payload(frame.payload)
            except ValueError:
                self.verdict = "corrupt"
                return
            self.frames.append(frame)
            self.operations.append(operations)
            self.end, previous = frame.end, frame.checksum
        self.bad_lsn = lsn
        self._judge_tail(lsn, previous)

    def _checksum(self, covered: bytes) -> bytes:
        return hashlib.blake2b(covered, digest_size=8, key=self.salt).hexdigest().encode()

    def _genuine_line(self, lsn: int) -> re.Match[bytes] | None:
        offset = 8192 + lsn - self.base
        match = FRAME_LINE.fullmatch(self.log[offset : offset + 112])
        if match is None or int(match[2]) != lsn or self._checksum(match[0][:78]) != match[6]:
            return None
        return match

    def _frame(self, lsn: int) -> PageFrame | None:
        match = self._genuine_line(lsn)
        if match is None:
            return None
        start = 8192 + lsn - self.base + 112
        payload = self.log[start : start + int(match[3])]
        checksum = self._checksum(match[0][:95] + payload)
        if len(payload) != int(match[3]) or match[0][95:] != checksum + b"\n":
            return None
        end = lsn + 112 + len(payload)
        return PageFrame(match[1], lsn, end, int(match[4]), match[5], checksum, payload)

    def _judge_tail(self, bad_lsn: int, previous: bytes) -> None:
        first = FRAME_LINE.fullmatch(self.log[8192 : 8192 + 112])
        if first is not None and int(first[2]) > self.base:
            key = bytes.fromhex(first[5].decode())
            check = hashlib.blake2b(first[0][:78], digest_size=8, key=key).hexdigest()
            if check.encode() == first[6]:
                self.verdict = "corrupt"
                return
        offset = 8192 + bad_lsn - self.base
        watermarks: list[int] = []
        for place in range(offset, len(self.log) - 26):
            match = FRAME_START.match(self.log, place)
            if match is not None and int(match[1]) == self.base + place - 8192:
                line = self._genuine_line(int(match[1]))
                watermarks += [int(line[4])] if line is not None else []
        if any(watermark > bad_lsn for watermark in watermarks):
            self.verdict = "corrupt"
        elif (
            watermarks
            or self.log[offset + 6 : offset + 26] == b"%020d" % bad_lsn
            or self.log[offset + 61 : offset + 77] == previous
        ):
            self.verdict = "torn"

    def replay(self, files: dict[str, bytes]) -> dict[str, bytes]:
        """The files with every operation made, in order."""
        state = {name: bytearray(data) for name, data in files.items()}
        for operation, name, *rest in (made for frame in self.operations for made in frame):
            data = state.setdefault(name, bytearray())
            if operation == "truncate":
                data[:] = data[: rest[0]].ljust(rest[0], b"\0")
                continue
            offset, content = rest
            data[:] = data.ljust(offset, b"\0")
            data[offset : offset + len(content)] = content
        return {name: bytes(data) for name, data in state.items()}


def parse_payload(payload: bytes) -> list[tuple[Any, ...]]:
    """Section 7.  A fill is returned as a write of the bytes that it makes."""
    operations: list[tuple[Any, ...]] = []
    while payload:
        line, newline, payload = payload.partition(b"\n")
        kind, name, *words = line.split(b" ")
        if not newline or len(line) > 399 or len(name) > 255 or not NAME.fullmatch(name):
            raise ValueError(line)
        if kind == b"write" and len(words) == 2:
            offset, count = map(number, words)
            if payload[count : count + 1] != b"\n":
                raise ValueError(line)
            operations.append(("write", name.decode(), offset, payload[:count]))
            payload = payload[count + 1 :]
        elif kind == b"fill" and len(words) == 3 and re.fullmatch(rb"[0-9a-f]{2}", words[1]):
            count = number(words[2])
            if count > 1 << 30:
                raise ValueError(line)
            content = bytes.fromhex(words[1].decode()) * count
            operations.append(("fill", name.decode(), number(words[0]), content))
        elif kind == b"truncate" and len(words) == 1:
            operations.append(("truncate", name.decode(), number(words[0])))
        else:
            raise ValueError(line)
    return operations


def number(text: bytes) -> int:
    if not re.fullmatch(rb"[0-9]{1,20}", text) or int(text) > LIMIT:
        raise ValueError(text)
    return int(text)


# ------------------------------------------------------------------------ the engine, to compare it


def engines_operations(operations: list[Write | Fill | Truncate]) -> list[tuple[Any, ...]]:
    result: list[tuple[Any, ...]] = []
    for found in operations:
        if isinstance(found, Write):
            result.append(("write", found.name, found.offset, found.data))
        elif isinstance(found, Fill):
            result.append(("fill", found.name, found.offset, bytes((found.byte,)) * found.count))
        else:
            result.append(("truncate", found.name, found.size))
    return result


def compare(log: bytes) -> PageReader:
    """Both readers say the same of these bytes; what the page's reader says."""
    page, engine = PageReader(log), scan_log(log)
    assert engine is not None
    header = engine.header
    assert (page.generation, page.salt, page.base, page.sector, page.unsafe) == (
        header.generation, header.salt, header.base, header.sector, header.unsafe
    )  # fmt: skip
    assert [
        (f.kind, f.lsn, f.end, f.watermark, f.previous.decode(), f.checksum.decode(), f.payload)
        for f in page.frames
    ] == [
        (f.kind, f.lsn, f.end, f.watermark, f.previous, f.checksum, f.payload)
        for f in engine.frames
    ]
    assert page.operations == [engines_operations(frame.operations()) for frame in engine.frames]
    assert page.end == engine.end
    assert page.verdict == engine.tail
    return page


def change(store: Store, value: int) -> None:
    with store.transaction() as tx:
        store.create_files(["a.dat", "b.text.dat"])
        tx.write("a.dat", value % 5 * 40, b"%-40d" % value)
        tx.fill("b.text.dat", value % 3, ord("#"), 20 + value)
        if value % 4 == 0:
            tx.truncate("b.text.dat", value % 7)


def files_of(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.glob("*.dat")}


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
@pytest.mark.parametrize("powersafe", [True, False])
def test_the_pages_reader_agrees_with_the_engine_through_several_generations(
    tmp_path: Path, powersafe: bool, durability: str
) -> None:
    options = StoreOptions(
        log_size_bytes=1 << 15, powersafe_overwrite=powersafe, durability=durability
    )
    store = open_store(str(tmp_path), options, Seam())
    generations = set()
    for value in range(60 if powersafe else 15):
        change(store, value)
        page = compare((tmp_path / "wal.log").read_bytes())
        generations.add(page.generation)
        with store.reading() as view:
            expected = {name: view.read(name, 0, 1000) for name in ("a.dat", "b.text.dat")}
        assert page.replay(files_of(tmp_path)) == expected
        assert page.sector == (1 if powersafe else 4096)
        assert page.unsafe == (durability == "off")
    store.checkpoint()
    generations.add(compare((tmp_path / "wal.log").read_bytes()).generation)
    store.close()
    assert len(generations) > 1
    closed = compare((tmp_path / "wal.log").read_bytes())
    assert (closed.frames, closed.verdict, closed.unsafe) == ([], "clean", False)


def killed(path: Path, powersafe: bool) -> bytes:
    """The log of a process that died after a few transactions, with a mark among them."""
    options = StoreOptions(log_size_bytes=1 << 16, powersafe_overwrite=powersafe)
    seam = Seam()
    store = open_store(str(path), options, seam)
    for value in range(4):
        change(store, value)
    open_store(str(path), options, Seam()).close()
    for value in range(4, 7):
        change(store, value)
    seam.kill()
    return (path / "wal.log").read_bytes()


def cut(log: bytes, place: int) -> bytes:
    return log[:place] + bytes(len(log) - place)


def flipped(log: bytes, place: int) -> bytes:
    return log[:place] + bytes([log[place] ^ 1]) + log[place + 1 :]


def scattered(log: bytes, place: int) -> bytes:
    """Damage here and again further on: header lines survive it whose payloads do not."""
    for further in range(place, len(log), 251):
        log = flipped(log, further)
    return log


@pytest.mark.parametrize("powersafe", [True, False])
@pytest.mark.parametrize("damage", [cut, flipped, scattered])
def test_the_pages_reader_judges_cut_and_damaged_logs_as_the_engine_does(
    tmp_path: Path, damage: Callable[[bytes, int], bytes], powersafe: bool
) -> None:
    log = killed(tmp_path, powersafe)
    whole = compare(log)
    assert len(whole.frames) == 8
    assert b"MARK " in [frame.kind for frame in whole.frames]
    places = sorted(random.Random(1).sample(range(8192, 8192 + whole.end - whole.base), STOPS))
    verdicts = {compare(damage(log, place)).verdict for place in places}
    assert "torn" in verdicts
    assert damage is cut or "corrupt" in verdicts


def test_the_pages_reader_sees_that_the_newest_header_is_damaged(tmp_path: Path) -> None:
    log = killed(tmp_path, powersafe=True)
    slot = compare(log).generation % 2 * 4096
    assert compare(flipped(log, slot + 30)).verdict == "corrupt"


def example() -> bytes:
    """The bytes of the log on the page."""
    text = PAGE.read_text(encoding="utf-8").split("<!-- example")[1].split("```")[1]
    rows = [line.split("  |")[0].split() for line in text.splitlines() if line[:8].strip("*")]
    places = {int(row[0], 16): bytes.fromhex("".join(row[1:])) for row in rows if row[0] != "text"}
    log = bytearray(max(places))
    for offset, data in places.items():
        log[offset : offset + len(data)] = data
    return bytes(log)


def test_the_example_on_the_page_is_a_log_and_says_what_the_page_says() -> None:
    log = example()
    assert len(log) == 16384
    page = compare(log)
    assert (page.generation, page.base, page.verdict, page.end) == (2, 8192, "clean", 8636)
    assert page.operations == [
        [("write", "a.dat", 0, b"1        foo  \n"), ("write", "a__seqnum.dat", 0, b"1")],
        [("fill", "a.text.dat", 0, b"#" * 12), ("truncate", "a__seqnum.dat", 0)],
        [],
    ]
    text = PAGE.read_text(encoding="utf-8")
    for frame in page.frames:
        offset = 8192 + frame.lsn - page.base
        assert f"`{offset:#06x}`" in text
        assert f"LSN {frame.lsn}" in text
        assert f"`{frame.checksum.decode()}`" in text
        assert f"watermark {frame.watermark}" in text


def test_the_offsets_of_the_fields_are_those_on_the_page() -> None:
    log = example()
    header, frames = PAGE.read_text(encoding="utf-8").split("## 5.")[1].split("## 6.")
    for section, line, rest in (
        (
            header,
            log[:183],
            b"?generation=? salt=? base=? sector=? state=? boot=? check=?",
        ),
        (frames.split("## 7.")[0], log[8192 : 8192 + 112], b"? ? ? ? ? ? ?"),
    ):
        masked = bytearray(line)
        for offset, size in re.findall(r"^\| (\d+) \| (\d+) \| ", section, re.MULTILINE):
            masked[int(offset) : int(offset) + int(size)] = b"?" * int(size)
        assert len(masked) == len(line)
        assert re.sub(rb"\?+", b"?", bytes(masked)) == rest


class Example(Table):
    name = "a"
    schema = Schema([Field("id", PK()), Field("name", CHAR(5)), Field("n", INT(null=True))])


def test_the_tables_on_the_page_are_what_the_engine_writes(tmp_path: Path) -> None:
    with DB([Example], str(tmp_path), log_size_bytes=8192) as db:
        db.insert("a", {"name": "foo"})
        db.insert("a", {"id": 9, "name": "gone"})
        db.insert("a", {"name": "żó", "n": -7})
        db.delete_by_id("a", 9)
    lines = re.findall(
        r"^    (.*)\\n$", PAGE.read_text(encoding="utf-8").split("## 3.")[0], re.MULTILINE
    )
    rows = b"".join(
        line.encode().decode("unicode_escape").encode("latin-1") + b"\n" for line in lines
    )
    assert (tmp_path / "a.dat").read_bytes() == rows
    assert (tmp_path / "a__free.dat").read_bytes() == b"1        "
    assert (tmp_path / "a__id.idx.dat").read_bytes()[:18] == b"0        2        "
    catalog = PAGE.read_text(encoding="utf-8").split("```json\n")[1].split("```")[0]
    shutil.rmtree(tmp_path)
    one = type("One", (Table,), {"name": "a", "schema": Schema([Field("id", PK())])})
    DB([one], str(tmp_path)).close()
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == catalog
