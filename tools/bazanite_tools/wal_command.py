"""``bazanite wal``: the log, explained (``show``) or only judged (``verify``).

``archive`` and ``tail`` are in files of their own.
"""

from __future__ import annotations

import argparse
from typing import Any

from bazanite_wal.frame import MARK, Fill, Frame, Operation, Write
from bazanite_wal.header import FRAMES_START, Header
from bazanite_wal.log import LOG_NAME
from bazanite_wal.offline import Offline
from bazanite_wal.scan import Scan

from . import archive_command, tail_command
from .looking import LogState, add_directory_arguments, log_state, looking_at
from .output import FINDINGS, FINE, count, plural, print_json, size_text, visible


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of all actions."""
    parser.epilog = "examples:\n  bazanite wal show data | less\n  bazanite wal tail data --follow"
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser(
        "show",
        help="every frame: position, operations, bytes",
        description="List the frames of the log's newest generation, and what follows them.",
        epilog="Frames before the last checkpoint are gone. Exit status 1 if the log is damaged."
        " Example: bazanite wal show data --last 3",
    )
    add_directory_arguments(show)
    show.add_argument(
        "--last", type=count, default=None, metavar="N", help="only the last N frames"
    )
    show.add_argument(
        "--width", type=count, default=48, metavar="N", help="show N bytes of a write (default: 48)"
    )
    verify = actions.add_parser(
        "verify",
        help="only the verdict; exit status 1 if the log is damaged",
        description="Judge the log: clean, torn (a crash amid a write: harmless) or corrupt.",
        epilog="Example: bazanite wal verify data",
    )
    add_directory_arguments(verify)
    tail_command.add_arguments(actions)
    archive_command.add_arguments(actions)


def run(args: argparse.Namespace) -> int:
    """Do what was asked for; 1 if the log is damaged, or does not have what is wanted."""
    if args.action == "tail":
        return tail_command.run(args)
    if args.action == "archive":
        return archive_command.run(args)
    with looking_at(args) as offline:
        state = log_state(offline)
        frames = list(offline.scan.frames) if offline.scan and args.action == "show" else []
        if args.action == "show" and args.last is not None:
            frames = frames[max(len(frames) - args.last, 0) :]
        if args.json:
            _print_json(offline, state, frames, with_frames=args.action == "show")
        else:
            if args.action == "show":
                _print_frames(offline, frames, args.width)
            _print_verdict(args.directory, offline, state)
    return FINDINGS if state.problems else FINE


def _print_frames(offline: Offline, frames: list[Frame], width: int) -> None:
    scan = offline.scan
    if scan is None:
        return
    print(_header_text(scan.header))
    if len(frames) < len(scan.frames):
        print(f"... {plural(len(scan.frames) - len(frames), 'frame')} before these")
    for frame in frames:
        print()
        _print_frame(frame, scan.header, width)
    print()


def _header_text(header: Header) -> str:
    sector = f", frames aligned to {header.sector} bytes" if header.sector > 1 else ""
    unsafe = f', durability="off" in boot {header.boot}' if header.unsafe else ""
    return (
        f"generation {header.generation}: starts at LSN {header.base},"
        f" salt {header.salt.hex()}{sector}{unsafe}"
    )


def _print_frame(frame: Frame, header: Header, width: int) -> None:
    place = f"offset {header.file_offset(frame.lsn)}, durable before it: up to {frame.watermark}"
    if frame.kind == MARK:
        print(f"LSN {frame.lsn}  mark  ({place})")
        return
    operations = frame.operations()
    print(
        f"LSN {frame.lsn}  transaction of {plural(len(operations), 'operation')},"
        f" {plural(len(frame.payload), 'byte')}  ({place})"
    )
    longest = max((len(operation.name) for operation in operations), default=0)
    for operation in operations:
        print(f"  {_operation_text(operation, longest, width)}")


def _operation_text(operation: Operation, longest: int, width: int) -> str:
    name = operation.name.ljust(longest)
    if isinstance(operation, Write):
        where = f"{operation.offset}+{len(operation.data)}"
        return f"write     {name}  {where:<12}  {visible(operation.data, width)}"
    if isinstance(operation, Fill):
        where = f"{operation.offset}+{operation.count}"
        return f"fill      {name}  {where:<12}  {visible(bytes((operation.byte,)), 1)}"
    return f"truncate  {name}  to {plural(operation.size, 'byte')}"


def _print_verdict(directory: str, offline: Offline, state: LogState) -> None:
    path = f"{directory}/{LOG_NAME}"
    for offset, what in state.problems:
        print(f"PROBLEM {path} offset {offset}: {what}")
    for note in state.notes:
        print(f"note: {note}")
    scan = offline.scan
    if scan is None or offline.log is None:
        print(f"{path}: {state.verdict}")
        return
    used, room = scan.end - scan.header.base, len(offline.log) - FRAMES_START
    print(
        f"{path}: {state.verdict}; {plural(len(scan.frames), 'frame')}, ends at LSN {scan.end},"
        f" {size_text(used)} of {size_text(room)} used"
    )


def _print_json(
    offline: Offline, state: LogState, frames: list[Frame], *, with_frames: bool
) -> None:
    document: dict[str, Any] = {
        "directory": offline.path,
        "verdict": state.verdict,
        "ok": not state.problems,
        "problems": [
            {"file": LOG_NAME, "offset": offset, "what": what} for offset, what in state.problems
        ],
        "notes": state.notes,
        "needs_recovery": offline.needs_recovery,
    }
    if offline.scan is not None and offline.log is not None:
        document |= log_document(offline.scan, len(offline.log))
    if with_frames:
        document["frames"] = [_frame_document(frame) for frame in frames]
    print_json(document)


def log_section(offline: Offline, state: LogState) -> dict[str, Any]:
    """The log, as ``info`` and ``check`` give it."""
    section: dict[str, Any] = {"verdict": state.verdict}
    if offline.scan is not None and offline.log is not None:
        section |= log_document(offline.scan, len(offline.log))
    return section


def log_document(scan: Scan, log_size: int) -> dict[str, Any]:
    """The log's figures, as ``info``, ``check`` and ``wal`` give them."""
    return {
        "generation": scan.header.generation,
        "base_lsn": scan.header.base,
        "end_lsn": scan.end,
        "frame_count": len(scan.frames),
        "used_bytes": scan.end - scan.header.base,
        "room_bytes": log_size - FRAMES_START,
        "dropped_frames": scan.dropped_frames,
    }


def _frame_document(frame: Frame) -> dict[str, Any]:
    return {
        "kind": "mark" if frame.kind == MARK else "transaction",
        "lsn": frame.lsn,
        "end_lsn": frame.end,
        "durable_lsn": frame.watermark,
        "checksum": frame.checksum,
        "operations": [_operation_document(operation) for operation in frame.operations()],
    }


def _operation_document(operation: Operation) -> dict[str, Any]:
    if isinstance(operation, Write):
        return {"do": "write", "file": operation.name, "offset": operation.offset,
                "count": len(operation.data), "hex": operation.data.hex()}  # fmt: skip
    if isinstance(operation, Fill):
        return {"do": "fill", "file": operation.name, "offset": operation.offset,
                "count": operation.count, "byte": operation.byte}  # fmt: skip
    return {"do": "truncate", "file": operation.name, "size": operation.size}
