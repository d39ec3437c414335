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
import re
from collections.abc import Iterable
from dataclasses import asdict, replace
from hashlib import blake2b
from itertools import chain, count
from typing import Any, NoReturn

from .errors import CorruptionError, SchemaMismatch, ValidationError
from .fields import FK, KEEP, ON_DELETE, SET_NULL, TEXT_WIDTH, FieldType, LongType
from .files import CATALOG_NAME, check_table_name
from .kinds import FIRST, LATER, LONG
from .schema import Schema
from .specs import (
    CHECKED_FORMAT,
    FORMAT,
    LATER_FORMAT,
    Catalog,
    FieldSpec,
    IndexSpec,
    MigrationRecord,
    TableSpec,
)
from .stored_schema import Opaque, OpaqueFK

WIDTHS = range(2, 19)
"""Widths that integers of a directory may have; 18 digits stay below 2**63."""


_CHECK_START = b'{\n  "check": "'
_NO_CHECK = "0" * 16
_LARGEST_FIELD = 1 << 30
_NOT_IN_FILES = re.compile(r"[^A-Za-z0-9_-]")
_INDEX_NAME = re.compile(r"[A-Za-z0-9_-]{1,30}(\.[0-9]{1,9})?\Z")
_LONGEST_INDEX_NAME = 30
_OWN = "own:"
"""Stands before the name of a program's own type that is called like a built-in one."""
_PARAMS = {"DECIMAL": ("digits", "places"), "DATETIME": ("utc",)}
"""What must be known of a type beside its width to read it."""


def spec_of(schema: Schema) -> TableSpec:
    """What the catalog keeps of a bound schema."""
    indexes: list[IndexSpec] = []
    for columns, unique in schema.keys:
        indexes.append(IndexSpec(index_name(columns, indexes), columns, unique))
    fields = tuple(field_spec(name, kind) for name, kind in schema.schema)
    return TableSpec(fields, indexes=tuple(indexes))


def index_name(columns: Iterable[str], taken: Iterable[IndexSpec]) -> str:
    """A name for an index, of which its file is called; columns may be called anything."""
    name = _NOT_IN_FILES.sub("_", "-".join(columns))[:_LONGEST_INDEX_NAME]
    names = {index.name for index in taken}
    tries = chain([name], (f"{name}.{number}" for number in count(2)))
    return next(candidate for candidate in tries if candidate not in names)


def settled(spec: TableSpec, on_delete: str) -> TableSpec:
    """The same, with this in every reference that does not say what a delete does."""
    fields = [
        replace(f, on_delete=on_delete) if f.table is not None and f.on_delete is None else f
        for f in spec.fields
    ]
    return replace(spec, fields=tuple(fields))


def field_spec(name: str, kind: FieldType) -> FieldSpec:
    """What the catalog keeps of a bound field."""
    if isinstance(kind, (Opaque, OpaqueFK)):
        if isinstance(kind, OpaqueFK):
            target, action = kind.params["rel_name"], kind.on_delete
            return FieldSpec(name, kind.stands_for, kind.size, kind.null, target, (), action)
        return FieldSpec(name, kind.stands_for, kind.size, kind.null)
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
    target, on_delete = None, None
    if isinstance(kind, FK):
        target, on_delete = kind.params["rel_name"], kind.on_delete
    params = tuple((key, kind.params[key]) for key in _PARAMS.get(own, ()))
    return FieldSpec(name, own, kind.size, kind.null, target, params, on_delete)


def compare(table: str, stored: TableSpec, declared: TableSpec) -> None:
    """SchemaMismatch naming the first difference; the directory may have more indexes."""
    try:
        compare_columns(table, stored, declared)
    except SchemaMismatch as error:
        raise SchemaMismatch(f"{error.message}; a migration can change what is stored") from None
    for index in declared.indexes:
        same = [i for i in stored.indexes if i.columns == index.columns]
        if not any(i.unique or not index.unique for i in same):
            raise SchemaMismatch(
                f"table '{table}': declared {index} is not stored; a migration can add it "
                f"({'AddUnique' if index.unique else 'AddIndex'})"
            )


