"""``bazanite repair DIR --output NEW``: what can be saved of a damaged directory, in a new one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bazanite import RepairReport, repair
from bazanite.errors import DBError
from bazanite.repairing.quarantine import QUARANTINE_NAME
from bazanite.repairing.report import InDoubt, NotSaved

from .looking import add_directory_arguments, as_command_error, refuse_other
from .opened import usage
from .output import FINDINGS, FINE, plural, print_columns, print_json
from .progress import Progress

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser)
    parser.add_argument(
        "--output", required=True, metavar="NEW", help="the directory to make; missing or empty"
    )
    parser.add_argument(
        "--schema",
        metavar="OTHER",
        help="a directory with the same tables, such as a backup: its catalog is taken if no other"
        " can be proven",
    )
    parser.epilog = (
        "example: bazanite repair data --output saved\n\n"
        "Reads DIR, never changes a byte of it, and writes every row that is whole into NEW, with"
        " everything else made anew. Exit status 1 if a row was not saved, or anything is in doubt."
    )


def run(args: argparse.Namespace) -> int:
    """Repair and report; 1 if not everything was saved, or something is in doubt."""
    refuse_other(args.directory)
    place = ["", 0, 0]

    def tell(table: str, done: int, total: int) -> None:
        place[:] = [table, done, total]

    def line(seconds: float) -> str:
        table, done, total = place
        return f"table {table}: {done:,} of {total:,} slots read, {seconds:.0f} s"

    try:
        with usage(), Progress(line):
            report = repair(
                args.directory, args.output, schema=args.schema,
                lock_timeout=args.lock_timeout, progress=tell,
            )  # fmt: skip
    except DBError as error:
        raise as_command_error(error) from error
    if args.json:
        print_json(dict(report.document()))
    else:
        _print_text(args.directory, args.output, report)
    return FINE if report.ok else FINDINGS


def _print_text(directory: str, output: str, report: RepairReport) -> None:
    for what in report.damaged:
        print(f"damaged: {what}")
    _print_rows("NOT SAVED", report.not_saved)
    _print_rows("IN DOUBT", report.in_doubt)
    for what in [*report.doubts, *report.left_out]:
        print(f"IN DOUBT {what}")
    for name, counts in report.tables.items():
        if not counts.complete:
            print(f"IN DOUBT table {name}: other rows may be missing than those that are named")
    rows: list[list[object]] = [["table", "saved", "not saved", "in doubt", "checksums"]]
    for name, counts in report.tables.items():
        cells = [f"{n:,}" for n in (counts.saved, counts.not_saved, counts.in_doubt)]
        rows.append([name, *cells, "yes" if counts.checksums else "no"])
    print_columns(rows)
    print(f"log: {report.log}; catalog: {report.catalog}")
    if report.quarantined:
        print(f"{output}/{QUARANTINE_NAME}: {plural(report.quarantined, 'place')} of {directory}")
    saved = sum(counts.saved for counts in report.tables.values())
    lost = sum(counts.not_saved for counts in report.tables.values())
    verdict = "nothing is in doubt" if report.ok else "see above"
    print(f"{output}: {plural(saved, 'row')} saved, {lost:,} not; {verdict}")


def _print_rows(word: str, rows: Sequence[NotSaved] | Sequence[InDoubt]) -> None:
    for row in rows[:_SHOWN]:
        row_id = "a row" if row.id is None else f"id {row.id}"
        maybe = "" if isinstance(row, InDoubt) or row.certain else " (if there was one)"
        print(f"{word} {row.table} {row_id}, slot {row.slot}: {row.why}{maybe}")
    if len(rows) > _SHOWN:
        print(f"{word} and more, {len(rows) - _SHOWN:,} of them with --json")
