"""The keys of indexes as docs/format.md describes them, made from that page alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bazanite import BLOB, BOOL, CHAR, DATE, DATETIME, DB, DECIMAL, INT, TEXT, Field
from bazanite.files import TableFiles
from engine_support import keyed


def complement(digits: str) -> str:
    return "".join(str(9 - int(digit)) for digit in digits)


def by_page(kind: Any, value: Any) -> bytes:
    """Section 3 of the page."""
    size: int = kind.size
    name = type(kind).__name__
    if name in ("INT", "DECIMAL"):
        places = kind.params.get("places", 0)
        d = size if name == "INT" else max(kind.params["digits"], places + 1)
        wide = size >= 64 if name == "INT" else d >= 63
        width = 64 if wide else 1 + d + (places > 0)
        if value is None:
            return b"#" * width
        whole = int(value.scaleb(places)) if name == "DECIMAL" else value
        digits = str(abs(whole))
        digits = f"{len(digits):03}{digits[:60]:0<60}" if wide else f"{digits:0>{d}}"
        text = f"0{digits}" if whole >= 0 else f"-{complement(digits)}"
        if places and not wide:
            text = f"{text[:-places]}.{text[-places:]}"
        return text.encode()
    if name in ("CHAR", "TEXT", "BLOB"):
        width = min(size, 64) if name == "CHAR" else 64
        if value is None:
            return b"#" * (width + 1)
        data: bytes = value[:32].hex().encode() if name == "BLOB" else value.encode()
        return b"=" + data[:width].ljust(width, b"\0")
    if value is None:
        return b"#" * size
    column: bytes = kind.serialize(value)
    return column


CASES: list[tuple[Any, list[Any]]] = [
    (INT(null=True), [0, 12, -12, 999_999_999, -99_999_999, None]),
    (INT(3, null=True), [7, -7, None]),
    (INT(63, null=True), [10**62, -(10**61), None]),
    (INT(64, null=True), [10**63 + 5, -123, 0, None]),
    (DECIMAL(5, 2, null=True), [Decimal("1.20"), Decimal("-12.34"), Decimal(0), None]),
    (DECIMAL(2, 2, null=True), [Decimal("0.20"), Decimal("-0.99")]),
    (DECIMAL(4, null=True), [Decimal(12), Decimal(-9999)]),
    (DECIMAL(62, 3, null=True), [Decimal("123.456"), Decimal("-0.001"), None]),
    (DECIMAL(63, 3, null=True), [Decimal("123.456"), Decimal("-0.001"), None]),
    (CHAR(5, null=True), ["", "abc", "żó", None]),
    (CHAR(90, null=True), ["x" * 90, "ż" * 40, None]),
    (TEXT(null=True), ["", "a ", "x" * 90, None]),
    (BLOB(null=True), [b"", b"\0\n", b"\xff" * 40, None]),
    (BOOL(null=True), [True, False, None]),
    (DATE(null=True), [date(2026, 11, 26), None]),
    (DATETIME(null=True), [datetime(2026, 11, 26, 15, 33), None]),  # noqa: DTZ001  without a zone
    (DATETIME(null=True, utc=True), [datetime(2026, 11, 26, 15, 33, tzinfo=UTC), None]),
]


@pytest.mark.parametrize("kind, values", CASES)
def test_the_entries_of_an_index_are_those_of_the_page(
    tmp_path: Path, kind: Any, values: list[Any]
) -> None:
    table = keyed("t", Field("v", kind), Field("n", INT(2)), indexes=[("v", "n")])
    with DB([table], tmp_path, durability="off") as db:
        db.insert_many("t", [{"v": value, "n": -1} for value in values])
    number = by_page(INT(2), -1)
    entries = [by_page(kind, v) + number + b"%09d\n" % slot for slot, v in enumerate(values)]
    width = len(entries[0])
    assert {len(entry) for entry in entries} == {width}
    data = (tmp_path / TableFiles("", "t").keyed("v-n")).read_bytes()
    assert data[: data.index(b"\n")].split()[:6:2] == [b"BAZANITE-INDEX", b"key", b"slot"]
    assert data.split()[3:6] == [b"%03d" % (width - 10), b"slot", b"09"]
    start = data.index(b"\n", 4096) + 1
    found = data[start : start + width * len(values)]
    assert sorted(entries) == sorted(found[i : i + width] for i in range(0, len(found), width))
