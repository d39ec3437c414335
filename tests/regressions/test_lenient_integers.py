"""Integers read with ``int()``, which takes more than an engine writes.

Once, a damaged field such as `` 1``, ``1_0``, ``+1`` or a number followed by a tab was read as a
number: a silently wrong row.  A number is an optional ``-``, ASCII digits, and then spaces only.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import DB, INT, PK, CorruptionError, Field, FieldType, Schema, Table
from bazanite.fields import TEXT

LENIENT = [
    *(b" 1", b"1_0", b"+1", b"1\t", b"1\x0b"),  # once numbers
    *(b"1 0", b"- 1", b"-", b"--1", b"", b"\xef\xbc\x91"),
]


class Sums(Table):
    name = "sums"
    schema = Schema([Field("id", PK()), Field("a", INT()), Field("b", INT(null=True))])


class _Odd(INT):
    """A type of one's own: read through ``deserialize``."""


@pytest.mark.parametrize("raw", LENIENT)
@pytest.mark.parametrize("kind", [PK(), INT(), INT(null=True), _Odd(), TEXT(), TEXT(null=True)])
def test_a_field_type_reads_strict_numbers_only(kind: FieldType, raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever int() says of it
        kind.deserialize(raw.ljust(kind.size), 0)


@pytest.mark.parametrize("raw", LENIENT)
@pytest.mark.parametrize("field, offset", [("a", 9), ("b", 18)])
def test_a_damaged_number_is_named_and_never_another_number(
    tmp_path: Path, field: str, offset: int, raw: bytes
) -> None:
    with DB([Sums], tmp_path) as db:
        db.insert_many("sums", [{"a": n, "b": n} for n in range(3)])
    path = tmp_path / "sums.dat"
    data = bytearray(path.read_bytes())
    data[28 + offset : 28 + offset + 9] = raw.ljust(9)
    path.write_bytes(data)
    with DB([Sums], tmp_path) as db:
        for call in (lambda: db.find_by_id("sums", 2), lambda: db.find_all("sums")):
            with pytest.raises(CorruptionError, match=f"'{field}'") as caught:
                call()
            assert (caught.value.path, caught.value.offset) == (str(path), 28 + offset)
        assert db.find_by_id("sums", 3) == {"id": 3, "a": 2, "b": 2}


def test_the_numbers_that_bazoola_writes_are_read(tmp_path: Path) -> None:
    values = [0, -1, 7, 10**8, 999_999_999, -99_999_999]
    with DB([Sums], tmp_path) as db:
        db.insert_many("sums", [{"a": value, "b": value} for value in values])
        assert [row["b"] for row in db.find_all("sums")] == values
        assert [row["a"] for row in db.find_all("sums")] == values
