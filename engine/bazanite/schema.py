"""A table's columns, and a row's bytes.

Pure.  A schema is declared once, with integers of unknown width, and bound to a directory's width
when a database opens; ``bind`` makes copies, so one class serves directories of both widths.

Invariants: field names are unique, one of them is ``id``, an integer that is never NULL; a row is
its fields side by side and a newline; only a deleted slot begins with ``*``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from .declared import NOTHING, Declared, ask, declared
from .encoder import RowEncoder, row_encoder
from .errors import ValidationError, listed, shown_value
from .fields import FK, INT, Field, FieldType, LongType
from .keys import KeyMaker
from .row import Row

DELETED = ord("*")
Key = str | tuple[str, ...]
"""A column, or several."""


class Schema:
    """An ordered list of fields; ValidationError if they cannot make a table.

    ``unique`` lists columns, or tuples of columns, of which no two rows may have the same values
    (NULL is like nothing else); ``indexes`` those by which rows are often looked for.
    """

    def __init__(
        self, schema: list[Field], *, unique: Iterable[Key] = (), indexes: Iterable[Key] = ()
    ) -> None:
        if not isinstance(schema, Sequence):
            raise ValidationError(f"A schema is a list of fields, not {shown_value(schema)}")
        if not schema:
            raise ValidationError("Schema must not be empty")
        names: set[str] = set()
        given: Sequence[object] = schema
        for field in given:
            if not isinstance(field, Field):
                raise ValidationError(f"A schema is a list of fields: {shown_value(field)} is none")
            name: object = field.name
            kind: object = field.type
            if type(name) is not str or not name:
                shown = shown_value(name)
                raise ValidationError(f"A field's name must be a non-empty string, not {shown}")
            if not isinstance(kind, FieldType) or type(getattr(kind, "size", None)) is not int:
                shown = shown_value(kind)
                raise ValidationError(f"'{name}': needs a type such as INT(), not {shown}")
            if name in names:
                raise ValidationError(f"'{name}': two fields have this name")
            names.add(name)
        self.schema = list(schema)
        self.names = frozenset(names)
        self.keys = self._all_keys(unique, indexes)

    def bind(self, int_width: int) -> Schema:
        """A copy whose unsized integers are ``int_width`` bytes wide."""
        bound = Schema([Field(name, kind.bind_width(int_width)) for name, kind in self.schema])
        bound.keys = self.keys
        return bound

    def _all_keys(
        self, unique: Iterable[Key], indexes: Iterable[Key]
    ) -> list[tuple[tuple[str, ...], bool]]:
        """(columns, whether they are unique) of each index that is declared, each once."""
        keys: dict[tuple[str, ...], bool] = {}
        for name, kind in self.schema:
            said = declared(kind)
            if said.unique or said.index:
                keys[self._columns(name)] = said.unique
        for given, is_unique in ((unique, True), (indexes, False)):
            for key in listed(given, "a list of columns"):
                columns = self._columns(key)
                keys[columns] = keys.get(columns, False) or is_unique
        return list(keys.items())

    def _columns(self, key: object) -> tuple[str, ...]:
        columns = (key,) if isinstance(key, str) else key
        if not isinstance(columns, (tuple, list)) or not columns:
            raise ValidationError(f"{shown_value(key)} is neither a column nor a tuple of columns")
        self.check_names(columns)
        self.check_indexable(columns)
        if len(set(columns)) != len(columns):
            raise ValidationError(f"{shown_value(key)}: a column is named twice")
        return tuple(columns)

    def check_id(self) -> None:
        """ValidationError unless there is an ``id`` that can serve as one."""
        for name, kind in self.schema:
            if name == "id":
                if not isinstance(kind, INT) or kind.null:
                    raise ValidationError("'id': must be a PK or another INT that is never None")
                return
        raise ValidationError("'id': a table needs a field of this name")

    def check_names(self, names: Iterable[object]) -> None:
        """ValidationError if one of these is not a field's name."""
        for name in names:
            if name not in self.names:
                shown = f"'{name}'" if isinstance(name, str) else shown_value(name)
                raise ValidationError(f"{shown}: no such field")

    def type_of(self, name: str) -> FieldType:
        """The type of a field that there is."""
        return next(field.type for field in self.schema if field.name == name)

    def check_indexable(self, names: Iterable[str]) -> None:
        """ValidationError if no index can have one of these columns."""
        kinds = {field.name: field.type for field in self.schema}
        KeyMaker([Field(name, kinds[name]) for name in names])

    def row_size(self) -> int:
        """Width of a row in bytes, with its newline."""
        return sum(field.type.size for field in self.schema) + 1

    def offsets(self) -> dict[str, int]:
        """Where each field begins in the row."""
        result: dict[str, int] = {}
        position = 0
        for name, kind in self.schema:
            result[name] = position
            position += kind.size
        return result

    def relations(self) -> list[tuple[str, str]]:
        """(field name, table it refers to) of each FK, in order."""
        return list(self.foreign)

    @cached_property
    def foreign(self) -> list[tuple[str, str]]:
        """The same, found once."""
        return [(f.name, f.type.params["rel_name"]) for f in self.schema if isinstance(f.type, FK)]

    @cached_property
    def encoder(self) -> RowEncoder | None:
        """The quick encoder of plain rows; None if a type is a program's own.  Bound schemas."""
        return row_encoder(self.schema)

    def text_fields(self) -> list[str]:
        """Names of the fields whose values stand in the text file, in order."""
        return [field.name for field in self.schema if isinstance(field.type, LongType)]

    @cached_property
    def defaults(self) -> dict[str, Declared]:
        """What was declared of the fields that have a default, by name."""
        found = {field.name: declared(field.type) for field in self.schema}
        return {name: said for name, said in found.items() if said.default is not NOTHING}

    @cached_property
    def checks(self) -> dict[str, Callable[[Any], Any]]:
        """The checks of the fields that have one, by name."""
        found = {field.name: declared(field.type).check for field in self.schema}
        return {name: check for name, check in found.items() if check is not None}

    def with_defaults(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values of a new row, with those of the fields that it leaves out."""
        missing = [name for name in self.defaults if name not in values]
        if not missing:
            return values
        return {**values, **{name: self.defaults[name].default_value() for name in missing}}

    def ask_checks(self, row: Mapping[str, Any], names: Collection[str] | None = None) -> None:
        """ValidationError naming the first field whose check refuses its value in this row.

        ``names`` are the fields to ask about, all if None; NULL is not asked about.
        """
        for name, check in self.checks.items():
            if (names is None or name in names) and row[name] is not None:
                ask(name, check, row[name])

    def column(self, field: Field, value: Any) -> bytes:
        """The field's bytes for this value, for a long one: for its offset, already validated."""
        data: object = field.type.serialize(value)
        if not isinstance(data, bytes):
            raise ValidationError(f"'{field.name}': {shown_value(data)} is not bytes")
        if len(data) != field.type.size:
            raise ValidationError(f"'{field.name}': {len(data)} bytes do not fit {field.type.size}")
        return data

    def as_read(self, name: str, value: Any) -> Any:
        """What is read of this value once it is stored; ValidationError if it cannot be."""
        field = next(field for field in self.schema if field.name == name)
        field.validate(value)
        if isinstance(field.type, LongType):
            return field.type.from_text(field.type.to_text(value))
        return field.type.deserialize(self.column(field, value), 0)[0]

    def join_columns(self, columns: Iterable[bytes]) -> bytes:
        """The row's bytes; ValidationError if they would read as a deleted slot."""
        row = b"".join(columns) + b"\n"
        if row[0] == DELETED:
            raise ValidationError(
                f"'{self.schema[0].name}': The value can't begin with '*' in the first field"
            )
        return row

    def to_row(self, values: Mapping[str, Any]) -> bytes:
        """The row's bytes, a long value given as its offset; a missing value is None."""
        columns: list[bytes] = []
        for field in self.schema:
            value = values.get(field.name)
            if not (isinstance(field.type, LongType) and isinstance(value, int)):
                field.validate(value)
            columns.append(self.column(field, value))
        return self.join_columns(columns)

    def parse(self, row: bytes) -> Row | None:
        """The row's values, long ones as offsets, or None for a deleted slot; else ValueError."""
        if len(row) != self.row_size() or row[-1:] != b"\n":
            raise ValueError(f"not a row of {self.row_size()} bytes")
        if row[0] == DELETED:
            return None
        values = Row()
        start = 0
        for name, kind in self.schema:
            values[name], _ = kind.deserialize(row, start)
            start += kind.size
        return values
