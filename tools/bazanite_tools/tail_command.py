"""``bazanite wal tail DIR``: the committed changes of rows, in order, and those that come.

One line of JSON is one transaction, whole, with the position to go on from; so who reads lines up
to the last newline, and starts again from the last one's, has each transaction exactly once.
"""

from __future__ import annotations

import argparse
import json
import sys
from base64 import b64encode
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from bazanite import Change, Changes, Commit
from bazanite.errors import DBError, ValidationError
from bazanite_wal.posix import POSIX

from .looking import told_of
from .output import FINE, USAGE, CommandError, count, long_numbers

_INTERVAL_SECONDS = 0.02
"""So late is a change seen, at the most; looking takes some hundredths of that."""
_EPILOG = """\
examples:
  bazanite wal tail data                                what is there
  bazanite wal tail data --follow --json | my-consumer  and what comes
  bazanite wal tail data --from 81920 --follow --json   behind that LSN

With --json each line is one committed transaction, {"lsn": N, "changes": ...};
a change has "table", "op", "id", "row", and "unchanged" (long values that it
left alone); "lsn" is what to give to --from next. Dates are ISO text, DECIMAL
is text, BLOB and a program's own types are base64. "schema" means: read that
table anew.

Takes no lock and changes nothing. What checkpoints took out of the log is told
as far as there is an archive: bazanite wal archive data --keep 256MiB. Exit
status 1, naming the LSNs, if something is not there any more.
"""


def add_arguments(actions: Any) -> None:
    """The action's options."""
    tail: argparse.ArgumentParser = actions.add_parser(
        "tail",
        help="committed changes of rows, in order; --follow: also those to come",
        description="Tell each committed transaction once, whole, in the order of the log.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tail.add_argument("directory", metavar="DIR", help="the database directory")
    tail.add_argument("--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    tail.add_argument(
        "--from",
        dest="start",
        type=count,
        default=None,
        metavar="LSN",
        help="only what was committed behind this log position (default: all that is there)",
    )
    tail.add_argument(
        "--json", "--jsonl", action="store_true", help="one line of JSON a transaction"
    )


def run(args: argparse.Namespace) -> int:
    """Print what is there and, with --follow, what comes."""
    try:
        with Changes(args.directory, args.start) as changes:
            if args.start is None and not args.json:
                print(f"note: from LSN {changes.start} on", file=sys.stderr)
            while True:
                for commit in changes.read():
                    print(_json_line(commit) if args.json else _text(commit))
                sys.stdout.flush()
                if not args.follow:
                    return FINE
                POSIX.sleep(_INTERVAL_SECONDS)
    except DBError as error:
        sys.stdout.flush()
        told = told_of(args.directory, error)
        code = USAGE if isinstance(error, ValidationError) else told.code
        if not args.json:
            raise CommandError(str(told), code) from error
        print(json.dumps({"error": str(told), "exit_code": code}))
        print(f"bazanite wal tail: {told}", file=sys.stderr)
        return code


def _json_line(commit: Commit) -> str:
    with long_numbers():
        return json.dumps({"lsn": commit.lsn, "changes": [*map(_document, commit.changes)]})


def _document(change: Change) -> dict[str, Any]:
    document: dict[str, Any] = {"table": change.table, "op": change.op}
    if change.id is not None:
        document["id"] = change.id
    if change.row is not None:
        document["row"] = {name: json_value(value) for name, value in change.row.items()}
    if change.unchanged:
        document["unchanged"] = [*change.unchanged]
    return document


def json_value(value: Any) -> Any:
    """A column's value as JSON has it."""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")  # as it is written: str would make 0E-7 of 0.0000000
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value


def _text(commit: Commit) -> str:
    lines = [f"LSN {commit.lsn}"]
    for change in commit.changes:
        words = [change.op.ljust(8), change.table]
        if change.id is not None:
            words.append(str(change.id))
        if change.row is not None:
            shown = {name: json_value(value) for name, value in change.row.items() if name != "id"}
            words.append(" ".join(f"{name}={_shown(value)}" for name, value in shown.items()))
        if change.unchanged:
            words.append(f"(unchanged: {', '.join(change.unchanged)})")
        lines.append("  " + " ".join(words).rstrip())
    return "\n".join(lines)


def _shown(value: Any) -> str:
    with long_numbers():
        text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
