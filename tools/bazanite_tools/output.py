"""What all commands print alike: one JSON document, aligned columns, sizes, bytes made visible."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

FINE = 0
FINDINGS = 1
USAGE = 2
UNCERTAIN = 74
"""EX_IOERR: what was to be stored is there, or may be; who repeats it blindly may have it twice."""
LOCK_BUSY = 75
"""EX_TEMPFAIL of sysexits.h: try again later."""
INTERRUPTED = 130
CLOSED_PIPE = 141

_MOST_DIGITS = 1_000_000


class CommandError(Exception):
    """The command cannot do what was asked; the text is for a person."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def long_numbers() -> Iterator[None]:
    """Let numbers be read and printed that have more digits than Python takes by itself."""
    usual = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(_MOST_DIGITS)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(usual)


def count(text: str) -> int:
    """An argument that counts something, none included."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise argparse.ArgumentTypeError(f"must be a number, 0 or above, not {text!r}")
    return int(text)


def speaks_unicode(stream: TextIO) -> bool:
    """Whether every character can be written there."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"


def print_json(document: dict[str, Any] | list[dict[str, Any]]) -> None:
    """The one JSON document of a command."""
    with long_numbers():  # counts of legal disks may have thousands of digits
        json.dump(document, sys.stdout, indent=2)
    print()


def print_columns(rows: Sequence[Sequence[object]], *, left: int = 1, indent: str = "  ") -> None:
    """Rows under their heading (the first row): ``left`` columns to the left, the rest right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in texts) for i in range(len(texts[0]))]
    for row in texts:
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print((indent + "  ".join(cells)).rstrip())


def size_text(count: int) -> str:
    """A number of bytes as people say it: 512 B, 4.0 MiB."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def visible(data: bytes, limit: int) -> str:
    """Bytes on one line: text as it is, the rest as escapes, runs of one byte counted."""
    if len(data) > 16 and data.count(data[:1]) == len(data):
        return f"{visible(data[:1], 1)} x {len(data)}"
    text = data[:limit].decode("utf-8", "backslashreplace")
    shown = "".join(c if c.isprintable() and c != '"' else c.encode("unicode_escape").decode()
                    if c != '"' else '\\"' for c in text)  # fmt: skip
    return f'"{shown}"' + ("..." if len(data) > limit else "")
