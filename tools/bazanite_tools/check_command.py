"""``bazanite check DIR``: the log, its archive, every file of every table, and how they agree."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from bazanite.check import Report, check_view
from bazanite.check_reader import Problem
from bazanite.files import CATALOG_NAME
from bazanite_wal.archive_survey import Survey
from bazanite_wal.log import LOG_NAME
from bazanite_wal.offline import Offline

from .archive_command import document
from .looking import LogState, add_directory_arguments, log_state, looking_at, verdict_text
from .output import FINDINGS, FINE, plural, print_columns, print_json
from .wal_command import log_section


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser)
    parser.epilog = (
        "example: bazanite check data --json\n\n"
        "Changes nothing, and recovers nothing: a directory that needs recovery is judged as"
        " recovery would leave it. Writers wait meanwhile. Exit status 1 if anything is damaged."
    )


def run(args: argparse.Namespace) -> int:
    """Check and report; 1 if there is a problem."""
    with looking_at(args) as offline:
        log = log_state(offline)
        report = _check_tables(offline)
        archive = offline.archive(verify=True)
    problems = [Problem(LOG_NAME, offset, None, what) for offset, what in log.problems]
    problems += [Problem(name, offset, None, what) for name, offset, what in archive.problems]
    problems += report.problems
    notes = log.notes + report.notes
    if args.json:
        _print_json(offline, log, report, problems, notes, archive)
    else:
        log_text = verdict_text(offline, log)
        _print_text(args.directory, log_text, report, problems, notes)
    return FINDINGS if problems else FINE


def _check_tables(offline: Offline) -> Report:
    if offline.view.size(CATALOG_NAME):
        return check_view(offline.view, offline.file_names)
    unknown = [n for n in offline.file_names if n != CATALOG_NAME and offline.view.size(n)]
    if not unknown:
        return Report(notes=["no table was made here yet"])
    state = "empty" if CATALOG_NAME in offline.file_names else "missing"
    what = (
        f"is {state}, so nobody can tell what {', '.join(unknown)} should hold."
        " If Bazoola made them, open the directory once with"
        " bazanite.DB; otherwise restore a backup, or `bazanite repair DIR --output NEW`"
    )
    return Report([Problem(CATALOG_NAME, 0, None, what)])


def _print_json(
    offline: Offline,
    log: LogState,
    report: Report,
    problems: list[Problem],
    notes: list[str],
    archive: Survey,
) -> None:
    print_json(
        {
            "directory": offline.path,
            "ok": not problems,
            "problem_count": len(problems) + report.omitted,
            "problems": [asdict(problem) for problem in problems],
            "notes": notes,
            "log": log_section(offline, log),
            "archive": document(archive),
            "needs_recovery": offline.needs_recovery,
            "tables": {
                name: {
                    "rows": counts.rows,
                    "free_slots": counts.free,
                    "text_bytes": counts.text_bytes,
                    "checksums": counts.checksums,
                }
                for name, counts in report.tables.items()
            },
        }
    )


def _print_text(
    directory: str, log_text: str, report: Report, problems: list[Problem], notes: list[str]
) -> None:
    for problem in problems:
        print(f"PROBLEM {problem}")
    if report.omitted:
        print(f"... and {plural(report.omitted, 'problem')} more, not listed")
    for note in notes:
        print(f"note: {note}")
    if report.tables:
        rows: list[list[object]] = [["table", "rows", "free slots", "bytes of text"]]
        for name, counts in report.tables.items():
            rows.append([name, f"{counts.rows:,}", f"{counts.free:,}", f"{counts.text_bytes:,}"])
        print_columns(rows)
    total = len(problems) + report.omitted
    verdict = plural(total, "problem") if total else "no problem found"
    print(f"{directory}: {verdict}; {plural(len(report.tables), 'table')}, log {log_text}")
