"""Migrations of a workload as the engine's, and whether they are ones at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    Migration,
    RenameColumn,
    RenameTable,
    SetOnDelete,
    building,
)

from .schema_model import CONVERTED, Change
from .workload import field_of

_SLOTS = 2
"""An index is built with so many rows at once, so that a few rows take several transactions."""


def migration(version: int, changes: list[Change]) -> Migration:
    """The engine's."""
    return Migration(version, f"number {version}", [_step(*change) for change in changes])


def _step(name: str, table: str, *arguments: Any) -> Any:
    match name, *arguments:
        case ["add_column", column, kind]:
            return AddColumn(table, field_of(column, kind), None)
        case ["add_column", column, kind, value]:
            return AddColumn(table, field_of(column, kind), value)
        case ["change_column", column, kind]:
            return ChangeColumn(table, column, field_of(column, kind).type)
        case ["change_column", column, kind, convert] if convert == CONVERTED:
            return ChangeColumn(table, column, field_of(column, kind).type, _as_text)
    return _STEPS[name](table, *arguments)


def _as_text(value: Any) -> Any:
    return None if value is None else str(value)


_STEPS: dict[str, Any] = {
    "drop_column": DropColumn,
    "rename_column": RenameColumn,
    "add_index": AddIndex,
    "add_unique": AddUnique,
    "drop_index": DropIndex,
    "drop_unique": DropUnique,
    "set_on_delete": SetOnDelete,
    "rename_table": RenameTable,
    "drop_table": DropTable,
}


class _Small:
    """How many migrations are under way, in whichever simulated process."""

    count = 0
    usual = building.SLOTS_AT_ONCE


@contextmanager
def built_bit_by_bit() -> Iterator[None]:
    """Meanwhile the engine builds indexes a few rows at a time."""
    _Small.count += 1
    building.SLOTS_AT_ONCE = _SLOTS
    try:
        yield
    finally:
        _Small.count -= 1
        if not _Small.count:
            building.SLOTS_AT_ONCE = _Small.usual
