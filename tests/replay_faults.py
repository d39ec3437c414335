"""Faults put into the engine while it runs, by name, in this process or in one of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bazanite_wal import checkpoint, recovery
from bazanite_wal.datafiles import DataFiles
from bazanite_wal.group import GroupCommit
from bazanite_wal.log import Log
from bazanite_wal.scan import scan_log

SetAttribute = Callable[[Any, str, Any], None]


def _log_never_synced(put: SetAttribute) -> None:
    put(Log, "sync", lambda _log: None)


def _data_never_synced(put: SetAttribute) -> None:
    put(DataFiles, "sync_all", lambda _files: None)


def _first_frame_only(put: SetAttribute) -> None:

    def shortened(data: bytes) -> Any:
        scan = scan_log(data)
        return scan and replace(scan, frames=scan.frames[:1])

    put(recovery, "scan_log", shortened)


def _header_before_data(put: SetAttribute) -> None:
    """A checkpoint forgets the log first and makes the data durable second."""
    sync, write = checkpoint.sync_data_files, GroupCommit.write_header
    owed: list[Any] = []

    def later(core: Any, **_: Any) -> None:
        owed[:] = [core]

    def write_then_sync(group: GroupCommit, header: Any, *, durable: bool) -> None:
        write(group, header, durable=durable)
        if owed and owed[0] is group._core:  # and not of a run that was left
            sync(owed.pop(), redo=True)

    put(checkpoint, "sync_data_files", later)
    put(GroupCommit, "write_header", write_then_sync)


FAULTS: dict[str, Callable[[SetAttribute], None]] = {
    "log never synced": _log_never_synced,
    "data never synced": _data_never_synced,
    "first frame only": _first_frame_only,
    "header before data": _header_before_data,
}


def plant(name: str) -> None:
    """For the rest of this process's life."""
    FAULTS[name](setattr)
