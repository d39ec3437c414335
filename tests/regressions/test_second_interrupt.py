"""Ctrl-C pressed twice, or forwarded by a parent beside the terminal's own, left things held.

The clean-up of a block is repeated when an interrupt cuts it short, but a second interrupt in the
repetition ended it: the global lock stayed held until the process went, and everybody else waited.
And an interrupt at the door of a call's own exit kept the call on the list of those under way for
as long as its traceback lived; a ``close`` while the program handled that interrupt waited for it,
which was itself, for ever.  Of a backup or a restore half was left, if a second one struck while
the first one's clean-up took it away.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from bazanite_wal import shared
from bazanite_wal.call import StoreCall
from bazanite_wal.restore import restore
from seam import Seam
from store_support import get, opened, put


@pytest.mark.parametrize("times", [2, 3, 5])
@pytest.mark.parametrize(
    "operation, name",
    [("unlock", ".lock"), ("unlock", ".sync"), ("store", str(shared.BUSY))],
)
def test_interrupts_in_the_clean_up_of_a_clean_up_leave_nothing_held(
    tmp_path: Path, operation: str, name: str, times: int
) -> None:
    seam, other = Seam(), Seam()
    store = opened(tmp_path, seam)
    neighbour = opened(tmp_path, other, lock_timeout=0.0)
    put(store, b"0000")
    if operation == "store":  # the clearing one: BUSY is written once before it
        seam.when("store", name, lambda: seam.fail("store", name, KeyboardInterrupt(), times=times))
    else:
        seam.fail(operation, name, KeyboardInterrupt(), times=times)
    with pytest.raises(KeyboardInterrupt):
        put(store, b"1111")
    assert get(neighbour) in (b"0000", b"1111")
    put(neighbour, b"2222")
    put(store, b"3333")
    assert get(neighbour) == b"3333"


def test_a_close_while_an_interrupt_at_a_calls_exit_is_handled_does_not_wait_for_itself(
    tmp_path: Path,
) -> None:
    store = opened(tmp_path)
    put(store, b"one")
    door = StoreCall.__exit__.__code__

    def strike(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code is door:
            sys.settrace(None)
            raise KeyboardInterrupt

    sys.settrace(strike)
    try:
        put(store, b"two")
    except KeyboardInterrupt:
        store.close()  # with the traceback alive
    finally:
        sys.settrace(None)
    again = opened(tmp_path)
    assert get(again) == b"two"


@pytest.mark.parametrize("times", [1, 2, 4])
@pytest.mark.parametrize("copy", ["backup", "restore"])
def test_a_copy_is_taken_away_however_often_its_clean_up_is_interrupted(
    tmp_path: Path, copy: str, times: int
) -> None:
    """Else half of it stays, in whose way the next backup to that place would find itself."""
    seam = Seam()
    store = opened(tmp_path / "data", seam)
    for name in ("schema.json", "a.dat", "b.dat"):
        put(store, b"{}", name)
    store.backup(str(tmp_path / "kept"))
    seam.fail("create", "b.dat", KeyboardInterrupt())
    seam.fail("remove", "a.dat", KeyboardInterrupt(), times=times)
    with pytest.raises(KeyboardInterrupt):
        if copy == "backup":
            store.backup(str(tmp_path / "copy"))
        else:
            restore(str(tmp_path / "kept"), str(tmp_path / "copy"), system=seam)
    assert not list((tmp_path / "copy").iterdir())
    store.backup(str(tmp_path / "copy"))
