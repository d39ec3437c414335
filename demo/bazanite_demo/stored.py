"""Rows as they lie in the files: fixed-width text, found as docs/format.md says.

The files are read beside whoever changes them, without the lock; a row of which no whole slot is
found, as it moves or goes just then, is left out.  So are rows of files that cannot be read or are
damaged: the page is about something else, and may be the one that tells of the damage.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_TEXT = 120
"""In bytes, of what is shown of a TEXT."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A field's bytes in a row, as text; ``tone`` is a number from 0 on for its colour."""

    name: str
    type: str
    text: str
    tone: int
    value: str | None = None
    """Of a TEXT, what stands in the table's file of texts."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """Where a row stands, and its bytes: ``offset`` in the file ``name``."""

    name: str
    slot: int
    offset: int
    pieces: list[Piece]


class Files:
    """The table files of a directory, opened for one look and closed by ``rows``' return."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)

    def rows(self, wanted: Iterable[tuple[str, int]]) -> list[StoredRow]:
        """The rows of these tables and ids that are there, in this order.

        None of them while the catalog cannot be read, as somebody changes it just then.
        """
        try:
            catalog = json.loads((self._directory / "schema.json").read_bytes())
        except (OSError, ValueError):
            return []
        found = []
        for table, pk in wanted:
            with suppress(LookupError, TypeError, ValueError):
                found.append(self._row(catalog, table, pk))
        return [row for row in found if row is not None]

    def _row(self, catalog: dict[str, Any], table: str, pk: int) -> StoredRow | None:
        width = catalog["int_width"]
        entry = self._read(f"{table}__id.idx.dat", (pk - 1) * width, width)
        if not entry.strip().isdigit():
            return None
        fields = catalog["tables"][table]["fields"]
        size = sum(field["size"] for field in fields) + 1
        slot = int(entry)
        raw = self._read(f"{table}.dat", slot * size, size)
        if len(raw) < size or raw[:width].strip() != b"%d" % pk:
            return None
        pieces = []
        start = 0
        for tone, field in enumerate(fields):
            part = raw[start : start + field["size"]]
            start += field["size"]
            value = self._text(table, part) if field["type"] == "TEXT" else None
            pieces.append(Piece(field["name"], field["type"], _shown(part), tone, value))
        return StoredRow(f"{table}.dat", slot, slot * size, pieces)

    def _text(self, table: str, part: bytes) -> str | None:
        if not part.strip().isdigit():
            return None
        head = self._read(f"{table}.text.dat", int(part), 9)
        if not head.strip().isdigit():
            return None
        size = int(head)
        raw = self._read(f"{table}.text.dat", int(part) + 9, min(size, LONGEST_TEXT))
        return _shown(head + raw) + ("…" if size > LONGEST_TEXT else "")

    def _read(self, name: str, offset: int, size: int) -> bytes:
        try:
            with (self._directory / name).open("rb") as file:
                file.seek(offset)
                return file.read(size)
        except OSError:
            return b""


def _shown(raw: bytes) -> str:
    """As text: NUL as a symbol, so that NULL can be seen, and so are line ends."""
    text = raw.decode("utf-8", "replace")
    return text.replace("\0", "∅").replace("\r", "←").replace("\n", "↵")
