"""Rows of built-in types as bytes, quickly: one row, or some thousand column by column.

Pure.  Both are made once for each schema.  They know plain values only (of exactly the type that
the field gives back, or None, in range) and answer None for all others; the caller then takes the
careful path through ``Schema``, which says what is wrong, and with which row.

Invariant: what they give, bytes and row, is what the careful path gives for the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from . import textfile
from .compiled import compiled
from .digits import consecutive
from .fields import CHAR, INT, TEXT, TEXT_WIDTH, Field, FieldType, LongType
from .kinds import QUICK
from .row import Row

PLAIN: frozenset[type] = frozenset((dict, Row))
"""Types of mappings that do nothing of their own when they are read."""

_NONE = type(None)
_WIDEST_STRIPE = 160
"""Rows up to this size are put together byte by byte of all rows, longer ones column by column."""

_Value = Callable[[Any], tuple[bytes, Any] | None]
"""A value to its column's bytes and what will be read."""
OneRow = Callable[[Mapping[str, Any], int, int], tuple[bytes, Row, list[bytes]] | None]
"""(values, id, end of the text file) to bytes, row and pieces to append to the text file."""


class RowEncoder:
    """The encoder of one schema's rows, of which every type is a built-in one."""

    def __init__(self, schema: Sequence[Field]) -> None:
        self._fields = [(name, kind) for name, kind in schema if name != "id"]
        self._names = [name for name, _ in schema]
        self._sizes = [kind.size for _, kind in schema]
        self._row_size = sum(self._sizes) + 1
        self._texts = {name: kind for name, kind in schema if isinstance(kind, LongType)}
        self._places: dict[str, tuple[slice, slice]] = {}
        place = 0
        for name, kind in schema:
            self._places[name] = (slice(place), slice(place + kind.size, None))
            place += kind.size
        made = compiled(schema)
        self.one: OneRow = made["one"]
        self._values: dict[str, _Value] = {
            name: made[f"field{number}"]
            for number, (name, kind) in enumerate(schema)
            if name != "id" and not isinstance(kind, LongType)
        }
        self._columns = {
            name: _column_encoder(kind, self._values[name], first=position == 0)
            for position, (name, kind) in enumerate(schema)
            if name in self._values
        }
        self._rows: Callable[..., list[Row]] = made["rows"]

    def changed(
        self, values: Mapping[str, Any], pk: int, row: Row, data: bytes
    ) -> tuple[bytes, Row] | None:
        """A row's bytes and the row, with these values of its fields and this id.

        Long values are offsets.  None for what is unusual, and for any change of a long value.
        """
        row = Row(row)
        for name, value in values.items():
            if name == "id":
                row[name] = pk
                column = b"%d" % pk
                before, behind = self._places[name]
                column = column.ljust(len(data) - len(data[before]) - len(data[behind]))
            else:
                encode = self._values.get(name)
                made = encode(value) if encode is not None else None
                if made is None:
                    return None
                column, row[name] = made
                before, behind = self._places[name]
            data = data[before] + column + data[behind]
        return data, row

    def columns(self, given: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]] | None:
        """The values of each field, and of "id" if it is given; None unless the rows are alike."""
        if not set(map(type, given)) <= PLAIN:
            return None
        names = list(given[0])
        missing = set(self._names).difference(names) - {"id"}
        if len(names) + len(missing) + ("id" not in names) != len(self._names):
            return None  # an unknown field
        if set(map(len, given)) != {len(names)}:
            return None
        try:
            found = {name: [values[name] for values in given] for name in names}
        except KeyError:
            return None
        nothing = [None] * len(given)
        return {**found, **dict.fromkeys(missing, nothing)}

    def many(
        self, ids: Sequence[int], columns: dict[str, list[Any]], text_end: int, *, rows: bool = True
    ) -> tuple[bytes, list[Row], list[bytes], int] | None:
        """The bytes of all rows, the rows, pieces for the text file, and where that ends then.

        Without ``rows`` their list is empty: making them takes as long as all the rest.
        """
        stored = dict(columns)
        pieces: list[bytes] = []
        texts = {name: columns[name] for name in self._texts}
        if texts:
            made = _appended(texts, self._texts, text_end, pieces)
            if made is None or not self._texts_may_be_none(columns):
                return None
            offsets, texts = made
            stored.update(offsets)
        count = len(ids)
        shown: list[Sequence[Any]] = []
        stripes: list[bytes] = []
        for name, size in zip(self._names, self._sizes, strict=True):
            if name == "id":
                shown.append(ids)
                stripes.append(_ids(ids, size))
            elif name in self._columns:
                encoded = self._columns[name](stored[name])
                if encoded is None:
                    return None
                stripes.append(encoded[0])
                shown.append(encoded[1])
            else:
                stripes.append(_offsets(stored[name]))
                shown.append(texts[name])
        data = _side_by_side(stripes, self._sizes, count, self._row_size)
        given = self._rows(*shown) if rows else []
        return data, given, pieces, text_end + sum(map(len, pieces))

    def _texts_may_be_none(self, columns: dict[str, list[Any]]) -> bool:
        return all(kind.null or None not in columns[name] for name, kind in self._texts.items())


def row_encoder(schema: Sequence[Field]) -> RowEncoder | None:
    """The encoder of these fields; None if one of them is of a program's own type."""
    if all(type(kind) in QUICK for _, kind in schema):
        return RowEncoder(schema)
    return None


