"""A table's files: their names, and how damage in one of them is reported.

Invariants: a table's name is plain, so no file lies outside the directory; no table's file has the
name of another table's file, whichever tables come later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from .errors import CorruptionError, InconsistentDataError, ValidationError, shown_value

CATALOG_NAME = "schema.json"
CHUNK_SIZE_BYTES = 256 * 1024
"""How much a scan reads at once, rounded to whole rows or entries."""

_TABLE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")
_ENDINGS = {
    "rows": ".dat",
    "index": "__id.idx.dat",
    "free": "__free.dat",
    "sequence": "__seqnum.dat",
    "text": ".text.dat",
    "sums": ".sums.dat",
}
_LONGEST_NAME = 200
_SHOWN_BYTES = 40


class PathLike(Protocol):
    """What ``os.PathLike`` says, without the operating system."""

    def __fspath__(self) -> str: ...


def path_text(path: str | PathLike) -> str:
    """The path as text; ValidationError for anything that is not one."""
    fspath = getattr(path, "__fspath__", None)
    text: object = path
    if not isinstance(path, str):
        text = fspath() if callable(fspath) and not isinstance(path, type) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValidationError(f"{shown_value(path)} is not the path of a directory")
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ValidationError(f"{text!a} cannot be the path of a directory") from error
    return text


def check_table_name(name: object) -> str:
    """The name, if files can be called after it; ValidationError if not.

    A table called ``a__free`` or ``a__seqnum`` would share a file with a table ``a``.
    """
    if not isinstance(name, str) or not _TABLE_NAME.match(name) or len(name) > _LONGEST_NAME:
        raise ValidationError(
            f"{shown_value(name)} cannot be a table's name: letters, digits, '_' and '-' only, "
            f"no '-' in front, at most {_LONGEST_NAME}"
        )
    if name.endswith(("__free", "__seqnum")):
        raise ValidationError(f"{name!r} cannot be a table's name: another table's file has it")
    return name


def shown(data: bytes) -> str:
    """Bytes for an error message, shortened."""
    if not data:
        return "end of file"
    return repr(data[:_SHOWN_BYTES]) + ("..." if len(data) > _SHOWN_BYTES else "")


@dataclass(frozen=True, slots=True)
class TableFiles:
    """The file names of one table, and its directory for messages.

    ``rows`` has one row a slot, ``index`` the slot number by id, ``free`` the stack of freed slots,
    ``sequence`` the last automatic id, ``text`` the values of the TEXT fields, and ``sums`` the
    checksums of all the others, where a table has them; a dot is in no table's name.
    """

    directory: str
    table: str
    rows: str = field(init=False, repr=False, compare=False)
    index: str = field(init=False, repr=False, compare=False)
    free: str = field(init=False, repr=False, compare=False)
    sequence: str = field(init=False, repr=False, compare=False)
    text: str = field(init=False, repr=False, compare=False)
    sums: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, ending in _ENDINGS.items():
            object.__setattr__(self, name, f"{self.table}{ending}")

    def names(self, *, has_text: bool, indexes: Iterable[str] = ()) -> list[str]:
        """All but the checksums; the text file only if the table has TEXT fields."""
        names = [self.rows, self.index, self.free, self.sequence]
        return [*names, *([self.text] if has_text else []), *map(self.keyed, indexes)]

    def keyed(self, index: str) -> str:
        """The file of the table's index of this name."""
        return f"{self.table}.{index}.index.dat"

    def damaged(self, name: str, offset: int, expected: str, found: bytes | str) -> CorruptionError:
        """The error to raise for wrong bytes at ``offset`` of file ``name``."""
        text = found if isinstance(found, str) else shown(found)
        return CorruptionError(f"{self.directory}/{name}", offset, expected, text)

    def inconsistent(self, offset: int, field: str) -> InconsistentDataError:
        """The error to raise for a stored NULL in a field that allows none."""
        path = f"{self.directory}/{self.rows}"
        return InconsistentDataError(path, offset, f"a value of '{field}'", "NULL")
