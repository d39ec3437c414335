"""The catalog: which tables a directory has, and how their rows are laid out (``schema.json``).

Pure: encodes, decodes and compares.  Nothing read here is trusted: a name that could lie outside
the directory, a width that no field has or a duplicate makes the whole catalog damaged.

Where a table has checksums the catalog has one too, of its own bytes, and another format number, so
that a program which does not know checksums refuses the directory.

Invariant: two schemas are the same if and only if their rows mean the same: order, names, types,
widths, NULLs, what else a type needs to be read, and the tables referred to.  A type of the
program's own is known by its class name.

The format's number is the lowest of which every program keeps all that the catalog says; one that
is too old for a directory refuses it.  A type that came with a later format may have been a
program's own before, by the same name: in the catalogs of older formats that is what it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, NoReturn

from .errors import CorruptionError, SchemaMismatch, ValidationError
from .fields import FK, TEXT_WIDTH, FieldType, LongType
from .files import CATALOG_NAME, check_table_name
from .kinds import FIRST, LATER, LONG
from .schema import Schema

FORMAT = "bazanite 1"
CHECKED_FORMAT = "bazanite 2"
"""The format of a catalog in which some table has checksums."""
LATER_FORMAT = "bazanite 3"
"""The format of a catalog with one of the types that came later, with checksums or without."""
WIDTHS = range(2, 19)
"""Widths that integers of a directory may have; 18 digits stay below 2**63."""

_CHECK_START = b'{\n  "check": "'
_NO_CHECK = "0" * 16
_LARGEST_FIELD = 1 << 30
_OWN = "own:"
"""Stands before the name of a program's own type that is called like a built-in one."""
_PARAMS = {"DECIMAL": ("digits", "places"), "DATETIME": ("utc",)}
"""What must be known of a type beside its width to read it."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One column as the catalog knows it; ``table`` is what an FK refers to.

    ``params`` are a type's other arguments that its bytes depend on, by name.
    """

    name: str
    type: str
    size: int
    null: bool
    table: str | None = None
    params: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        target = f" to '{self.table}'" if self.table is not None else ""
        params = "".join(f", {name}={value}" for name, value in self.params)
        return f"{self.type}({self.size}{params}){target}{' null' if self.null else ''}"

    def later_type(self) -> FieldType | None:
        """The type, if it is one of those that came later; ValidationError if it cannot be."""
        made: Any = LATER.get(self.type)
        return None if made is None else made(**dict(self.params), null=self.null)


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table's columns, in order, and whether there are checksums of its files."""

    fields: tuple[FieldSpec, ...]
    checksums: bool = False

    @property
    def row_size(self) -> int:
        """Width of a row in bytes, with its newline."""
        return sum(field.size for field in self.fields) + 1

    @property
    def has_text(self) -> bool:
        """Whether the table has a text file."""
        return any(field.type in LONG for field in self.fields)

    def references(self, table: str) -> list[tuple[int, int]]:
        """(offset in the row, width) of each column that refers to this table."""
        result: list[tuple[int, int]] = []
        offset = 0
        for field in self.fields:
            if field.table == table:
                result.append((offset, field.size))
            offset += field.size
        return result


@dataclass(frozen=True, slots=True)
class Catalog:
    """All tables of a directory, and how wide its unsized integers are."""

    int_width: int
    tables: dict[str, TableSpec]

    @property
    def has_checksums(self) -> bool:
        """Whether any table has them."""
        return any(spec.checksums for spec in self.tables.values())

    @property
    def format(self) -> str:
        """The lowest one whose programs keep all that is in it."""
        if any(field.type in LATER for spec in self.tables.values() for field in spec.fields):
            return LATER_FORMAT
        return CHECKED_FORMAT if self.has_checksums else FORMAT


def spec_of(schema: Schema) -> TableSpec:
    """What the catalog keeps of a bound schema."""
    return TableSpec(tuple(_field_spec(name, kind) for name, kind in schema.schema))


