"""Schemas made from the catalog: of tables that no class was given for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .codec import Layout
from .errors import ValidationError
from .fields import CHAR, FK, INT, PK, TEXT, Field, FieldType
from .files import TableFiles
from .schema import Schema
from .specs import FieldSpec, TableSpec


class Opaque(FieldType):
    """Stands for a type of a program's own, which is not here: its bytes, as they are."""

    def __init__(self, stored: FieldSpec) -> None:
        super().__init__(stored.size, stored.null)
        self.stands_for = stored.type

    def serialize(self, val: bytes) -> bytes:
        return val

    def deserialize(self, row: bytes, start: int) -> tuple[bytes, int]:
        end = start + self.size
        return row[start:end], end

    def validate_type(self, val: Any) -> None:
        if val is not None and (type(val) is not bytes or len(val) != self.size):
            raise ValidationError(f"Needs exactly {self.size} bytes")


class OpaqueFK(FK):
    """The same for one that refers to a table: its bytes are taken for an FK's, damaged otherwise.

    So whoever deletes a row finds who refers to it, or is refused, without the program's type.
    """

    def __init__(self, stored: FieldSpec, target: str) -> None:
        super().__init__(target, stored.null)
        self.size = stored.size
        self.stands_for = stored.type


def schema_of(spec: TableSpec, given: Mapping[str, FieldType] = MappingProxyType({})) -> Schema:
    """The schema of a table in the catalog; a type that is neither ours nor given is opaque."""
    return Schema([Field(f.name, given.get(f.name) or _kind(f)) for f in spec.fields])


def layout_of(
    files: TableFiles,
    spec: TableSpec,
    int_width: int,
    given: Mapping[str, FieldType] = MappingProxyType({}),
) -> Layout:
    """Where the bytes of such a table stand, in a directory whose integers are so wide."""
    return Layout(files, schema_of(spec, given).bind(int_width), int_width)


def _kind(field: FieldSpec) -> FieldType:
    later = field.later_type()
    if later is not None:
        return later
    if field.type == "PK":
        kind: FieldType = PK()
        kind.size = field.size
        return kind
    if field.type == "INT":
        return INT(field.size, field.null)
    if field.type == "CHAR":
        return CHAR(field.size, field.null)
    if field.type == "TEXT":
        return TEXT(field.null)
    if field.type == "FK" and field.table is not None:
        kind = FK(field.table, field.null)
        kind.size = field.size
        return kind
    if field.table is not None:
        return OpaqueFK(field, field.table)
    return Opaque(field)
