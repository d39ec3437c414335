"""What a handle leaves behind in its process.

Once, every handle made a context variable for its last read, and Python never frees one: a program
that opened and closed a database all day grew without end.
"""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path

from store_support import get, opened, put


def test_a_closed_handle_leaves_nothing_in_the_process(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, b"x")
    get(store)
    position = weakref.ref(store._seen)
    store.close()
    del store
    gc.collect()
    assert position() is None


def test_each_thread_has_its_own_last_read(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, b"x")
    first = store.read_lsn
    seen: list[int] = []

    def other() -> None:
        seen.append(store.read_lsn)
        put(store, b"y")
        seen.append(store.read_lsn)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(30)
    assert seen[0] == 0 < first == store.read_lsn < seen[1]
    store.close()
