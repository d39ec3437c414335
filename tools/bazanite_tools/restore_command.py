"""``bazanite restore BACKUP TARGET``: a directory of a backup, also as of a later position."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from bazanite import restore
from bazanite.errors import DBError, ValidationError

from .copy_progress import copy_text, copying
from .looking import as_command_error, refuse_other
from .output import FINE, CommandError, count, plural, print_json

_EPILOG = """\
examples:
  bazanite restore /backups/monday data2                all as it was on Monday
  bazanite restore /backups/monday data2 --log data     and what came since
  bazanite wal tail data                                which commit was it?
  bazanite restore /backups/monday data2 --log data --to-lsn 81236

Reads BACKUP and the log's directory, which may be in use, and changes
nothing in them. --log is the directory that was backed up, or one with copies
of its wal.*.archive files (and of its wal.log). What was committed behind the
backup must still be there: `bazanite wal archive DIR --keep SIZE` keeps it.
TARGET has every transaction up to the position that is told, and none behind.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("backup", metavar="BACKUP", help="what `bazanite backup` made")
    parser.add_argument("target", metavar="TARGET", help="the directory to be made")
    parser.add_argument("--log", metavar="DIR", help="take what came behind the backup from here")
    parser.add_argument(
        "--to-lsn", type=count, metavar="LSN", help="nothing behind this log position"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--no-verify", action="store_true", help="do not read the result again to check it"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    """Copy, replay, check, and say which state it is."""
    verify = not args.no_verify
    for path in filter(None, (args.backup, args.log)):
        refuse_other(path)
    try:
        with copying() as progress:
            made = restore(
                args.backup,
                args.target,
                log=args.log,
                to_lsn=args.to_lsn,
                verify=verify,
                progress=progress,
            )
    except ValidationError as error:
        raise CommandError(error.message) from error
    except DBError as error:
        raise as_command_error(error) from error
    if args.json:
        print_json({"backup": args.backup, "log": args.log, **asdict(made), "verified": verify})
    else:
        more = "" if args.log is None else f" and {plural(made.transactions, 'transaction')} since"
        text = copy_text(made.files, made.size_bytes, verified=verify)
        print(f"{args.target}: {args.backup} (LSN {made.backup_lsn}){more}: LSN {made.lsn}: {text}")
    return FINE
