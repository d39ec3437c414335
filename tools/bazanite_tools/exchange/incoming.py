"""What is to be put into a directory: tables with their types, found out before any row is stored.

A source gives its rows as often as it is asked.  First the types that nobody gave are guessed from
all values; then each value is tried against its column where that is not certain; then the rows
are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bazanite.fields import FK, INT, PK, Field, FieldType
from bazanite.files import check_table_name
from bazanite.schema import Key, Schema
from bazanite_wal.errors import ValidationError

from ..output import FINDINGS, CommandError, plural
from .column_text import Wish
from .guess import Guess
from .values import Convert

MOST_COLUMNS = 1000
_TOLD = 10
Record = tuple[int, Mapping[str, Any]]
"""The number of a row where it comes from, and its values by column; None is NULL."""


@dataclass(slots=True)
class Source:
    """A table as it comes; ``columns`` may grow while ``records`` is gone through (JSON lines).

    ``where`` says in words which row a number stands for.  ``renamed`` has the new names of columns
    that get one.  ``references`` has (target, what a delete does) of columns that refer to others,
    ``unique`` and ``indexes`` as in a ``Schema``, all by the new names.
    """

    name: str
    columns: list[str]
    records: Callable[[], Iterator[Record]]
    where: Callable[[int], str]
    reader: Callable[[FieldType], Convert]
    guess: Callable[[str, bool], Guess]
    """For a column, and whether it is the table's first."""
    wishes: dict[str, Wish] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    references: dict[str, tuple[str, str]] = field(default_factory=dict)
    null_declared: bool = False
    """Whether NULL may stand wherever ``not_null`` does not say otherwise; else the values say."""
    not_null: set[str] = field(default_factory=set)
    unique: list[Key] = field(default_factory=list)
    indexes: list[Key] = field(default_factory=list)
    last_id: int = 0


class Problems:
    """What cannot be stored, the first few in words."""

    def __init__(self) -> None:
        self.count = 0
        self.told: list[str] = []

    def add(self, text: str) -> None:
        """One more."""
        self.count += 1
        if len(self.told) < _TOLD:
            self.told.append(text)

    def refuse(self) -> None:
        """CommandError if there is any."""
        if self.count:
            more = [f"and {self.count - _TOLD:,} more"] if self.count > _TOLD else []
            lines = "\n  ".join([*self.told, *more])
            raise CommandError(
                f"{plural(self.count, 'value')} cannot be stored, so nothing was; --skip leaves"
                f" such rows out, --column says another type\n  {lines}",
                FINDINGS,
            )


class Incoming:
    """A table whose types are known.

    ``fields`` are the columns that come, by their names there; ``schema`` is None for a table that
    the directory has.  ``skipped`` counts the rows that ``rows`` left out; ``largest_id`` is the
    largest number among those that ``check`` found to be ids and references.
    """

    def __init__(self, source: Source, fields: dict[str, Field], schema: Schema | None) -> None:
        self.source = source
        self.name = source.name
        self.schema = schema
        self.fields = fields
        self.skipped = 0
        self.largest_id = 0
        self._readers = [
            (column, one.name, source.reader(one.type)) for column, one in fields.items()
        ]

    def check(self, problems: Problems, columns: list[str]) -> None:
        """Try the values of these columns, as the directory's width will be."""
        tried = [(self.fields[c], c, self.source.reader(self.fields[c].type)) for c in columns]
        for number, record in self.source.records():
            for one, column, read in tried:
                value = record.get(column)
                what = _refusal(one, read, value)
                if what is not None:
                    place = self.source.where(number)
                    problems.add(f"{place}: table '{self.name}', column '{column}': {what}")
                elif value is not None and isinstance(one.type, (PK, FK)):
                    self.largest_id = max(self.largest_id, read(value))

    def rows(self, *, skip: bool) -> Iterator[Record]:
        """The rows to be stored; ``skip``: without those that cannot be."""
        for number, record in self.source.records():
            if skip and any(
                _refusal(self.fields[column], read, record.get(column)) is not None
                for column, _, read in self._readers
            ):
                self.skipped += 1
                continue
            yield (
                number,
                {
                    name: None if (value := record.get(column)) is None else read(value)
                    for column, name, read in self._readers
                },
            )


def _refusal(one: Field, read: Convert, value: Any) -> str | None:
    try:
        made = None if value is None else read(value)
        one.type.validate(made)
    except (ValueError, OverflowError, RecursionError) as error:
        return str(error)
    except ValidationError as error:
        return error.message
    if one.name == "id" and made is not None and made <= 0:
        return f"{made}: ids are greater than 0"
    return None


