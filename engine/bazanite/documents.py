"""Field types for bytes and for JSON documents, both kept in the table's text file.

Pure.  Each value is written in one way, and what is written in another way is no value: so equal
bytes are equal values, and damage is seldom taken for one.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from math import isfinite
from typing import Any

from .errors import ValidationError, mismatch, shown_value
from .fields import TEXT_WIDTH, LongType, utf8

DEEPEST = 100
"""How many lists and objects of a document may lie in each other: any program can read so many."""
_WIDEST_INT = 640
_encoder = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)


class BLOB(LongType):
    """Bytes of any kind, in the text file as base64 (RFC 4648, section 4).

    A third longer than the bytes; in hexadecimal they would take twice as much.
    """

    def to_text(self, val: bytes | bytearray) -> bytes:
        if not isinstance(val, (bytes, bytearray)):
            raise mismatch(val, "`bytes` or `bytearray`")
        return b64encode(val)

    def from_text(self, data: bytes) -> bytes:
        value = b64decode(data, validate=True)
        if b64encode(value) != data:
            raise ValueError("not as base64 is written")
        return value


class JSON(LongType):
    """A JSON document: what ``json`` reads back equal to what was stored.

    So dicts with keys of text, lists, text, finite numbers, booleans and None, in each other to a
    depth of 100.  A None that is the whole value is NULL.  The text has sorted keys and no spaces.
    """

    def to_text(self, val: Any) -> bytes:
        if val is None:
            raise ValidationError("The value can't be None")
        _check(val, DEEPEST)
        return utf8(_encoder.encode(val))

    def quick(self, val: Any) -> tuple[bytes, Any] | None:
        try:
            data = self.to_text(val)
        except ValidationError:
            return None
        return (data, json.loads(data)) if len(data) < 10**TEXT_WIDTH else None

    def from_text(self, data: bytes) -> Any:
        try:
            value = json.loads(data.decode())
            if self.to_text(value) != data:
                raise ValueError("not as JSON is written here")
        except (ValidationError, RecursionError) as error:
            raise ValueError(str(error)) from error
        return value


def _check(document: Any, room: int) -> None:
    """ValidationError naming the first part that JSON would lose or change."""
    if not isinstance(document, (dict, list)):
        _check_plain(document)
        return
    if not room:  # or it lies in itself
        raise ValidationError(f"JSON: more than {DEEPEST} lists and dicts in each other")
    parts: Iterable[Any] = document
    if isinstance(document, dict):
        for key in document:
            if not isinstance(key, str):
                own = type(key).__name__
                raise ValidationError(
                    f"JSON: the key `{shown_value(key)}` is not `str`, but `{own}`"
                )
        parts = document.values()
    for part in parts:
        _check(part, room - 1)


def _check_plain(part: Any) -> None:
    if isinstance(part, tuple):
        raise ValidationError(
            f"JSON: the tuple `{shown_value(part)}` would come back as a list: give a list"
        )
    if isinstance(part, float) and not isfinite(part):
        raise ValidationError(f"JSON: `{shown_value(part)}` is not a finite number")
    if isinstance(part, int) and not -(10**_WIDEST_INT) < part < 10**_WIDEST_INT:
        raise ValidationError(f"JSON: an integer has at most {_WIDEST_INT} digits")
    if part is not None and not isinstance(part, (str, int, float)):
        own = type(part).__name__
        raise ValidationError(f"JSON: `{shown_value(part)}`, of `{own}`, cannot be stored as JSON")
