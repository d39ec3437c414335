"""What the tests of the store share: short ways to open, change and read a directory."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bazanite_wal import shared
from bazanite_wal.commit import append
from bazanite_wal.core import Core
from bazanite_wal.frame import FRAME, Frame, Write
from bazanite_wal.options import StoreOptions
from bazanite_wal.registry import Attachment
from bazanite_wal.scan import scan_log
from bazanite_wal.section import exclusive
from bazanite_wal.store import Store, open_store
from seam import Seam

SMALL = 8192
LOG = "wal.log"
NEW = "wal.log.new"
FORK = "ignore:This process .* is multi-threaded:DeprecationWarning"


def opened(path: Path | str, seam: Seam | None = None, **options: Any) -> Store:
    """A store over ``seam`` (a process of its own) that gives up waiting after 20 seconds."""
    options = {"commit_timeout": 20, "lock_timeout": 20} | options
    return open_store(str(path), StoreOptions(**options), seam)


def put(store: Store, data: bytes, name: str = "a.dat", offset: int = 0) -> int:
    """One transaction that writes ``data``; its LSN."""
    with store.transaction() as tx:
        store.create_files([name])
        tx.write(name, offset, data)
    return tx.lsn


def get(store: Store, name: str = "a.dat") -> bytes:
    """A whole file as the store shows it."""
    with store.reading() as view:
        return view.read(name, 0, 1 << 20)


def unsynced(store: Store, data: bytes) -> int:
    """Leave a frame in the log that nobody has synced, as a committer does while it waits."""
    used = attachment(store)
    with exclusive(used.core, used.group, 20):
        return append(used.core, used.group, FRAME, [Write("a.dat", 0, data)])


def attachment(store: Store) -> Attachment:
    """The inside of an open store."""
    found = store._attachment
    assert found is not None
    return found


def core(store: Store) -> Core:
    return attachment(store).core


def word(store: Store, index: int) -> int:
    """One of the shared words."""
    return core(store).words[index]


def is_busy(store: Store) -> bool:
    return bool(word(store, shared.BUSY))


def in_child(work: Callable[[], object]) -> int:
    """Run ``work`` in a forked child; its exit status, 0 if it returned."""
    return os.waitstatus_to_exitcode(os.waitpid(start_child(work), 0)[1])


def start_child(work: Callable[[], object]) -> int:
    """Begin to run ``work`` in a forked child; its pid."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            _save_coverage()
            os._exit(status)
    return pid


def _save_coverage() -> None:
    """What a child ran counts too; ``os._exit`` would lose it."""
    module = sys.modules.get("coverage")
    measuring = module and module.Coverage.current()
    if measuring:
        measuring.stop()
        measuring.save()


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def frames_in(directory: Path) -> tuple[Frame, ...]:
    """The frames that the log of this directory holds."""
    scan = scan_log((directory / LOG).read_bytes())
    assert scan is not None
    return scan.frames
