"""Real rows to work on: any CSV file, or the list of packages that dpkg keeps.

Widths come from the data. What a fixed-width table cannot hold unchanged is tidied here: control
characters, blanks at either end, values longer than a text may be.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bazanite_stress.torture.schema import FIXED_TABLES, TOKEN_SIZE, Column, Row, Table

DPKG_STATUS = Path("/var/lib/dpkg/status")

ROWS_AT_MOST = 10_000
# Wider columns become TEXT.
WIDEST_CHAR = 120
LONGEST_TEXT = 4_000

MARK = Column("mark", "char", TOKEN_SIZE)
CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]+")


class LoadError(Exception):
    """The file cannot be loaded; says which and why."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Tables with their rows; `left_out` rows did not fit under the limit."""

    tables: tuple[Table, ...]
    rows: dict[str, list[Row]]
    source: str
    left_out: int = 0


def load_csv(path: Path) -> Loaded:
    """One table, named after the file, its columns after the header."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            header, body = read_csv(file)
    except (OSError, csv.Error, LoadError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise LoadError(f"{path}: {why or error}") from error
    names = column_names(header)
    kept = body[:ROWS_AT_MOST]
    values = list(zip(*kept, strict=True))
    table_names = {table.name for table in FIXED_TABLES}
    name = unique(sanitised(path.stem, "loaded"), table_names)
    table, rows = fill(name, dict(zip(names, values, strict=True)))
    return Loaded((table,), {name: rows}, str(path), len(body) - len(kept))


def read_csv(file: Iterable[str]) -> tuple[list[str], list[list[str]]]:
    """The header and the rows, empty lines left out; each row has the header's columns."""
    reader = csv.reader(file)
    header = next(reader, [])
    if not any(letter.isalpha() for name in header for letter in name):
        raise LoadError("not a CSV file with a header: its first line names no column")
    rows = []
    for row in reader:
        if row and len(row) != len(header):
            raise LoadError(
                f"not a CSV file with a header: the header has {len(header)} column(s),"
                f" the row at line {reader.line_num} has {len(row)}"
            )
        rows += [row] if row else []
    if not rows:
        raise LoadError("has a header, but no rows")
    return header, rows


def load_dpkg(path: Path = DPKG_STATUS) -> Loaded:
    """Installed packages, and their maintainers in a table of their own."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise LoadError(f"{path}: {error}") from error
    stanzas = [stanza for stanza in map(fields, text.split("\n\n")) if "Package" in stanza]
    if not stanzas:
        raise LoadError(f"{path}: no packages in it")
    kept = stanzas[:ROWS_AT_MOST]
    people = sorted({stanza.get("Maintainer", "nobody") for stanza in kept})
    number = {person: place for place, person in enumerate(people, 1)}
    maintainers, maintainer_rows = fill("maintainers", {"name": people}, still=True)
    columns = {
        name: [stanza.get(key, "") for stanza in kept]
        for name, key in (("name", "Package"), ("version", "Version"), ("section", "Section"))
    }
    columns["description"] = [stanza.get("Description", "") for stanza in kept]
    packages, package_rows = fill("packages", columns, texts={"description"})
    references = (
        Column("maintainer_id", "ref", table="maintainers"),
        Column("installed_size", "int", null=True),
    )
    packages = Table(packages.name, (*packages.columns, *references))
    for row, stanza in zip(package_rows, kept, strict=True):
        size = stanza.get("Installed-Size", "")
        row["maintainer_id"] = number[stanza.get("Maintainer", "nobody")]
        row["installed_size"] = int(size) if size.isdecimal() and len(size) <= 6 else None
    rows = {"maintainers": maintainer_rows, "packages": package_rows}
    return Loaded((maintainers, packages), rows, str(path), len(stanzas) - len(kept))


def fields(stanza: str) -> dict[str, str]:
    """One stanza of dpkg's status file."""
    found: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1].isspace():
            found[name] = f"{found.get(name, '')}\n{line.strip()}"
        else:
            name, _, value = line.partition(":")
            found[name] = value.strip()
    return found


def fill(
    name: str,
    columns: Mapping[str, Sequence[str]],
    *,
    texts: Iterable[str] = (),
    still: bool = False,
) -> tuple[Table, list[Row]]:
    """A table that fits the values, and its rows; writers mark what they change in `mark`."""
    described, tidied = [], {}
    for column, values in columns.items():
        widest = max((len(tidy(value).encode()) for value in values), default=1)
        is_text = column in set(texts) or widest > WIDEST_CHAR
        tidied[column] = [tidy(value, text=is_text) for value in values]
        size = max([1, *(len(value.encode()) for value in tidied[column])])
        described.append(Column(column, "text" if is_text else "char", size))
    rows: list[Row] = [
        {**dict(zip(tidied, line, strict=True)), **({} if still else {"mark": ""})}
        for line in zip(*tidied.values(), strict=True)
    ]
    marks = () if still else (MARK,)
    return Table(name, (*described, *marks), still=still), rows


def tidy(value: str, *, text: bool = False) -> str:
    """The value as a fixed-width column keeps it: no control characters, no blanks at the ends."""
    clean = (CONTROL_BUT_NEWLINE if text else CONTROL).sub(" ", value)
    cut = clean.encode("utf-8", "replace")[:LONGEST_TEXT].decode("utf-8", "ignore")
    return cut.strip()


def column_names(header: Sequence[str]) -> list[str]:
    """Names that are identifiers, differ, and leave `id` and `mark` to us."""
    taken = {"id", "mark"}
    return [unique(sanitised(name, f"column_{i}"), taken) for i, name in enumerate(header, 1)]


def sanitised(name: str, otherwise: str) -> str:
    """Lower-case letters, digits and underscores, beginning with a letter."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40]
    if not plain:
        return otherwise
    return plain if plain[0].isalpha() else f"{otherwise.partition('_')[0]}_{plain}"


def unique(name: str, taken: set[str]) -> str:
    """The name, with a number if it is taken; taken from now on."""
    candidates: Iterator[str] = (f"{name}_{number}" for number in range(2, 100_000))
    while name in taken:
        name = next(candidates)
    taken.add(name)
    return name
