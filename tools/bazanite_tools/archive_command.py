"""``bazanite wal archive DIR``: what is kept of the log that checkpoints took, and how much."""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict
from typing import Any

from bazanite_wal.archive_survey import Survey
from bazanite_wal.errors import DBError
from bazanite_wal.offline import turn_archive_off
from bazanite_wal.store import open_store

from .checkpoint_command import options_for
from .looking import add_directory_arguments, looking_at, told_of
from .output import FINDINGS, FINE, plural, print_json, size_text

_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_EPILOG = """\
examples:
  bazanite wal archive data --keep 256MiB   keep that much from now on
  bazanite wal archive data                 what is kept?
  bazanite wal archive data --off           keep no more; files stay

It holds for every process that uses the directory, now and later. A disk that
is full then keeps checkpoints from emptying the log, and nothing is lost.
"""


def add_arguments(actions: Any) -> None:
    """The action's options."""
    archive: argparse.ArgumentParser = actions.add_parser(
        "archive",
        help="keep what checkpoints take out of the log; without options: what is kept",
        description="Keep what checkpoints take out of the log, for `wal tail`.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_directory_arguments(archive)
    change = archive.add_mutually_exclusive_group()
    change.add_argument(
        "--keep",
        type=_size,
        default=None,
        metavar="SIZE",
        help="remove the oldest when there is more than this, such as 256MiB",
    )
    change.add_argument("--off", action="store_true", help="keep no more")


def run(args: argparse.Namespace) -> int:
    """Turn it on or off, if asked to, and say what is kept; 1 if that is damaged."""
    try:
        if args.off:
            turn_archive_off(args.directory, lock_timeout=args.lock_timeout)
        elif args.keep is not None:
            _turn_on(args)
    except DBError as error:
        raise told_of(args.directory, error) from error
    with looking_at(args) as offline:
        found = offline.archive()
    if args.json:
        print_json({"directory": offline.path, **document(found)})
    else:
        for name, offset, what in found.problems:
            print(f"PROBLEM {args.directory}/{name} offset {offset}: {what}")
        print(f"{args.directory}: archive {text(found)}")
    return FINDINGS if found.problems else FINE


def _turn_on(args: argparse.Namespace) -> None:
    with looking_at(args) as offline:
        options = options_for(offline, args.lock_timeout)
    store = open_store(args.directory, options)
    try:
        store.archive(args.keep)
    finally:
        store.close()


def text(found: Survey) -> str:
    """The archive in a line, for a person."""
    state = "off" if found.keep is None else f"on, keeps {size_text(found.keep)}"
    if not found.segments:
        return state
    start = found.start if found.start is not None else found.segments[0].first
    files = plural(len(found.segments), "file")
    missing = "" if found.start is not None else "; what came then is missing"
    return (
        f"{state}; has LSN {start} to {found.segments[-1].end} in {files},"
        f" {size_text(found.size)}{missing}"
    )


def document(found: Survey) -> dict[str, Any]:
    """The archive, as ``info``, ``check`` and ``wal archive`` give it."""
    return {
        "keep_bytes": found.keep,
        "start_lsn": found.start,
        "size_bytes": found.size,
        "segments": [asdict(segment) for segment in found.segments],
        "problems": [
            {"file": name, "offset": offset, "what": what} for name, offset, what in found.problems
        ],
    }


def _size(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,12}) ?(KiB|MiB|GiB|)", text)
    size = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < size < 1 << 43:
        raise argparse.ArgumentTypeError(f"must be a size such as 256MiB, not {text!r}")
    return size