def compare_columns(table: str, stored: TableSpec, declared: TableSpec) -> None:
    """SchemaMismatch naming the first column that differs."""
    for old, new in zip(stored.fields, declared.fields, strict=False):
        if old.name != new.name:
            raise SchemaMismatch(
                f"table '{table}': stored '{old.name}' {old}, declared '{new.name}' {new}"
            )
        if new.on_delete is None:
            new = replace(new, on_delete=old.on_delete)  # noqa: PLW2901  whatever is stored
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
        | ({"indexes": [_index_json(index) for index in spec.indexes]} if spec.indexes else {})
        for name, spec in catalog.tables.items()
    }
    document = {"format": form, "int_width": catalog.int_width, "tables": tables}
    if catalog.has_checksums:
        document["check"] = _NO_CHECK
    if catalog.migrations:
        document["migrations"] = [asdict(record) for record in catalog.migrations]
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
    if field.on_delete not in (None, KEEP):
        result["on_delete"] = field.on_delete
    return result


def _index_json(index: IndexSpec) -> dict[str, Any]:
    result: dict[str, Any] = {"name": index.name, "columns": [*index.columns]}
    if index.unique:
        result["unique"] = True
    if index.built is not None:
        result["built"] = index.built
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
        specs = {self._name(n): self._table(n, t) for n, t in tables.items()}
        catalog = Catalog(width, specs, self._migrations(document.get("migrations", [])))
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

    def _migrations(self, document: object) -> tuple[MigrationRecord, ...]:
        if not isinstance(document, list):
            self._refuse("a list of migrations", document)
        records: list[MigrationRecord] = []
        for item in document:
            known = isinstance(item, dict) and item.keys() == {"version", "name", "done"}
            if not known or not isinstance(item["name"], str) or not item["name"].isprintable():
                self._refuse("a migration", item)
            if any(type(item[key]) is not int or item[key] < 0 for key in ("version", "done")):
                self._refuse("a migration", item)
            records.append(MigrationRecord(**item))
        versions = [record.version for record in records]
        if versions != sorted(set(versions)):
            self._refuse("migrations in their order", versions)
        return tuple(records)

    def _table(self, table: str, document: object) -> TableSpec:
        fields = document.get("fields") if isinstance(document, dict) else None
        if not isinstance(fields, list) or not fields:
            self._refuse(f"a list of fields of table '{table}'", document)
        specs = tuple(self._field(table, field) for field in fields)
        if len({spec.name for spec in specs}) != len(specs):
            self._refuse(f"different field names in table '{table}'", [spec.name for spec in specs])
        if all(spec.name != "id" for spec in specs):
            self._refuse(f"a field 'id' of table '{table}'", document)
        checksums = document.get("checksums", False) if isinstance(document, dict) else False
        if not isinstance(checksums, bool):
            self._refuse(f"whether table '{table}' has checksums", checksums)
        assert isinstance(document, dict)
        return TableSpec(specs, checksums, self._indexes(table, specs, document.get("indexes", [])))

    def _indexes(
        self, table: str, fields: tuple[FieldSpec, ...], document: object
    ) -> tuple[IndexSpec, ...]:
        if not isinstance(document, list):
            self._refuse(f"a list of indexes of table '{table}'", document)
        found = tuple(self._index(table, {field.name for field in fields}, d) for d in document)
        if len({index.name for index in found}) != len(found):
            self._refuse(f"different index names in table '{table}'", [i.name for i in found])
        return found

    def _index(self, table: str, fields: set[str], document: object) -> IndexSpec:
        expected = f"an index of table '{table}'"
        if not isinstance(document, dict):
            self._refuse(expected, document)
        name, columns = document.get("name"), document.get("columns")
        unique, built = document.get("unique", False), document.get("built")
        if not (isinstance(name, str) and _INDEX_NAME.match(name) and isinstance(unique, bool)):
            self._refuse(expected, document)
        known = isinstance(columns, list) and all(isinstance(c, str) for c in columns)
        if not (known and columns and fields.issuperset(columns)):
            self._refuse(f"{expected} of columns that it has", document)
        if len(set(columns)) != len(columns):
            self._refuse(f"{expected} of different columns", document)
        if built is not None and (type(built) is not int or built < 0):
            self._refuse(expected, document)
        return IndexSpec(name, tuple(columns), unique, built)

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
        spec = FieldSpec(name, self._type(kind, expected), size, null)
        spec = replace(spec, params=self._params(spec.type, document, expected))
        later = spec.later_type()
        if later is not None and later.size != size:
            self._refuse(f"{expected} with a {kind} of {later.size}", document)
        target, action = document.get("table"), document.get("on_delete")
        if target is None:
            if kind == "FK" or action is not None:
                self._refuse(f"{expected} with the table that it refers to", document)
            return spec
        if action is None:
            action = KEEP
        elif action not in ON_DELETE or (action == SET_NULL and not null):
            self._refuse(f"{expected} with what a delete does", document)
        return replace(spec, table=self._name(target), on_delete=action)

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
