"""``bazanite schema DIR [TABLE]``: columns, types, constraints, indexes, references."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from bazanite.specs import Catalog, FieldSpec, TableSpec

from .grid import Grid
from .info_command import catalog_of
from .looking import add_directory_arguments, looking_at
from .output import FINDINGS, FINE, CommandError, print_json
from .python_text import classes_text
from .type_text import spec_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser, lock_timeout=1.0, in_vain="then it looks without")
    parser.add_argument(
        "table", metavar="TABLE", nargs="?", help="only this table (default: all of them)"
    )
    parser.add_argument(
        "--python", action="store_true", help="as Python classes, ready to be pasted"
    )
    parser.epilog = (
        "examples:\n  bazanite schema data person\n  bazanite schema data --python > tables.py"
    )


def run(args: argparse.Namespace) -> int:
    """Print the schema as the catalog has it."""
    with looking_at(args, must_lock=False) as offline:
        catalog, complaint = catalog_of(offline)
        path = offline.path
    if complaint is not None:
        raise CommandError(complaint, FINDINGS)
    tables = catalog.tables if catalog is not None else {}
    names = sorted(tables)
    if args.table is not None:
        if args.table not in tables:
            known = ", ".join(names) or "none yet"
            raise CommandError(f"no table {args.table!r}; there are {known}")
        names = [args.table]
    if args.json:
        document = {name: _document(tables[name]) for name in names}
        width = catalog.int_width if catalog is not None else None
        print_json({"directory": path, "int_width": width, "tables": document})
    elif catalog is None:
        print(f"{args.directory}: no table yet")
    elif args.python:
        print(classes_text(catalog, names), end="")
    else:
        for number, name in enumerate(names):
            if number:
                print()
            _print_table(catalog, name)
    return FINE


def _print_table(catalog: Catalog, name: str) -> None:
    spec = catalog.tables[name]
    print(f"{name}: rows of {spec.row_size} bytes" + (", with checksums" * spec.checksums))
    grid = Grid(sys.stdout, ["column", "type", "index"], [False, False, False])
    grid.print([field.name, spec_text(field), _remarks(spec, field)] for field in spec.fields)
    for index in spec.indexes:
        if len(index.columns) > 1 or not index.ready:
            kind = "unique" if index.unique else "index"
            built = "" if index.ready else f", being built: has the first {index.built:,} slots"
            print(f"{kind} ({', '.join(index.columns)}){built}")
    for other, its in sorted(catalog.tables.items()):
        for field in its.fields:
            if field.table == name:
                what = f", on delete: {field.on_delete}" if field.on_delete else ""
                print(f"referred to by {other}.{field.name}{what}")


def _remarks(spec: TableSpec, field: FieldSpec) -> str:
    alone = [i for i in spec.indexes if i.columns == (field.name,) and i.ready]
    words = ["unique" if index.unique else "index" for index in alone]
    return ", ".join(words)


def _document(spec: TableSpec) -> dict[str, Any]:
    return {
        "row_bytes": spec.row_size,
        "checksums": spec.checksums,
        "columns": [
            {
                "name": field.name,
                "type": spec_text(field),
                "kind": field.type,
                "size": field.size,
                "null": field.null,
                **dict(field.params),
                "references": field.table,
                "on_delete": field.on_delete,
            }
            for field in spec.fields
        ],
        "indexes": [
            {"columns": [*index.columns], "unique": index.unique, "slots_built": index.built}
            for index in spec.indexes
        ],
    }
