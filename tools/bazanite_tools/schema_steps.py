"""Steps of a migration as the command line names them: ``person.born:DATE null``.

Pure.  A table's name has no dot and no colon, so the first of these ends it; a column's name ends
at the first colon behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bazanite import (
    AddColumn,
    AddIndex,
    AddUnique,
    ChangeColumn,
    DropColumn,
    DropIndex,
    DropTable,
    DropUnique,
    Field,
    RenameColumn,
    RenameTable,
    SetOnDelete,
)
from bazanite.declared import declared
from bazanite.errors import ValidationError
from bazanite.steps import Step

from .output import CommandError
from .type_text import parse_type
from .values import cell, read, stored_value, wrong

Maker = Callable[[str], list[Step]]


def _parts(text: str, *, column: bool, rest: bool, syntax: str) -> tuple[str, str, str]:
    """Table, column and what follows the colon; CommandError unless they are as said."""
    head, colon, tail = text.partition(":")
    table, dot, name = head.partition(".")
    if not table or bool(colon and tail) != rest or bool(dot and name) != column:
        raise CommandError(f"{text!r}: write {syntax}")
    return table, name, tail


def _add_column(text: str) -> list[Step]:
    table, name, tail = _parts(text, column=True, rest=True, syntax="TABLE.COLUMN:TYPE[=VALUE]")
    kind, behind = parse_type(tail)
    field = Field(name, kind)
    steps: list[Step] = [AddColumn(table, field)]
    if behind.startswith("="):
        steps = [AddColumn(table, field, stored_value(field, behind[1:]))]
    elif behind.strip():
        raise CommandError(f"{text!r}: {behind!r} behind the type means nothing")
    said = declared(kind)
    if said.unique:
        steps.append(AddUnique(table, name))
    if said.index:
        steps.append(AddIndex(table, name))
    return steps


def _change_column(text: str) -> list[Step]:
    table, name, tail = _parts(text, column=True, rest=True, syntax="TABLE.COLUMN:TYPE")
    kind, behind = parse_type(tail)
    said = declared(kind)
    if behind.strip() or said.unique or said.index:
        raise CommandError(f"{text!r}: only a type, and null; indexes have their own options")
    return [ChangeColumn(table, name, kind, _converter(Field(name, kind)))]


def _converter(field: Field) -> Callable[[Any], Any]:
    """The same value where the new type takes it, else the one that is written so."""

    def convert(value: Any) -> Any:
        try:
            field.type.validate(value)
        except ValidationError:
            if value is None:
                raise
            text = value if isinstance(value, str) else cell(value)
            try:
                return read(field, text)
            except (ValueError, ArithmeticError) as error:
                raise ValidationError(str(wrong(field, text))) from error
        return value

    return convert


def _drop_column(text: str) -> list[Step]:
    table, name, _ = _parts(text, column=True, rest=False, syntax="TABLE.COLUMN")
    return [DropColumn(table, name)]


def _rename_column(text: str) -> list[Step]:
    table, name, tail = _parts(text, column=True, rest=True, syntax="TABLE.COLUMN:NEW_NAME")
    return [RenameColumn(table, name, tail)]


def _set_on_delete(text: str) -> list[Step]:
    syntax = "TABLE.COLUMN:restrict, or cascade, set_null, keep"
    table, name, tail = _parts(text, column=True, rest=True, syntax=syntax)
    return [SetOnDelete(table, name, tail)]


def _of_columns(make: Callable[[str, list[str]], Step]) -> Maker:
    def steps(text: str) -> list[Step]:
        table, _, tail = _parts(text, column=False, rest=True, syntax="TABLE:COLUMN,COLUMN")
        return [make(table, [name.strip() for name in tail.split(",")])]

    return steps


def _rename_table(text: str) -> list[Step]:
    table, _, tail = _parts(text, column=False, rest=True, syntax="TABLE:NEW_NAME")
    return [RenameTable(table, tail)]


def _drop_table(text: str) -> list[Step]:
    table, _, _ = _parts(text, column=False, rest=False, syntax="TABLE")
    return [DropTable(table)]


OPTIONS: dict[str, tuple[str, Maker, str]] = {
    "--add-column": ("T.C:TYPE[=VALUE]", _add_column, "a new last column"),
    "--drop-column": ("T.C", _drop_column, "take it away with its values"),
    "--rename-column": ("T.C:NEW", _rename_column, "call it something else"),
    "--change-column": (
        "T.C:TYPE",
        _change_column,
        "another type; values that do not fit refuse it",
    ),
    "--set-on-delete": ("T.C:WHAT", _set_on_delete, "restrict, cascade, set_null or keep"),
    "--add-index": (
        "T:C,C",
        _of_columns(AddIndex),
        "find rows by these columns without reading all",
    ),
    "--add-unique": ("T:C,C", _of_columns(AddUnique), "no two rows alike in these columns"),
    "--drop-index": ("T:C,C", _of_columns(DropIndex), "take an index away"),
    "--drop-unique": ("T:C,C", _of_columns(DropUnique), "allow rows alike in these columns"),
    "--rename-table": ("T:NEW", _rename_table, "call it something else"),
    "--drop-table": ("T", _drop_table, "take it away with its rows"),
}
"""The options, how their value is written, what steps it is, and what they do."""
