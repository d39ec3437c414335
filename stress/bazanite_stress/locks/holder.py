"""An interpreter that ends with the lock held; started by the scene ``exit``.

python -m bazanite_stress.locks.holder DIRECTORY returns
"""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack

from bazanite_wal.options import StoreOptions
from bazanite_wal.store import open_store

_kept = ExitStack()


def main(path: str, how: str) -> None:
    """Hold the lock, say so, wait for a line, end: the main thread's lock or a daemon's."""
    store = open_store(path, StoreOptions(lock_timeout=20))
    held = threading.Event()

    def hold() -> None:
        _kept.enter_context(store.lock())
        held.set()
        if how == "daemon":
            threading.Event().wait()

    if how == "daemon":
        threading.Thread(target=hold, daemon=True).start()
    else:
        hold()
    held.wait()
    print("held", flush=True)
    sys.stdin.readline()
    if how == "raises":
        raise SystemExit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
