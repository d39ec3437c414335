"""The catalog in its file: read from a view, and written into a transaction."""

from __future__ import annotations

from bazanite_wal.datafiles import LARGEST_CATALOG
from bazanite_wal.layer import View, WriteSet

from .catalog import decode, encode
from .catalog_copy import COPY_NAME, encode_copy
from .errors import CorruptionError, ValidationError
from .files import CATALOG_NAME
from .specs import Catalog


def read_catalog(view: View, directory: str) -> Catalog | None:
    """The directory's catalog, None if it has none yet."""
    data = read_catalog_bytes(view)
    return decode(data, directory) if data else None


def read_catalog_bytes(view: View, most: int | None = None) -> bytes:
    """The bytes of ``schema.json``, empty if there is none; at ``most`` so many."""
    size = view.size(CATALOG_NAME)
    if most is None and size > LARGEST_CATALOG:  # a file without an end must not fill the memory
        found = f"{size} bytes"
        raise CorruptionError(CATALOG_NAME, 0, f"at most {LARGEST_CATALOG} bytes", found)
    return view.read(CATALOG_NAME, 0, size if most is None else min(size, most))


def write_catalog(tx: WriteSet, catalog: Catalog, *, copy: bool = True) -> None:
    """Let the directory have this catalog and its copy; whoever calls has made the files.

    Without ``copy`` only where there is one: its file was perhaps never made.
    """
    data = encode(catalog)
    if len(data) > LARGEST_CATALOG:
        raise ValidationError("so many tables and columns are more than a directory can have")
    tx.write(CATALOG_NAME, 0, data)
    tx.truncate(CATALOG_NAME, len(data))
    if copy or tx.size(COPY_NAME):
        double = encode_copy(data)
        tx.write(COPY_NAME, 0, double)
        tx.truncate(COPY_NAME, len(double))
