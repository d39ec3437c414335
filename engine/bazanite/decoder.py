"""Row decoders for one schema, as Python functions whose source is generated.

A loop over a row's fields costs more than decoding them.  So each schema gets functions in which
its fields are written out, compiled when they are first called.

Invariant: a function returns what the types' ``deserialize`` would, or raises.  Bytes that are
no row are for ``RowCodec`` to explain, which looks at the same row field by field.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any

from .fields import CHAR, FieldType, LongType
from .generated import code_of
from .kinds import NUMBERS, QUICK
from .row import Row
from .schema import DELETED, Schema

DecodeOne = Callable[[bytes], Row]
DecodeMany = Callable[[bytes], list[Row]]
DecodeBeside = Callable[[bytes, list[list[int | None]]], list[Row]]


class CompiledRows:
    """The functions of one schema; TEXT comes as its offset."""

    def __init__(self, schema: Schema) -> None:
        self._fields = schema.schema
        self._many: dict[tuple[bool, bool, bool, bool], DecodeMany] = {}
        self._beside: dict[bool, DecodeBeside] = {}
        self._one: DecodeOne | None = None

    def one(self) -> DecodeOne:
        """A function from the bytes of a live slot to its row; it raises if they are none."""
        if self._one is None:
            columns = ", ".join(f"c{n}" for n in range(len(self._fields)))
            is_number = type(self._fields[0].type) in NUMBERS  # and then no number begins with *
            deleted = "" if is_number else f" or data[0] == {DELETED}"
            source = (
                "def one(data):\n"
                f"    {columns}, end = unpack(data)\n"
                f"    if end != b'\\n'{deleted}:\n"
                "        raise ValueError('no live row')\n"
                f"    return Row({self._row(plain=False, nulls=True, hashes=True)})\n"
            )
            self._one = self._compiled("one", source, "c")
        return self._one

    def many(self, *, plain: bool, nulls: bool, hashes: bool, deleted: bool) -> DecodeMany:
        r"""A function from the bytes of whole slots to the rows of those that are not deleted.

        What it may do without: numbers that are not ``plain`` (see ``RowCodec``), ``\0`` bytes,
        ``#`` and ``*`` anywhere.
        """
        kind = plain, nulls, hashes, deleted
        found = self._many.get(kind)
        if found is None:
            columns = "".join(f"c{n}, " for n in range(len(self._fields)))
            live = f" if c0[0] != {DELETED}" if deleted else ""
            row = self._row(plain=plain, nulls=nulls, hashes=hashes)
            source = (
                "def many(data):\n"
                f"    return [Row({row})\n        for {columns}in iter_unpack(data){live}]\n"
            )
            found = self._many[kind] = self._compiled("many", source, "x")
        return found

    def beside(self, *, nulls: bool) -> DecodeBeside:
        r"""A function from the bytes of live slots, and the values of each number column, to rows.

        It may do without ``\0`` bytes.
        """
        found = self._beside.get(nulls)
        if found is None:
            count = len(self._fields)
            numbers = [n for n in range(count) if type(self._fields[n].type) in NUMBERS]
            row = ", ".join(
                f"{name!r}: c{n}" if n in numbers else
                f"{name!r}: {_value(kind, n, plain=False, nulls=nulls, hashes=True)}"
                for n, (name, kind) in enumerate(self._fields)
            )  # fmt: skip
            columns = "".join(
                f"numbers[{numbers.index(n)}], " if n in numbers else f"column{n}(data), "
                for n in range(count)
            )
            source = (
                "def beside(data, numbers):\n"
                f"    return [Row({{{row}}})\n"
                f"        for {''.join(f'c{n}, ' for n in range(count))}in zip({columns})]\n"
            )
            found = self._beside[nulls] = self._compiled("beside", source, "x")
        return found

    def _row(self, *, plain: bool, nulls: bool, hashes: bool) -> str:
        """The source of a dictionary of the columns c0, c1, ..."""
        return ", ".join(
            f"{name!r}: {_value(kind, number, plain=plain, nulls=nulls, hashes=hashes)}"
            for number, (name, kind) in enumerate(self._fields)
        ).join("{}")

    def _compiled(self, name: str, source: str, newline: str) -> Any:
        layout = struct.Struct("".join(f"{kind.size}s" for _, kind in self._fields) + newline)
        names: dict[str, Any] = {"Row": Row}
        names |= {"unpack": layout.unpack, "iter_unpack": layout.iter_unpack}
        start = 0
        for number, (_, kind) in enumerate(self._fields):
            own = struct.Struct(f"{start}x{kind.size}s{layout.size - start - kind.size}x")
            names[f"column{number}"] = partial(_one_column, own)
            start += kind.size
            names[f"odd{number}"] = partial(_deserialized, kind)
            names[f"null{number}"] = kind.size * (b"\0" if type(kind) is CHAR else b"#")
        # The source is made of numbers and of the field names' repr: no text of others is run.
        exec(code_of(source, f"{name} row of {len(self._fields)} fields"), names)  # noqa: S102
        return names[name]


def _value(kind: FieldType, number: int, *, plain: bool, nulls: bool, hashes: bool) -> str:
    """The source of the value of column ``number``."""
    column, odd, null = f"c{number}", f"odd{number}({{}})", f"null{number}"
    odd = odd.format(column)
    if type(kind) is CHAR:
        text = f"{column}.rstrip(b' ').decode()"
        if not nulls:
            return text
        if kind.null:
            odd = f"None if {column} == {null} else {odd}"
        return f"{text} if {column}[0] else {odd}"
    is_long = isinstance(kind, LongType) and type(kind) in QUICK
    if type(kind) in NUMBERS or is_long:
        if plain and not is_long:  # a negative offset has to be seen
            result = f"int({column})"
        else:
            digits = f"(digits := {column}.rstrip(b' '))"
            result = f"int(digits) if {digits}.isdigit() else {odd}"
        return f"None if {column} == {null} else {result}" if kind.null and hashes else result
    return odd


def _one_column(layout: struct.Struct, data: bytes) -> Iterator[bytes]:
    return chain.from_iterable(layout.iter_unpack(data))


def _deserialized(kind: FieldType, column: bytes) -> Any:
    return kind.deserialize(column, 0)[0]