_Encoded = tuple[bytes, list[Any]]
"""A column's bytes, and its values as they will read."""


def _column_encoder(
    kind: FieldType, encode: _Value, *, first: bool
) -> Callable[[list[Any]], _Encoded | None]:
    if isinstance(kind, INT):
        return lambda values: _numbers(values, kind)
    if isinstance(kind, CHAR):
        return lambda values: _chars(values, kind, first=first)
    return lambda values: _each(values, encode)


def _each(values: list[Any], encode: _Value) -> _Encoded | None:
    """A column whose values are encoded one by one."""
    made = [encode(value) for value in values]
    plain = [one for one in made if one is not None]
    if len(plain) < len(made):
        return None
    return b"".join([data for data, _ in plain]), [value for _, value in plain]


def _kinds(values: list[Any], wanted: type, *, null: bool) -> set[type] | None:
    """The types of the values, if all are of the type wanted, or None where that may be."""
    kinds = set(map(type, values))
    if kinds == {wanted} or (null and kinds <= {wanted, _NONE}):
        return kinds
    return None


def _numbers(values: list[Any], kind: FieldType) -> _Encoded | None:
    size, count = kind.size, len(values)
    kinds = _kinds(values, int, null=kind.null)
    if kinds is None:
        return None
    try:
        if len(kinds) == 1 and _NONE not in kinds:
            data = (b"%%-%dd" % size * count) % tuple(values)
        else:
            null = "#" * size
            shown = tuple([null if value is None else value for value in values])
            data = (f"%-{size}s" * count % shown).encode()
    except ValueError:
        return None  # more digits than Python converts
    return (data, values) if len(data) == size * count else None  # else one was too wide


def _chars(values: list[Any], kind: FieldType, *, first: bool) -> _Encoded | None:
    size, count = kind.size, len(values)
    kinds = _kinds(values, str, null=kind.null)
    if kinds is None:
        return None
    texts = values if _NONE not in kinds else [value for value in values if value is not None]
    joined = "\n".join(texts)
    if "\0" in joined or (first and "*" in joined):
        return None  # mostly in the middle of a text, where the careful path takes it
    if joined.isascii():
        null = "\0" * size
        shown = values if texts is values else [null if v is None else v for v in values]
        data = (f"%-{size}s" * count % tuple(shown)).encode()
    else:
        try:
            pieces = [b"\0" * size if v is None else v.encode() for v in values]
        except UnicodeEncodeError:
            return None
        data = (b"%%-%db" % size * count) % tuple(pieces)
    if len(data) != size * count:
        return None  # one was too long
    if " \n" in joined or joined.endswith(" "):
        values = [v if v is None else v.rstrip(" ") for v in values]
    return data, values


def _ids(ids: Sequence[int], size: int) -> bytes:
    if isinstance(ids, range):
        return consecutive(ids.start, len(ids), size)
    return (b"%%-%dd" % size * len(ids)) % tuple(ids)


def _offsets(offsets: list[int | None]) -> bytes:
    null = "#" * TEXT_WIDTH
    shown = tuple([null if offset is None else offset for offset in offsets])
    return (f"%-{TEXT_WIDTH}s" * len(offsets) % shown).encode()


_Columns = dict[str, list[Any]]


def _appended(
    columns: _Columns, kinds: Mapping[str, LongType], end: int, pieces: list[bytes]
) -> tuple[_Columns, _Columns] | None:
    """The offsets of the long values, which are added to ``pieces`` row by row, and they as read.

    None for odd values.
    """
    offsets: _Columns = {name: [] for name in columns}
    # Plain text reads as it is given.
    read: _Columns = {n: c if type(kinds[n]) is TEXT else [] for n, c in columns.items()}
    plan = [
        (offsets[name], None if read[name] is column else (kinds[name].quick, read[name]))
        for name, column in columns.items()
    ]
    limit = 10**TEXT_WIDTH
    try:
        for row in zip(*columns.values(), strict=True):
            for (column, other), value in zip(plan, row, strict=True):
                if value is None:
                    column.append(None)
                    if other is not None:
                        other[1].append(None)
                    continue
                if other is not None:
                    made = other[0](value)
                    if made is None:
                        return None
                    data = made[0]
                    other[1].append(made[1])
                elif type(value) is not str:
                    return None
                else:
                    data = value.encode()
                if len(data) >= limit or end >= limit:
                    return None
                column.append(end)
                piece = textfile.encode(data)
                pieces.append(piece)
                end += len(piece)
    except UnicodeEncodeError:
        return None
    return offsets, read


def _side_by_side(stripes: list[bytes], sizes: list[int], count: int, row_size: int) -> bytes:
    """The rows that have these columns, each followed by a newline."""
    if row_size > _WIDEST_STRIPE:
        cut = [
            [stripe[start : start + size] for start in range(0, count * size, size)]
            for stripe, size in zip(stripes, sizes, strict=True)
        ]
        return b"".join(chain.from_iterable(zip(*cut, [b"\n"] * count, strict=True)))
    rows = bytearray(b"\n") * (row_size * count)
    place = 0
    for stripe, size in zip(stripes, sizes, strict=True):
        for start in range(size):
            rows[place::row_size] = stripe[start::size]
            place += 1
    return bytes(rows)
