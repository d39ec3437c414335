"""What the command line says of tables and columns that come in: types and other names."""

from __future__ import annotations

from collections.abc import Sequence

from ..output import CommandError
from .column_text import Wish, parse
from .incoming import Source


def wishes_of(given: Sequence[str] | None) -> dict[str, Wish]:
    """The columns' types by ``[TABLE.]COLUMN``; CommandError for what is none."""
    result: dict[str, Wish] = {}
    for text in given or ():
        name, colon, kind = text.rpartition(":")
        if not colon or not name:
            raise CommandError(f"--column {text!r}: NAME:TYPE is expected")
        try:
            result[name] = parse(kind)
        except CommandError as error:
            raise CommandError(f"--column {name}: {error}") from error
    return result


def apply_wishes(sources: Sequence[Source], wishes: dict[str, Wish]) -> None:
    """Give each source its columns' types; CommandError for a column that there is not."""
    for name, wish in wishes.items():
        found = 0
        for source in sources:
            _know_columns(source)
            for column in source.columns:
                new = source.renamed.get(column, column)
                if name in (new, f"{source.name}.{new}"):
                    source.wishes[column] = wish
                    source.references.pop(column, None)
                    found += 1
        if found != 1:
            raise CommandError(f"--column {name}: " + _how_many(found))


def rename(sources: list[Source], given: Sequence[str] | None) -> None:
    """Give tables and columns their new names; CommandError for one that there is not."""
    for text in given or ():
        old, equals, new = text.rpartition("=")
        if not equals or not old or not new:
            raise CommandError(f"--rename {text!r}: OLD=NEW is expected")
        tables = [source for source in sources if source.name == old]
        if tables:
            _rename_table(sources, tables[0], new)
            continue
        found = 0
        for source in sources:
            _know_columns(source)
            for column in source.columns:
                if old in (column, f"{source.name}.{column}"):
                    _rename_column(source, column, new)
                    found += 1
        if found != 1:
            raise CommandError(f"--rename {old}: " + _how_many(found))


def _rename_table(sources: list[Source], table: Source, new: str) -> None:
    for source in sources:
        for column, (target, action) in source.references.items():
            if target == table.name:
                source.references[column] = (new, action)
    table.name = new


def _rename_column(source: Source, column: str, new: str) -> None:
    old = source.renamed.get(column, column)
    source.renamed[column] = new
    for keys in (source.unique, source.indexes):
        keys[:] = [
            tuple(
                new if name == old else name for name in ((key,) if isinstance(key, str) else key)
            )
            for key in keys
        ]


def _know_columns(source: Source) -> None:
    """Have all columns of JSON lines, which are told only by its rows."""
    if not source.columns:
        for _ in source.records():
            pass


def _how_many(found: int) -> str:
    return "there is no such column" if not found else "several tables have it: say TABLE.COLUMN"
