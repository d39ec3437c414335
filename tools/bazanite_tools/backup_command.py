"""``bazanite backup DIR TARGET``: one state of a directory, copied while others write."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from .copy_progress import copy_text, copying
from .looking import add_directory_arguments
from .opened import opened
from .output import FINE, print_json

_EPILOG = """\
examples:
  bazanite backup data /backups/monday          checked when it is done
  bazanite restore /backups/monday data2        and how to use it

Others go on reading and writing. TARGET is missing or empty; it is durable
when the command ends, and of one state: every transaction up to the log
position that is told, and none behind it. Interrupted, TARGET is empty, or
whole if it was being checked already. To restore later states of it, too:
bazanite wal archive --help
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser)
    parser.add_argument("target", metavar="TARGET", help="the directory to be made")
    parser.add_argument(
        "--no-verify", action="store_true", help="do not read the copy again to check it"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    """Copy, check, and say of which position the copy is."""
    verify = not args.no_verify
    with opened(args) as db, copying() as progress:
        made = db.backup(args.target, verify=verify, progress=progress)
    if args.json:
        print_json({"directory": args.directory, **asdict(made), "verified": verify})
    else:
        text = copy_text(made.files, made.size_bytes, verified=verify)
        print(f"{args.target}: {args.directory} as of LSN {made.lsn}: {text}")
    return FINE
