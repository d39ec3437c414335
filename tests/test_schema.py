"""Schemas: what makes a table, and the bytes of a row."""

from __future__ import annotations

from typing import Any

import pytest

from bazanite import CHAR, FK, INT, PK, TEXT, Field, Schema, ValidationError
from bazanite.codec import RowCodec
from bazanite.errors import CorruptionError, InconsistentDataError
from bazanite.files import TableFiles
from engine_support import memory

AB = Schema([Field("id", PK()), Field("s", CHAR(3, null=True)), Field("n", INT(size=2))])


@pytest.mark.parametrize(
    "fields, message",
    [
        ([], "Schema must not be empty"),
        ([Field("id", PK()), Field("id", INT())], "'id': two fields have this name"),
        ([Field("", PK())], "non-empty string"),
        ([Field(5, PK())], "non-empty string"),  # type: ignore[arg-type]
    ],
)
def test_fields_that_make_no_table_are_refused(fields: list[Field], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Schema(fields)


@pytest.mark.parametrize(
    "fields",
    [
        [Field("x", INT())],
        [Field("id", CHAR(5))],
        [Field("id", INT(null=True))],
        [Field("id", TEXT())],
    ],
)
def test_a_table_needs_an_id_that_is_a_number_and_never_none(fields: list[Field]) -> None:
    with pytest.raises(ValidationError, match="'id'"):
        Schema(fields).check_id()


@pytest.mark.parametrize(
    "width, values, row",
    [
        (9, {"id": 1, "s": "ab", "n": 7}, b"1        ab 7 \n"),
        (6, {"id": 1, "s": "ab", "n": 7}, b"1     ab 7 \n"),
        (6, {"id": 999_999, "n": -9}, b"999999\0\0\0-9\n"),
    ],
)
def test_a_row_is_its_fields_side_by_side(width: int, values: dict[str, Any], row: bytes) -> None:
    schema = AB.bind(width)
    assert schema.to_row(values) == row
    assert len(row) == schema.row_size()
    assert schema.parse(row) == {"s": None} | values


def test_a_deleted_slot_is_no_row() -> None:
    assert AB.parse(b"*" * 14 + b"\n") is None


@pytest.mark.parametrize("row", [b"", b"1        ab 7 ", b"1        ab 7 x", b"1  ab 7 \n"])
def test_bytes_of_another_length_or_without_newline_are_no_row(row: bytes) -> None:
    with pytest.raises(ValueError, match="not a row of 15 bytes"):
        AB.parse(row)


def test_a_row_never_begins_like_a_deleted_slot() -> None:
    schema = Schema([Field("s", CHAR(3)), Field("id", PK())])
    with pytest.raises(ValidationError, match=r"'s': The value can't begin with '\*'"):
        schema.to_row({"s": "*", "id": 1})
    assert schema.to_row({"s": "a*", "id": 1}) == b"a* 1        \n"


def test_relations_and_texts_are_listed_in_order() -> None:
    schema = Schema(
        [Field("id", PK()), Field("b", FK("x")), Field("t", TEXT()), Field("a", FK("y"))]
    )
    assert schema.relations() == [("b", "x"), ("a", "y")]
    assert schema.text_fields() == ["t"]


def test_a_type_whose_bytes_have_another_length_is_refused() -> None:
    class Odd(CHAR):
        def serialize(self, val: Any) -> bytes:
            return b"x"

    with pytest.raises(ValidationError, match="'o': 1 bytes do not fit 2"):
        Schema([Field("id", PK()), Field("o", Odd(2))]).to_row({"id": 1, "o": "a"})


@pytest.mark.parametrize(
    "row, offset, expected, found",
    [
        (b"1  ab 7x\n", 18 + 6, "a INT value of 'n'", "b'7x'"),
        (b"1  \xff  7 \n", 18 + 3, "a CHAR value of 's'", r"b'\xff  '"),
        (b"x  ab 7 \n", 18, "a INT value of 'id'", "b'x  '"),
        (b"1  ab 7 \0", 18, "a row of 9 bytes ending in a newline", r"b'1  ab 7 \x00'"),
    ],
)
def test_damage_is_named_by_file_and_offset(
    row: bytes, offset: int, expected: str, found: str
) -> None:
    fields = [Field("id", INT(size=3)), Field("s", CHAR(3)), Field("n", INT(size=2))]
    codec = RowCodec(TableFiles("dir", "t"), Schema(fields))
    view = memory(t_dat=b"1  ab 7 \n********\n" + row)
    with pytest.raises(CorruptionError) as caught:
        list(codec.scan(view))
    error = caught.value
    assert (error.path, error.offset) == ("dir/t.dat", offset)
    assert (error.expected, error.found) == (expected, found)


def test_a_stored_null_is_both_corruption_and_a_value_error() -> None:
    fields = [Field("id", INT(size=3)), Field("s", CHAR(3))]
    codec = RowCodec(TableFiles("dir", "t"), Schema(fields))
    with pytest.raises(ValueError, match=r"^Inconsistent data: dir/t.dat: .* offset 3") as caught:
        list(codec.scan(memory(t_dat=b"1  \0\0\0\n")))
    assert isinstance(caught.value, InconsistentDataError)
    assert caught.value.offset == 3


def test_a_file_that_ends_in_part_of_a_row_is_damaged_there() -> None:
    codec = RowCodec(TableFiles("dir", "t"), Schema([Field("id", INT(size=3))]))
    with pytest.raises(CorruptionError, match="2 bytes at the end") as caught:
        list(codec.scan(memory(t_dat=b"1  \n2 ")))
    assert caught.value.offset == 4


def test_a_scan_crosses_its_chunks_without_loss() -> None:
    codec = RowCodec(TableFiles("dir", "t"), Schema([Field("id", INT(size=6))]))
    count = 100_000
    view = memory(t_dat=b"".join(b"%-6d\n" % number for number in range(count)))
    assert [(slot, row and row["id"]) for slot, row in codec.scan(view)] == [
        (number, number) for number in range(count)
    ]