def planned(
    source: Source, existing: Schema | None, int_width: int | None, problems: Problems
) -> Incoming:
    """The table with its types; what does not fit is put to ``problems``.

    ``existing`` is the schema of a table that is there, in which the rows are to be put.
    ``int_width`` is that of the directory, None for a new one.
    """
    try:
        check_table_name(source.name)
    except ValidationError as error:
        raise CommandError(f"{error.message}; --table and --rename give another") from error
    if existing is not None:
        fields, doubtful = _of_existing(source, existing), list(source.columns)
        incoming = Incoming(source, fields, None)
    else:
        fields, doubtful = _guessed(source)
        schema = _schema(source, fields)
        fields = {c: Field(f.name, f.type.bind_width(int_width or 18)) for c, f in fields.items()}
        incoming = Incoming(source, fields, schema)
    if doubtful:
        incoming.check(problems, doubtful)
    return incoming


def _of_existing(source: Source, existing: Schema) -> dict[str, Field]:
    for _ in source.records() if not source.columns else ():
        pass  # JSON lines tell their columns as they go
    known = {one.name: one for one in existing.schema}
    fields: dict[str, Field] = {}
    for column in source.columns:
        name = source.renamed.get(column, column)
        if name not in known:
            raise CommandError(
                f"table '{source.name}' has no column {name!r}; it has {', '.join(known)}"
            )
        fields[column] = known[name]
    given = {one.name for one in fields.values()}
    for name, one in known.items():
        if given and name not in given and name != "id" and not one.type.null:
            raise CommandError(f"table '{source.name}' needs a column '{name}', which may not be"
                               " NULL")  # fmt: skip
    return fields


def _guessed(source: Source) -> tuple[dict[str, Field], list[str]]:
    """The fields by column, and the columns whose values have to be tried."""
    guesses: dict[str, Guess] = {}
    present: dict[str, int] = {}
    count = 0
    for _, record in source.records():
        count += 1
        for column, value in record.items():
            if value is None:
                continue
            guess = guesses.get(column)
            if guess is None:
                first = column == source.columns[0]
                guess = guesses[column] = source.guess(column, first)
            present[column] = present.get(column, 0) + 1
            if column not in source.wishes:
                guess.add(value)
    fields: dict[str, Field] = {}
    doubtful: list[str] = []
    for column in source.columns:
        name = source.renamed.get(column, column)
        null = source.null_declared or present.get(column, 0) < count or not count
        guess = guesses.get(column) or source.guess(column, column == source.columns[0])
        try:
            kind, certain = _kind(source, column, name, guess, null)
        except ValidationError as error:
            raise CommandError(f"table '{source.name}', column '{column}': {error}") from error
        fields[column] = Field(name, kind)
        if not certain:
            doubtful.append(column)
    return fields, doubtful


def _kind(
    source: Source, column: str, name: str, guess: Guess, null: bool
) -> tuple[FieldType, bool]:
    null = null and column not in source.not_null
    if column in source.references:
        target, action = source.references[column]
        return FK(target, null, on_delete=action), False
    if name == "id":
        kind = guess.kind(null=False)
        if column not in source.wishes and not isinstance(kind, INT):
            raise ValidationError(
                f"ids are whole numbers above 0, and these look like {type(kind).__name__};"
                " --rename id=OTHER keeps them beside new ids"
            )
        return PK(), False
    wish = source.wishes.get(column)
    if wish is not None:
        return wish.kind(null), False
    return guess.kind(null), guess.exact


def _schema(source: Source, fields: dict[str, Field]) -> Schema:
    """The schema of the new table; an id is put in front if none comes."""
    columns = [*fields.values()]
    names = [one.name for one in columns]
    for name in names:
        if not name or not name.isprintable():
            raise CommandError(f"table '{source.name}': {name!a} cannot be a column's name;"
                               " --rename gives another")  # fmt: skip
        if names.count(name) > 1:
            raise CommandError(f"table '{source.name}': two columns are called '{name}'")
    if "id" not in names:
        columns.insert(0, Field("id", PK()))
    unique, indexes = [*source.unique], [*source.indexes]
    for column, wish in source.wishes.items():
        if column in fields:
            unique += [fields[column].name] if wish.unique else []
            indexes += [fields[column].name] if wish.index else []
    try:
        schema = Schema(columns, unique=unique, indexes=indexes)
        schema.check_id()
    except ValidationError as error:
        raise CommandError(f"table '{source.name}': {error.message}") from error
    return schema