def _field_spec(name: str, kind: FieldType) -> FieldSpec:
    own = type(kind).__name__
    built_in = type(kind) in (*FIRST.values(), *LATER.values())
    if isinstance(kind, LongType) and not built_in:
        base = next((c.__name__ for c in type(kind).__mro__ if c.__name__ in LONG), "LongType")
        raise ValidationError(f"'{name}': {base} cannot be subclassed")
    if not (name + own).isprintable():
        raise ValidationError(f"{name!a}: names of fields and types must be printable")
    if not own or own.startswith(_OWN) or (own in FIRST and not built_in):
        raise ValidationError(f"'{name}': a type of one's own cannot be called {own!r}")
    if own in LATER and not built_in:
        own = _OWN + own
    if not 0 < kind.size < _LARGEST_FIELD:
        raise ValidationError(f"'{name}': a field has from 1 to {_LARGEST_FIELD - 1} bytes")
    target = kind.params["rel_name"] if isinstance(kind, FK) else None
    params = tuple((key, kind.params[key]) for key in _PARAMS.get(own, ()))
    return FieldSpec(name, own, kind.size, kind.null, target, params)


def compare(table: str, stored: TableSpec, declared: TableSpec) -> None:
    """SchemaMismatch naming the first difference, if there is one."""
    for old, new in zip(stored.fields, declared.fields, strict=False):
        if old.name != new.name:
            raise SchemaMismatch(
                f"table '{table}': stored '{old.name}' {old}, declared '{new.name}' {new}"
            )
        if old != new:
            raise SchemaMismatch(f"table '{table}', '{old.name}': stored {old}, declared {new}")
    shared = min(len(stored.fields), len(declared.fields))
    for field in stored.fields[shared:]:
        raise SchemaMismatch(f"table '{table}': stored '{field.name}' {field} is not declared")
    for field in declared.fields[shared:]:
        raise SchemaMismatch(f"table '{table}': declared '{field.name}' {field} is not stored")


def encode(catalog: Catalog) -> bytes:
    """The bytes of ``schema.json``."""
    form = catalog.format
    tables = {
        name: {"fields": [_field_json(field, form) for field in spec.fields]}
        | ({"checksums": True} if spec.checksums else {})
        for name, spec in catalog.tables.items()
    }
    document = {"format": form, "int_width": catalog.int_width, "tables": tables}
    if catalog.has_checksums:
        document |= {"check": _NO_CHECK}
    data = json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"
    return _checked(data) if catalog.has_checksums else data


def _checked(data: bytes) -> bytes:
    """The same with the checksum in its place, which it counts as zeros."""
    end = len(_CHECK_START) + len(_NO_CHECK)
    blank = _CHECK_START + _NO_CHECK.encode() + data[end:]
    digits = blake2b(blank, digest_size=8).hexdigest().encode()
    return _CHECK_START + digits + data[end:]


def _field_json(field: FieldSpec, form: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": field.name,
        "type": field.type if form == LATER_FORMAT else field.type.removeprefix(_OWN),
        "size": field.size,
        "null": field.null,
        **dict(field.params),
    }
    if field.table is not None:
        result["table"] = field.table
    return result


def decode(data: bytes, directory: str = ".") -> Catalog:
    """The catalog in these bytes; CorruptionError if they are not one."""
    return _Decoder(f"{directory}/{CATALOG_NAME}").catalog(data)


