"""``bazanite checkpoint DIR``: recover if necessary, then let the table files say everything."""

from __future__ import annotations

import argparse

from bazanite_wal.errors import DBError
from bazanite_wal.header import FRAMES_START
from bazanite_wal.offline import Offline
from bazanite_wal.options import StoreOptions
from bazanite_wal.recovery import RecoveryReport
from bazanite_wal.scan import LEAST_LOG_SIZE
from bazanite_wal.store import open_store

from .looking import add_directory_arguments, as_command_error, looking_at
from .output import FINE, CommandError, plural, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser)
    parser.add_argument(
        "--accept-unsafe",
        action="store_true",
        help="take the table files as they are, though the log is missing or the machine stopped"
        ' while durability was "off"',
    )
    parser.epilog = (
        "example: bazanite checkpoint data\n\n"
        "Works beside other processes. Afterwards the log is empty, and `cat` sees all that was"
        " committed."
    )


def run(args: argparse.Namespace) -> int:
    """Open, which recovers; checkpoint; close."""
    with looking_at(args) as offline:
        options = options_for(offline, args.lock_timeout, accept_unsafe=args.accept_unsafe)
        frames = len(offline.scan.frames) if offline.scan else 0
    try:
        store = open_store(args.directory, options)
        try:
            recovery = store.recovery
            store.checkpoint()
        finally:
            store.close()
    except DBError as error:
        told = as_command_error(error)
        # The library names its own option; here it is spelled differently.
        text = str(told).replace("accept_unsafe=True", "--accept-unsafe")
        raise CommandError(text, told.code) from error
    if args.json:
        print_json(
            {
                "directory": offline.path,
                "frame_count": frames,
                "recovered_frames": recovery.frames if recovery else 0,
                "dropped_torn_tail": bool(recovery and recovery.torn),
                "dropped_frames": recovery.dropped_frames if recovery else 0,
            }
        )
    else:
        print(f"{args.directory}: {_text(frames, recovery)}")
    return FINE


def options_for(
    offline: Offline, lock_timeout: float, *, accept_unsafe: bool = False
) -> StoreOptions:
    """As the directory is used now, so that nobody is turned away and the log does not grow."""
    options = StoreOptions(lock_timeout=lock_timeout)
    size = len(offline.log or b"") - FRAMES_START
    return StoreOptions(
        durability=offline.live.durability or "full",
        lock_timeout=lock_timeout,
        log_size_bytes=max(LEAST_LOG_SIZE, min(options.log_size_bytes, size)),
        powersafe_overwrite=offline.scan is None or offline.scan.header.sector == 1,
        accept_unsafe=accept_unsafe,
    )


def _text(frames: int, recovery: RecoveryReport | None) -> str:
    if recovery is None:
        return f"checkpoint done beside other processes; the log had {plural(frames, 'frame')}"
    if not recovery.frames and not recovery.torn:
        return "checkpoint done; the log was empty, so nothing was to be recovered"
    torn = "; dropped a torn, never acknowledged tail" if recovery.torn else ""
    return f"recovered {plural(recovery.frames, 'frame')}{torn}; checkpoint done"
