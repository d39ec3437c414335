"""Directories with checksums, for the tests of these."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any

from bazanite import DB, Table
from engine_support import TableA, TableB2, TableF, TableG

ALL: tuple[type[Table], ...] = (TableA, TableB2, TableF, TableG)


def opened(path: Path, *tables: type[Table], checksums: bool | None = True, **more: Any) -> DB:
    options: dict[str, Any] = {"durability": "off", "log_size_bytes": 64 << 10} | more
    return DB(list(tables or ALL), str(path), checksums=checksums, **options)


def filled(path: Path) -> None:
    """Rows in several blocks, deleted ones, texts, a gap, all closed."""
    with opened(path) as db:
        db.insert_many("a", [{"text": f"n{i}"} for i in range(60)])
        db.insert("a", {"id": 200, "text": "far"})
        db.insert_many("b2", [{"text": "x", "a_id": i + 1} for i in range(20)])
        db.insert_many("f", [{"text": "t" * i} for i in range(40)])
        db.delete_by_id("a", 3)
        db.delete_by_id("a", 50)
        db.update_by_id("f", 5, {"text": "ünïcode"})
        db.delete_by_id("f", 6)


def patch(file: Path, offset: int, data: bytes) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:offset] + data + content[offset + len(data) :])


def sums_by_the_page(directory: Path, table: str, names: list[str]) -> bytes:
    """What docs/format.md says, written without the engine's code."""
    files = [(directory / name).read_bytes() for name in names]

    def check(name: str, number: int, data: bytes) -> str:
        text = f"{name} {number}\n".encode() + data + bytes(512 - len(data))
        return blake2b(text, digest_size=8).hexdigest()

    sizes = " ".join(f"{len(data):<16}" for data in files) + "\n"
    line_check = check(f"{table}.sums.dat", -1, sizes.encode())
    result = sizes + " ".join([line_check] + ["-" * 16] * (len(files) - 1)) + "\n"
    for number in range(max((len(data) + 511) // 512 for data in files)):
        cells = []
        for name, data in zip(names, files, strict=True):
            block = data[number * 512 : (number + 1) * 512]
            cells.append(check(name, number, block) if block else " " * 16)
        result += " ".join(cells) + "\n"
    return result.encode()


def columns(table: str, text: bool) -> list[str]:
    names = [f"{table}.dat", f"{table}__id.idx.dat", f"{table}__free.dat", f"{table}__seqnum.dat"]
    return [*names, f"{table}.text.dat"] if text else names


def assert_sums(path: Path, *tables: tuple[str, bool]) -> None:
    for table, text in tables:
        expected = sums_by_the_page(path, table, columns(table, text))
        assert (path / f"{table}.sums.dat").read_bytes() == expected