class _Decoder:
    def __init__(self, path: str) -> None:
        self._path = path
        self._format = FORMAT

    def catalog(self, data: bytes) -> Catalog:
        checked = data.startswith(_CHECK_START)
        if checked and _checked(data) != data:
            start = len(_CHECK_START)
            found = ascii(data[start : start + len(_NO_CHECK)])
            digits = ascii(_checked(data)[start : start + len(_NO_CHECK)])
            raise CorruptionError(self._path, start, f"{digits}, its own checksum", found)
        try:
            document = json.loads(data.decode())
        except (ValueError, RecursionError) as error:
            position = getattr(error, "pos", getattr(error, "start", 0))
            raise CorruptionError(self._path, position, "a JSON document", str(error)) from error
        kinds = (CHECKED_FORMAT if checked else FORMAT, LATER_FORMAT)
        if not isinstance(document, dict) or document.get("format") not in kinds:
            shown = document.get("format") if isinstance(document, dict) else document
            self._refuse(f'a catalog of format "{kinds[0]}" or "{kinds[1]}"', shown)
        self._format = document["format"]
        width = document.get("int_width")
        if type(width) is not int or width not in WIDTHS:
            self._refuse(f"int_width from {WIDTHS.start} to {WIDTHS.stop - 1}", width)
        tables = document.get("tables")
        if not isinstance(tables, dict):
            self._refuse("an object 'tables'", tables)
        catalog = Catalog(width, {self._name(n): self._table(n, t) for n, t in tables.items()})
        if catalog.has_checksums != checked:
            self._refuse("checksums of a table if there is one of the catalog", None)
        if catalog.format != self._format:
            self._refuse(f'a catalog of format "{catalog.format}"', self._format)
        return catalog

    def _refuse(self, expected: str, found: object) -> NoReturn:
        text = repr(found)
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        raise CorruptionError(self._path, 0, expected, shown)

    def _name(self, name: object) -> str:
        try:
            return check_table_name(name)
        except ValidationError:
            self._refuse("a table's name", name)

    def _table(self, table: str, document: object) -> TableSpec:
        fields = document.get("fields") if isinstance(document, dict) else None
        if not isinstance(fields, list) or not fields:
            self._refuse(f"a list of fields of table '{table}'", document)
        specs = tuple(self._field(table, field) for field in fields)
        if len({spec.name for spec in specs}) != len(specs):
            self._refuse(f"different field names in table '{table}'", [spec.name for spec in specs])
        checksums = document.get("checksums", False) if isinstance(document, dict) else False
        if not isinstance(checksums, bool):
            self._refuse(f"whether table '{table}' has checksums", checksums)
        return TableSpec(specs, checksums)

    def _field(self, table: str, document: object) -> FieldSpec:
        expected = f"a field of table '{table}'"
        if not isinstance(document, dict):
            self._refuse(expected, document)
        name, kind = document.get("name"), document.get("type")
        size, null = document.get("size"), document.get("null")
        if not (isinstance(name, str) and name and isinstance(kind, str) and kind):
            self._refuse(expected, document)
        if not (name + kind).isprintable():  # it is shown to people, in any terminal
            self._refuse(f"{expected} with printable names", ascii(name + kind))
        if type(size) is not int or not 0 < size < _LARGEST_FIELD or not isinstance(null, bool):
            self._refuse(expected, document)
        if kind == "TEXT" and size != TEXT_WIDTH:
            self._refuse(f"{expected} with a TEXT of {TEXT_WIDTH}", document)
        target = document.get("table")
        if target is not None:
            target = self._name(target)
        elif kind == "FK":
            self._refuse(f"{expected} with the table that it refers to", document)
        spec = FieldSpec(name, self._type(kind, expected), size, null, target)
        spec = replace(spec, params=self._params(spec.type, document, expected))
        later = spec.later_type()
        if later is not None and later.size != size:
            self._refuse(f"{expected} with a {kind} of {later.size}", document)
        return spec

    def _type(self, kind: str, expected: str) -> str:
        """The type's name, with a sign before it if it is a program's own in spite of its name."""
        if self._format != LATER_FORMAT:
            return _OWN + kind if kind in LATER else kind
        if kind.startswith(_OWN) and kind.removeprefix(_OWN) not in LATER:
            self._refuse(expected, kind)
        return kind

    def _params(
        self, kind: str, document: dict[str, Any], expected: str
    ) -> tuple[tuple[str, Any], ...]:
        names = _PARAMS.get(kind, ())
        params = tuple((name, document.get(name)) for name in names)
        try:
            FieldSpec("", kind, 0, False, None, params).later_type()
        except ValidationError:
            self._refuse(f"{expected} with {' and '.join(names)}", document)
        return params
