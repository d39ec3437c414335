"""Names in SQL, of SQLite and PostgreSQL alike.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable


def printable(text: str) -> str:
    """The text on one line of a terminal, with escapes for what is not to be seen there."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def quoted(name: str) -> str:
    """The name as SQL has it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def listed(names: Iterable[str]) -> str:
    """Several, with commas."""
    return ", ".join(map(quoted, names))
