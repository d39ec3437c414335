"""``bazanite tables DIR``: which tables there are, and how large."""

from __future__ import annotations

import argparse
import sys

from .grid import Grid
from .info_command import catalog_of, tables_of
from .looking import add_directory_arguments, looking_at
from .output import FINDINGS, FINE, CommandError, print_json, size_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser, lock_timeout=1.0, in_vain="then it looks without")
    parser.epilog = (
        "example: bazanite tables data\n\n"
        "Counts by the sizes of the files, and changes nothing; `bazanite check` reads them."
    )


def run(args: argparse.Namespace) -> int:
    """Print a line for each table; damage of a table's files is for ``check`` to judge."""
    with looking_at(args, must_lock=False) as offline:
        catalog, complaint = catalog_of(offline)
        if complaint is not None:
            raise CommandError(complaint, FINDINGS)
        found = tables_of(offline.view, catalog) if catalog else {}
        path = offline.path
    if args.json:
        tables = {
            name: {
                "rows": table["rows"],
                "columns": list(table["fields"]),
                "indexes": len(table["indexes"]),
                "size_bytes": table["size_bytes"] + table["checksum_bytes"],
            }
            for name, table in found.items()
        }
        print_json({"directory": path, "tables": tables})
        return FINE
    if not found:
        print(f"{args.directory}: no table yet")
        return FINE
    grid = Grid(sys.stdout, ["table", "rows", "size", "columns"], [False, True, True, False])
    grid.print(
        [
            name,
            f"{table['rows']:,}",
            size_text(table["size_bytes"] + table["checksum_bytes"]),
            ", ".join(table["fields"]),
        ]
        for name, table in found.items()
    )
    return FINE
