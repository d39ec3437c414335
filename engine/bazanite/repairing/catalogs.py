"""Which catalog a damaged directory had: its file, its copy, what the log and the archive say.

Two damaged copies are put together where the checksum of one proves the result.  A catalog that
nothing proves is taken only if the rows look as it says, and the report says that nothing does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from bazanite_wal.layer import View
from bazanite_wal.salvage import archived_catalogs

from ..catalog import decode
from ..catalog_copy import COPY_NAME, copy_of, decode_copy
from ..errors import CorruptionError, DBError
from ..files import CATALOG_NAME, TableFiles
from ..specs import Catalog
from .source import Source

_LARGEST = 1 << 24
_CHECKED = b'{\n  "check": "'
_MOST_DIFFERENCES = 10
_FEW = 8
"""Differences so near to each other are taken for one."""


def find_catalog(source: Source, other: Source | None) -> tuple[Catalog, str, str]:
    """The catalog, where it is from, and what is doubtful about that ("" if nothing is).

    CorruptionError, saying what to give, if there is none that could be believed.
    """
    views = [source.view, *([source.other] if source.other is not None else [])]
    for view in views:
        found = _proven(view)
        if found is not None:
            return found
    if other is not None:
        for view in [other.view, *([other.other] if other.other is not None else [])]:
            found = _proven(view) or _plain(view)
            if found is not None:
                return found[0], f"{other.path}, as given", ""
    for view in views:
        found = _plain(view)
        if found is not None and _fits(source.view, found[0]):
            return found
    for data in archived_catalogs(source.directory):
        catalog = _decoded(data)
        if catalog is not None and _fits(source.view, catalog):
            doubt = "the catalog is from the log archive: it may be older than the rows"
            return catalog, "the log archive", doubt
    raise CorruptionError(
        f"{source.path}/{CATALOG_NAME}", 0, "a catalog, there or in its copy, the log or the"
        " archive", "none that is whole",
        "Nothing was made. Give a directory with the same tables, a backup for one:"
        " schema=DIR, or `bazanite repair --schema DIR`",
    )  # fmt: skip


def _bytes(view: View, name: str) -> bytes:
    return view.read(name, 0, min(view.size(name), _LARGEST))


def _decoded(data: bytes) -> Catalog | None:
    try:
        return decode(data) if data else None
    except (DBError, RecursionError):
        return None


def _proven(view: View) -> tuple[Catalog, str, str] | None:
    """A catalog of which a checksum says that it is what was written."""
    own, copy = _bytes(view, CATALOG_NAME), _bytes(view, COPY_NAME)
    double = decode_copy(copy)
    catalog = _decoded(own)
    if catalog is not None and own == double:
        return catalog, CATALOG_NAME, ""
    if catalog is not None and own.startswith(_CHECKED):
        doubt = ""
        if double is not None:
            doubt = f"{CATALOG_NAME} and {COPY_NAME} are whole and differ: the first was taken"
        return catalog, CATALOG_NAME, doubt
    if double is not None and (catalog := _decoded(double)) is not None:
        return catalog, COPY_NAME, ""
    for data in _put_together(own, copy):
        catalog = _decoded(data)
        if catalog is not None:
            return catalog, f"{CATALOG_NAME} and {COPY_NAME}, both damaged, put together", ""
    return None


def _put_together(own: bytes, copy: bytes) -> Iterator[bytes]:
    """What the checksum in the copy's line, or the catalog's own, proves of a mixture of both."""
    _, newline, double = copy.partition(b"\n")
    if not newline or not own:
        return
    size = len(double) if abs(len(double) - len(own)) > _FEW else max(len(double), len(own))
    first, second = own[:size].ljust(size, b"\0"), double[:size].ljust(size, b"\0")
    ranges = _differences(first, second)
    if len(ranges) > _MOST_DIFFERENCES:
        return
    for choice in product((False, True), repeat=len(ranges)):
        mixed = bytearray(first)
        for (start, end), taken in zip(ranges, choice, strict=True):
            if taken:
                mixed[start:end] = second[start:end]
        data = bytes(mixed)
        if copy_of(copy, data) or (data.startswith(_CHECKED) and _decoded(data) is not None):
            yield data


def _differences(first: bytes, second: bytes) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for place, (a, b) in enumerate(zip(first, second, strict=True)):
        if a == b:
            continue
        if ranges and place - ranges[-1][1] < _FEW:
            ranges[-1] = ranges[-1][0], place + 1
        else:
            ranges.append((place, place + 1))
    return ranges


def _plain(view: View) -> tuple[Catalog, str, str] | None:
    """A catalog that can be read, though nothing proves it."""
    copy = _bytes(view, COPY_NAME)
    for name, data in ((CATALOG_NAME, _bytes(view, CATALOG_NAME)), (COPY_NAME, _body(copy))):
        catalog = _decoded(data)
        if catalog is not None:
            doubt = f"nothing proves the catalog ({name}): a changed name in it is not seen"
            return catalog, name, doubt
    return None


def _body(copy: bytes) -> bytes:
    return re.sub(rb"\A[^\n]*\n", b"", copy, count=1)


def _fits(view: View, catalog: Catalog) -> bool:
    """Whether the rows of most tables end where the catalog says."""
    fitting = odd = 0
    for name, spec in catalog.tables.items():
        size = spec.row_size
        data = view.read(TableFiles("", name).rows, 0, 1 << 16)
        data = data[: len(data) // size * size]
        if data:
            right = 2 * data[size - 1 :: size].count(b"\n") * size > len(data)
            fitting, odd = fitting + right, odd + (not right)
    return fitting >= odd
