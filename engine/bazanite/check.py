"""``check``: whether the files of a directory agree with each other, whatever bytes they hold.

Pure over a view of the data files and their decoded catalog.  It never raises on damaged input,
takes linear time, and its memory is bounded by two bits a slot, one bit a byte of the text file,
and the largest BLOB or JSON.

What it cannot see in a table without checksums: a digit that became another digit inside a value is
still a value.  docs/format.md lists the bytes for which that holds.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from bazanite_wal.errors import DBError
from bazanite_wal.layer import View

from .catalog import decode
from .catalog_copy import COPY_NAME, decode_copy
from .catalog_file import read_catalog_bytes
from .check_keys import KeyCheck
from .check_layout import layouts
from .check_reader import Findings, Problem, Reader
from .check_sums import SumCheck
from .check_table import TableCheck, TableCounts
from .files import CATALOG_NAME
from .specs import Catalog
from .sums import sum_file

_LARGEST_CATALOG = 1 << 24
"""No catalog has 16 MiB; a damaged one is not read into memory whole."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    ``problems`` are damage; of each file the first hundred are listed, ``omitted`` counts the
    others.  ``notes`` are worth knowing and not wrong.  ``tables`` counts what each table holds.
    """

    problems: list[Problem] = field(default_factory=list)
    tables: dict[str, TableCounts] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    omitted: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check(view: View, catalog: Catalog, present: Collection[str] | None = None) -> Report:
    """Check every file of the catalog's tables, as ``view`` has them.

    ``present`` names the directory's files: with it, a missing file is told from an empty one.
    """
    findings = Findings()
    reader = Reader(view, findings)
    tables = layouts(catalog)
    counts: dict[str, TableCounts] = {}
    for name, layout in sorted(tables.items()):
        spec = catalog.tables[name]
        sums = [layout.files.sums] if spec.checksums else []
        for file in [*spec.files("", name), *sums]:
            if present is not None and file not in present:
                findings.problem(file, 0, None, f"is missing; table '{name}' needs it")
        found = len(findings.problems)
        counts[name] = TableCheck(layout, tables, reader, findings).run()
        if spec.indexes and len(findings.problems) == found:  # else there is no telling
            KeyCheck(catalog, name, view, findings).run()
        if spec.checksums and (present is None or layout.files.sums in present):
            SumCheck(sum_file(layout.files, spec), reader, findings).run()
            counts[name] = replace(counts[name], checksums=True)
        elif reader.size(layout.files.sums):
            what = f"holds checksums of table '{name}', which has none by the catalog"
            findings.problem(layout.files.sums, 0, None, what)
    return Report(findings.problems, counts, findings.notes, findings.omitted)


def check_view(view: View, present: Collection[str] | None = None) -> Report:
    """Check a whole directory by the catalog that is stored in it."""
    try:
        catalog = read_catalog(view)
    except (DBError, OSError, RecursionError) as error:
        what = f"no table can be checked without a catalog: {error}{_way_out(view)}"
        return Report([Problem(CATALOG_NAME, 0, None, what)])
    report = check(view, catalog, present)
    report.problems.extend(_copy_problems(view))
    return report


def _way_out(view: View) -> str:
    try:
        copy = decode_copy(view.read(COPY_NAME, 0, _LARGEST_CATALOG))
    except (DBError, OSError):
        return ""
    return "" if copy is None else f"; {COPY_NAME} is whole: `bazanite repair` goes by it"


def _copy_problems(view: View) -> list[Problem]:
    """What is wrong with the catalog's copy, where there is one."""
    try:
        data = view.read(COPY_NAME, 0, _LARGEST_CATALOG)
    except (DBError, OSError) as error:
        return [Problem(COPY_NAME, 0, None, f"cannot be read: {error}")]
    if not data:
        return []
    copy = decode_copy(data)
    if copy is None:
        return [Problem(COPY_NAME, 0, None, f"is no copy of {CATALOG_NAME} with its checksum")]
    if copy != read_catalog_bytes(view, _LARGEST_CATALOG):
        what = f"{CATALOG_NAME} is not as its copy says, whose checksum is right"
        return [Problem(CATALOG_NAME, 0, None, what)]
    return []


def read_catalog(view: View, directory: str = ".") -> Catalog:
    """The catalog stored in a directory; CorruptionError if it is damaged."""
    return decode(read_catalog_bytes(view, _LARGEST_CATALOG), directory)
