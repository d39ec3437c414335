"""Archive segments and shared words that somebody wrote by hand, with right checksums.

Found by it: a length in the head of a segment, or a position in ``.shared``, was believed until no
memory could be had for it, and then a raw error of Python's came out.
"""

from __future__ import annotations

import os
import resource
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bazanite import DB, INT, PK, Changes, DBError, Field, Schema, Table
from bazanite_tools.cli import main
from bazanite_wal.archive_format import (
    HEAD_SIZE,
    Section,
    _checked,
    decode_head,
    encode_section,
    encode_settings,
    segment_name,
)
from bazanite_wal.header import Header
from seam import Seam

LOOKS = (["check"], ["info"], ["wal", "archive"], ["wal", "tail"], ["lock"], ["tables"])


class Rows(Table):
    name = "t"
    schema = Schema([Field("id", PK()), Field("n", INT())])


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A directory with an archive, whose only process died."""
    seam = Seam()
    db = DB([Rows], tmp_path, system=seam, log_size_bytes=1 << 16)
    db.archive(1 << 20)
    db.insert_many("t", [{"n": n} for n in range(10)])
    db.checkpoint()
    db.insert("t", {"n": 3})
    seam.kill()
    return tmp_path


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def segment(path: Path) -> Path:
    return min(path.glob("wal.0*.archive"))


def a_catalog_without_end(path: Path) -> None:
    file = segment(path)
    line = b"BAZANITE-ARCHIVE 1 first=%020d catalog=%012d content=%s"
    file.write_bytes(_checked(line % (int(file.name[4:24]), 10**12 - 1, b"0" * 16)))
    os.truncate(file, 1 << 42)


def sections(size: int, *, sparse: bool, count: int = 1) -> Callable[[Path], None]:
    def forge(path: Path) -> None:
        file = segment(path)
        head = decode_head(file.read_bytes()[:HEAD_SIZE])
        assert head is not None
        header = Header(1, b"\1" * 8, head.first)
        line = encode_section(Section(header, head.first + size, head.first + size))
        with open(file, "r+b") as out:
            out.truncate(head.size)
            out.seek(head.size)
            out.write(line * count)
        if sparse:
            os.truncate(file, 1 << 42)

    return forge


def word(**words: int) -> Callable[[Path], None]:
    def forge(path: Path) -> None:
        data = bytearray((path / ".shared").read_bytes())
        for name, value in words.items():
            struct.pack_into("Q", data, 8 * int(name.removeprefix("w")), value)
        (path / ".shared").write_bytes(data)

    return forge


MOST = (1 << 64) - 1
FORGERIES: dict[str, Callable[[Path], object]] = {
    "a catalog without end": a_catalog_without_end,
    "a section of 10 EB": sections(10**19, sparse=False),
    "a section of 2 TB": sections(1 << 41, sparse=True),
    "sections of nothing": sections(0, sparse=False, count=5000),
    "no settings": lambda path: (path / "wal.archive").write_bytes(b"x" * 10_000),
    "nothing kept": lambda path: (path / "wal.archive").write_bytes(encode_settings(0)),
    "all kept": lambda path: (path / "wal.archive").write_bytes(encode_settings(10**20 - 1)),
    "settings without end": lambda path: os.truncate(path / "wal.archive", 1 << 40),
    "a segment of the future": lambda path: (path / segment_name(10**20 - 1)).write_bytes(b"x"),
    "a segment less": lambda path: segment(path).unlink(),
    "a short .shared": lambda path: os.truncate(path / ".shared", 100),
    **{f"word {n} is {value}": word(**{f"w{n}": value})
       for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 16, 17, 23, 24, 64, 65)
       for value in (1, 1 << 31, MOST)},
    "every word": word(**{f"w{n}": MOST for n in range(1, 512) if n != 17}),
    "all processes are init": word(**{f"w{n}": 1 for n in range(64, 512)}),
}  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=[*FORGERIES])
def test_whatever_they_say_errors_are_typed_and_memory_is_not_taken(
    killed: Path, forge: Callable[[Path], object]
) -> None:
    forge(killed)
    for command in LOOKS:
        assert main([*command, str(killed)]) in (0, 1, 2)
    for start in (None, 0):
        with suppress(DBError), Changes(killed, start) as changes:
            list(changes.read())
    with suppress(DBError), DB.open(killed, read_only=True, lock_timeout=1) as reader:
        reader.find_all("t")
    opened = False
    with suppress(DBError), DB([Rows], killed, lock_timeout=1, commit_timeout=1) as db:
        opened = True
        assert len(db.find_all("t")) == 11
        db.insert("t", {"n": 1})
        db.stats()
    assert opened or main(["wal", "archive", str(killed), "--off"]) in (0, 1)
