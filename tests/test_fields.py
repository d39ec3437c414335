"""Field types: what they accept, and the bytes they give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite import CHAR, FK, INT, PK, TEXT, Field, FieldType, ValidationError

TEXTS = "`str` or UTF-8 as `bytes`"


@pytest.mark.parametrize(
    "kind, value, data",
    [
        (INT(), 0, b"0        "),
        (INT(), 999_999_999, b"999999999"),
        (INT(), -99_999_999, b"-99999999"),
        (INT(size=3), 42, b"42 "),
        (INT(size=3, null=True), None, b"###"),
        (PK().bind_width(6), 1, b"1     "),
        (FK("a", null=True).bind_width(6), None, b"######"),
        (CHAR(5), "foo", b"foo  "),
        (CHAR(5), "", b"     "),
        (CHAR(5), " x", b" x   "),
        (CHAR(5), "añb\n", b"a\xc3\xb1b\n"),
        (CHAR(4), "\U0001f5ff", b"\xf0\x9f\x97\xbf"),
        (CHAR(3, null=True), None, b"\0\0\0"),
        (CHAR(3), "a\0", b"a\0 "),
        (TEXT(), 0, b"0        "),
        (TEXT(null=True), None, b"#########"),
    ],
)
def test_a_value_has_these_bytes_and_reads_back_from_them(
    kind: FieldType, value: Any, data: bytes
) -> None:
    assert kind.serialize(value) == data
    assert kind.deserialize(b"xx" + data + b"yy", 2) == (value, 2 + kind.size)


@pytest.mark.parametrize(
    "kind, value, message",
    [
        (INT(), None, "The value can't be None"),
        (INT(), "abc", "Type mismatch: `'abc'` is not `int`, but `str`"),
        (INT(), True, "Type mismatch: `True` is not `int`, but `bool`"),
        (INT(), 1.0, "Type mismatch: `1.0` is not `int`, but `float`"),
        (INT(), 10**9, "The value is too big: `1000000000` has more than 9 characters"),
        (INT(), -(10**8), "The value is too big: `-100000000` has more than 9 characters"),
        pytest.param(
            INT(),
            10**6000,
            "The value is too big: `a value of type int` has more than 9 characters",
            id="more digits than str allows",
        ),
        (INT(size=1), -1, "The value is too big: `-1` has more than 1 character"),
        (PK().bind_width(6), 10**6, "The value is too big: `1000000` has more than 6 characters"),
        (CHAR(5), None, "The value can't be None"),
        (CHAR(5), 11, f"Type mismatch: `11` is not {TEXTS}, but `int`"),
        (
            CHAR(5),
            bytearray(b"x"),
            f"Type mismatch: `bytearray(b'x')` is not {TEXTS}, but `bytearray`",
        ),
        (
            CHAR(5),
            "abcdef",
            "The value is too long: `'abcdef'` has 6 bytes in UTF-8, and at most 5 fit",
        ),
        (CHAR(5), "ñññ", "The value is too long: `'ñññ'` has 6 bytes in UTF-8, and at most 5 fit"),
        (CHAR(5), "\0", "The value can't begin with a NUL character"),
        (CHAR(5), "\ud800", "The value is not valid UTF-8: `'\\ud800'`"),
        (CHAR(5), b"\xff", "The value is not valid UTF-8: `b'\\xff'`"),
        (TEXT(), None, "The value can't be None"),
        (TEXT(), 5, f"Type mismatch: `5` is not {TEXTS}, but `int`"),
        (TEXT(), ["x" * 999], f"Type mismatch: `['{198 * 'x'}...` is not {TEXTS}, but `list`"),
        (TEXT(), b"\xc3", "The value is not valid UTF-8: `b'\\xc3'`"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(
    kind: FieldType, value: Any, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Field("f", kind).validate(value)
    assert caught.value.message == f"'f': {message}"
    assert str(caught.value) == caught.value.message


@pytest.mark.parametrize(
    "kind, data",
    [
        (INT(size=3), b"1a "),
        (INT(size=3), b"   "),
        (INT(size=3, null=True), b"#1 "),
        (INT(size=3), b"\0\0\0"),
        (CHAR(3), b"\0ab"),
        (CHAR(3, null=True), b"\0ab"),
        (CHAR(3), b"\xff  "),
        (TEXT(), b"-1       "),
        (TEXT(), b"x        "),
    ],
)
def test_bytes_that_no_value_gives_are_a_value_error(kind: FieldType, data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        kind.deserialize(data, 0)


@pytest.mark.parametrize(
    "kind, data", [(INT(size=3), b"###"), (CHAR(3), b"\0\0\0"), (TEXT(), b"#########")]
)
def test_a_stored_null_where_none_is_allowed_is_inconsistent(kind: FieldType, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^Inconsistent data$"):
        kind.deserialize(data, 0)


@pytest.mark.parametrize("size", [0, -1, True, "5", 2.0])
def test_a_field_has_a_positive_size(size: Any) -> None:
    with pytest.raises(ValidationError):
        CHAR(size)


@pytest.mark.parametrize("width", [6, 9])
@pytest.mark.parametrize("kind", [INT(), PK(), FK("a")])
def test_an_integer_without_a_size_takes_the_directorys_width(kind: INT, width: int) -> None:
    bound = kind.bind_width(width)
    assert (bound.size, bound.params, type(bound)) == (width, kind.params, type(kind))
    assert kind.size == 9


def test_a_size_that_was_given_stays() -> None:
    assert INT(size=4).bind_width(6).size == 4
    assert TEXT().bind_width(6).size == 9


@given(st.integers(-99_999, 999_999))
def test_every_integer_that_fits_survives(value: int) -> None:
    kind = INT(size=6)
    kind.validate(value)
    assert kind.deserialize(kind.serialize(value), 0)[0] == value


@given(st.text(max_size=8))
def test_every_accepted_text_survives_but_for_trailing_spaces(value: str) -> None:
    kind = CHAR(8, null=True)
    try:
        kind.validate(value)
    except ValidationError:
        assert len(value.encode("utf-8", "replace")) > 8 or value.startswith("\0")
    else:
        data = kind.serialize(value)
        assert len(data) == 8
        assert kind.deserialize(data, 0)[0] == value.rstrip(" ")


@given(st.binary(min_size=4, max_size=4))
def test_any_four_bytes_are_a_value_or_a_value_error(data: bytes) -> None:
    for kind in (INT(size=4), INT(size=4, null=True), CHAR(4), CHAR(4, null=True)):
        try:
            kind.deserialize(data, 0)
        except ValueError:
            pass
