"""``bazanite info DIR``: what is in there, how the log stands, and who is at work."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from bazanite.check import read_catalog
from bazanite.files import CATALOG_NAME, TableFiles
from bazanite.specs import Catalog
from bazanite_wal.errors import DBError
from bazanite_wal.layer import View
from bazanite_wal.offline import Offline
from bazanite_wal.posix import POSIX

from . import archive_command
from .looking import LogState, add_directory_arguments, log_state, looking_at, verdict_text
from .output import FINE, plural, print_columns, print_json, size_text
from .wal_command import log_document, log_section

_CHECKSUMS_TEXT = {
    "all": "kept for every table and for the catalog",
    "some": "kept for some tables and for the catalog",
    "none": "none; bazanite.DB(..., checksums=True) adds them",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser, lock_timeout=1.0, in_vain="then it looks without")
    parser.epilog = (
        "example: bazanite info data\n\n"
        "Counts by the sizes of the files; `bazanite check` reads them."
    )


def run(args: argparse.Namespace) -> int:
    """Print the summary; damage is for ``check`` to judge, so the exit status is 0."""
    with looking_at(args, must_lock=False) as offline:
        state = log_state(offline)
        catalog, complaint = catalog_of(offline)
        tables = tables_of(offline.view, catalog) if catalog else {}
        if args.json:
            _print_json(offline, state, catalog, tables, complaint)
        else:
            _print_text(args.directory, offline, state, catalog, tables, complaint)
    return FINE


def catalog_of(offline: Offline) -> tuple[Catalog | None, str | None]:
    """The catalog, or what is wrong with it; neither of an empty directory."""
    if not offline.view.size(CATALOG_NAME):
        return None, None
    try:
        return read_catalog(offline.view, offline.path), None
    except (DBError, RecursionError) as error:
        return None, str(error)


def tables_of(view: View, catalog: Catalog) -> dict[str, dict[str, Any]]:
    """Of each table what the sizes of its files say; the names are those of the JSON documents."""
    result: dict[str, dict[str, Any]] = {}
    for name, spec in sorted(catalog.tables.items()):
        files = TableFiles("", name)
        slots = view.size(files.rows) // spec.row_size
        free = view.size(files.free) // catalog.int_width
        result[name] = {
            "rows": max(slots - free, 0),
            "free_slots": free,
            "row_bytes": spec.row_size,
            "size_bytes": sum(view.size(file) for file in spec.files(files.directory, files.table)),
            "checksums": spec.checksums,
            "checksum_bytes": view.size(files.sums) if spec.checksums else 0,
            "fields": {field.name: str(field) for field in spec.fields},
            "indexes": [
                {
                    "columns": [*index.columns],
                    "unique": index.unique,
                    "slots_built": index.built,
                    "size_bytes": view.size(files.keyed(index.name)),
                }
                for index in spec.indexes
            ],
        }
    return result


def _kept(tables: dict[str, dict[str, Any]]) -> str:
    """For how many of the tables there are checksums: "all", "some" or "none"."""
    kept = [table["checksums"] for table in tables.values()]
    if not any(kept):
        return "none"
    return "all" if all(kept) else "some"


def _print_json(
    offline: Offline,
    state: LogState,
    catalog: Catalog | None,
    tables: dict[str, dict[str, Any]],
    complaint: str | None,
) -> None:
    holder = offline.live.holder
    print_json(
        {
            "directory": offline.path,
            "int_width": catalog.int_width if catalog else None,
            "catalog_problem": complaint,
            "checksums": _kept(tables) if catalog else None,
            "tables": tables,
            "migrations": [asdict(record) for record in catalog.migrations] if catalog else [],
            "log": log_section(offline, state),
            "archive": archive_command.document(offline.archive()),
            "needs_recovery": offline.needs_recovery,
            "unapplied_files": list(offline.unapplied),
            "durability": offline.live.durability,
            "attached": [
                {"pid": pid, "command": POSIX.process_command(pid)} for pid in offline.live.attached
            ],
            "lock_holder": holder
            and {"pid": holder.pid, "command": holder.command, "since": holder.since},
        }
    )


def _print_text(
    directory: str,
    offline: Offline,
    state: LogState,
    catalog: Catalog | None,
    tables: dict[str, dict[str, Any]],
    complaint: str | None,
) -> None:
    width = f", integers of {catalog.int_width} bytes" if catalog else ""
    print(f"{directory}: {plural(len(tables), 'table')}{width}")
    if complaint:
        print(f"  the catalog cannot be read: {complaint}")
    if tables:
        rows: list[list[object]] = [["table", "rows", "free slots", "row", "files", "checksums"]]
        for name, table in tables.items():
            sums = size_text(table["checksum_bytes"]) if table["checksums"] else "-"
            rows.append([
                name, f"{table['rows']:,}", f"{table['free_slots']:,}",
                f"{table['row_bytes']:,} B", size_text(table["size_bytes"]), sums,
            ])  # fmt: skip
        print_columns(rows)
        print(f"checksums: {_CHECKSUMS_TEXT[_kept(tables)]}")
        _print_indexes(tables)
    if catalog and catalog.migrations:
        last = catalog.migrations[-1]
        steps = plural(last.done, "step")
        print(f"migrated:  to version {last.version} ({last.name}), of which {steps} made")
    print(f"log:       {_log_text(offline, state)}")
    print(f"archive:   {archive_command.text(offline.archive())}")
    print(f"recovery:  {_recovery_text(offline, state)}")
    print(f"in use by: {_users_text(offline)}")
    if offline.live.holder:
        print(f"lock:      held by {offline.live.holder}; the counts may be of different moments")


def _print_indexes(tables: dict[str, dict[str, Any]]) -> None:
    for name, table in tables.items():
        for index in table["indexes"]:
            kind = "unique" if index["unique"] else "index"
            built = index["slots_built"]
            state = "" if built is None else f", half built: it has the first {built:,} slots"
            columns = ", ".join(index["columns"])
            size = size_text(index["size_bytes"])
            print(f"{kind}:".ljust(11) + f"{name} ({columns}), {size}{state}")


def _log_text(offline: Offline, state: LogState) -> str:
    if offline.scan is None or offline.log is None:
        return state.verdict
    figures = log_document(offline.scan, len(offline.log))
    return (
        f"{verdict_text(offline, state)}; generation {figures['generation']},"
        f" {plural(figures['frame_count'], 'frame')}, {size_text(figures['used_bytes'])} of"
        f" {size_text(figures['room_bytes'])} used, LSN {figures['base_lsn']} to"
        f" {figures['end_lsn']}"
    )


def _recovery_text(offline: Offline, state: LogState) -> str:
    if state.problems:
        return f"would be refused: the log {state.problems[0][1]}; see `bazanite check`"
    if offline.needs_recovery:
        return "needed, and done by the next program that opens the directory"
    return "not needed"


def _users_text(offline: Offline) -> str:
    if not offline.live.attached:
        return "nobody"
    users = [f"pid {pid} ({POSIX.process_command(pid)})" for pid in offline.live.attached]
    level = f' (durability "{offline.live.durability}")' if offline.live.durability else ""
    return ("\n" + " " * 11).join(users) + level
