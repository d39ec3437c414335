"""The codec of the catalog's copy, ``schema.copy.dat``: one checksummed line, and the catalog.

Pure: no I/O.  One letter of ``schema.json`` that became another one can make a column of another
name of it, and nobody would know; without the file no row can be read.  So what the catalog says
stands in a second file as well, written in the same transaction, with a checksum.

Directories from before have none until their catalog changes: a copy that is missing, or empty, is
legal.  The catalog itself counts; the copy is there for ``check``, and for ``repair``.
"""

from __future__ import annotations

import re
from hashlib import blake2b

COPY_NAME = "schema.copy.dat"
"""A dot is in no table's name, and nothing of a table ends so."""

_LINE = re.compile(rb"BAZANITE-CATALOG 1 bytes=(\d{12}) check=([0-9a-f]{16})\n")
_LINE_SIZE = 61


def encode_copy(catalog: bytes) -> bytes:
    """The bytes of the copy of a catalog, which is given as it stands in its own file."""
    start = b"BAZANITE-CATALOG 1 bytes=%012d" % len(catalog)
    return b"%s check=%s\n%s" % (start, _check(start, catalog), catalog)


def decode_copy(data: bytes) -> bytes | None:
    """The catalog's bytes by its copy; None if these bytes are no whole copy."""
    catalog = data[_LINE_SIZE:]
    return catalog if copy_of(data, catalog) else None


def copy_of(copy: bytes, catalog: bytes) -> bool:
    """Whether the line of a copy, whatever stands behind it, says that this is the catalog."""
    match = _LINE.match(copy)
    if match is None or int(match[1]) != len(catalog):
        return False
    return _check(copy[: match.start(2) - 7], catalog) == match[2]


def _check(start: bytes, catalog: bytes) -> bytes:
    return blake2b(start + b"\n" + catalog, digest_size=8).hexdigest().encode()
