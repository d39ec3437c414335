"""Looking at a directory for check, info and wal: what is the same for all of them.

Nothing here writes, and nothing recovers: where a directory needs recovery, its state is judged as
recovery would leave it, and the commands say so.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bazanite.files import CATALOG_NAME
from bazanite_wal.errors import (
    CommittedNotApplied,
    CommitUncertain,
    DBError,
    DirectoryError,
    LockTimeout,
    PoisonedError,
)
from bazanite_wal.log import LOG_NAME
from bazanite_wal.offline import Offline, open_offline
from bazanite_wal.posix import POSIX

from .output import FINDINGS, LOCK_BUSY, UNCERTAIN, USAGE, CommandError, plural


@dataclass(slots=True)
class LogState:
    """The log in one word, and for a person: what is damage and what is only worth knowing."""

    verdict: str
    problems: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def add_directory_arguments(
    parser: argparse.ArgumentParser,
    *,
    lock_timeout: float = 10.0,
    in_vain: str = "exit status 75 if in vain",
) -> None:
    """The arguments of every command about one directory."""
    parser.add_argument("directory", metavar="DIR", help="the database directory")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--lock-timeout",
        type=_seconds,
        default=lock_timeout,
        metavar="SECONDS",
        help=f"how long to wait for the directory's lock (default: {lock_timeout:g}); {in_vain}",
    )


@contextmanager
def looking_at(args: argparse.Namespace, *, must_lock: bool = True) -> Iterator[Offline]:
    """The directory that the command line names, its writers waiting meanwhile."""
    try:
        with open_offline(
            args.directory, lock_timeout=args.lock_timeout, must_lock=must_lock
        ) as offline:
            if offline.log is None and CATALOG_NAME not in offline.file_names:
                raise not_ours(args.directory)
            yield offline
    except DBError as error:
        raise told_of(args.directory, error) from error


def told_of(directory: str, error: DBError) -> CommandError:
    """The same, where it may be that there is no such directory."""
    if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
        refuse_other(directory)
    return as_command_error(error)


def refuse_other(path: str) -> None:
    """CommandError unless there is a directory of this name."""
    if not os.path.exists(path):
        raise CommandError(f"{path}: no such directory")
    if not os.path.isdir(path):
        raise CommandError(f"{path}: is not a directory")


def not_ours(path: str) -> CommandError:
    """The error for a directory that was never opened as a database."""
    return CommandError(
        f"{path}: not a Bazanite directory: neither {LOG_NAME} nor {CATALOG_NAME} is there. A"
        " directory of Bazoola's becomes one when it is opened with bazanite.DB"
    )


def as_command_error(error: DBError) -> CommandError:
    """The library's error as a command tells it: by its text and an exit status."""
    if isinstance(error, LockTimeout):
        return CommandError(str(error), LOCK_BUSY)
    if isinstance(error, (CommittedNotApplied, CommitUncertain, PoisonedError)):
        return CommandError(str(error), UNCERTAIN)
    return CommandError(str(error), USAGE if isinstance(error, DirectoryError) else FINDINGS)


def log_state(offline: Offline) -> LogState:
    """What the log's bytes say."""
    scan = offline.scan
    if offline.log is None:
        what = f"is missing, although {CATALOG_NAME} is there, which only a log can have brought"
        return LogState("missing", [(0, what)])
    if scan is None:
        return LogState("no header", [(0, "neither of its two header slots holds a valid header")])
    state = LogState(scan.tail)
    if scan.tail == "corrupt":
        state.problems.append((scan.bad_offset, scan.detail))
    elif scan.tail == "torn" and not offline.live.attached:
        behind = f" and {plural(scan.dropped_frames, 'frame')} behind it"
        state.notes.append(
            f"the log ends in a torn frame at LSN {scan.bad_lsn} ({scan.detail}): a transaction"
            " that was being written when its writer or the machine stopped, and never"
            f" acknowledged; recovery drops it{behind if scan.dropped_frames else ''}"
        )
    if scan.header.unsafe and scan.header.boot != POSIX.boot_id():
        what = (
            'the machine stopped while the directory was in use with durability="off":'
            " the table files may hold any mixture of old and new rows"
        )
        state.problems.append((scan.header.slot_offset, what))
    if offline.unapplied and not offline.live.attached:
        state.notes.append(
            f"{plural(len(offline.unapplied), 'file does', 'files do')} not have all changes of"
            " the log yet"
            f" ({', '.join(offline.unapplied)}): judged as recovery would leave it; the next"
            " program that opens the directory recovers, or `bazanite checkpoint`"
        )
    return state


def verdict_text(offline: Offline, state: LogState) -> str:
    """The verdict for a person: "clean" would sound as if nothing were left to do."""
    if state.verdict != "clean" or state.problems or not offline.needs_recovery:
        return state.verdict
    frames = len(offline.scan.frames) if offline.scan else 0
    return f"valid, {plural(frames, 'frame')} not yet applied to every file"


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"must be a number, 0 or above, not {text!r}")
    return value
