"""Ctrl-C, and errors of the system, at every call and at every line of a transaction.

Afterwards the handle works, the transaction is there whole or not at all, nobody else waits for a
lock that is never freed, and a reopened directory says the same.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from bazanite_wal.errors import DBError
from bazanite_wal.store import Store, open_store
from seam import Seam
from test_store_kill import options, put, value_of

LEVELS = ("full", "normal", "off")


def put_calls(path: str, durability: str) -> int:
    """How many calls a transaction makes that has to checkpoint first."""
    seam = Seam(steady=True)
    store = filled(path, durability, seam)
    before = len(seam.calls)
    put(store, 10)
    calls = len(seam.calls) - before
    store.close()
    return calls


def filled(path: str, durability: str, seam: Seam | None = None) -> Store:
    """A store with so many transactions that the next one is over the checkpoint's threshold."""
    store = open_store(path, options(durability), seam)
    for value in range(1, 6):
        put(store, value)
    return store


def judge(path: str, store: Store, durability: str, context: object) -> None:
    """The handle works on, so does another process, and a fresh start agrees."""
    assert value_of(store) in (5, 10), context
    put(store, 11)
    assert value_of(store) == 11, context
    other = open_store(path, options(durability), Seam(steady=True))
    put(other, 12)
    assert value_of(store) == 12, context
    other.close()
    store.close()
    again = open_store(path, options(durability), Seam(steady=True))
    assert value_of(again) == 12, context
    again.close()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("durability", LEVELS)
def test_an_interrupt_at_any_call_leaves_a_whole_transaction_or_none(
    tmp_path: Path, durability: str, after: bool
) -> None:
    for step in range(put_calls(str(tmp_path / "count"), durability)):
        path = str(tmp_path / f"{step}")
        seam = Seam(steady=True)
        store = filled(path, durability, seam)
        seam.interrupt_at(step, KeyboardInterrupt(), after=after)
        try:
            put(store, 10)
        except KeyboardInterrupt:
            pass
        seam.rules.clear()
        seam.after_rules.clear()
        judge(path, store, durability, (step, seam.calls[-30:]))


class _Interrupter:
    """Raises KeyboardInterrupt at the n-th point at which Python would deliver a signal.

    Those are a function's entry and the return from a call, which is what a profiler sees.
    """

    def __init__(self, number: int) -> None:
        self.left = number
        self.where = ""

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        name = frame.f_code.co_filename
        if event == "c_call" or ("bazanite_wal" not in name and "contextlib" not in name):
            return
        if event == "return" and frame.f_code.co_flags & inspect.CO_GENERATOR:
            return  # a yield: the signal is delivered in the caller, after the return from next()
        if self.left == 0:
            sys.setprofile(None)
            self.where = f"{event} {name}:{frame.f_lineno}"
            self.left = -1
            raise KeyboardInterrupt
        self.left -= 1


# An interrupt that strikes while a dropped generator cleans up is reported so, and has no caller.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("part", range(4))
def test_an_interrupt_wherever_python_delivers_one_leaves_a_whole_transaction_or_none(
    tmp_path: Path, part: int
) -> None:
    number = part
    while True:
        path = str(tmp_path / f"{number}")
        store = filled(path, "full")
        interrupt = _Interrupter(number)
        sys.setprofile(interrupt)
        try:
            put(store, 10)
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(None)
        judge(path, store, "full", (number, interrupt.where))
        if interrupt.left != -1:
            return  # the transaction has fewer such points: all of this part were tried
        number += 12


@pytest.mark.parametrize("durability", LEVELS)
def test_an_error_at_any_write_leaves_a_whole_transaction_or_none_and_a_typed_error(
    tmp_path: Path, durability: str
) -> None:
    for step in range(put_calls(str(tmp_path / "count"), durability)):
        path = str(tmp_path / f"{step}")
        seam = Seam(steady=True)
        store = filled(path, durability, seam)
        failed = seam.fail_first(step, ("write_at", "truncate", "create", "create_successor"), 28)
        refused: DBError | None = None
        try:
            put(store, 10)
        except DBError as error:
            refused = error
        seam.rules.clear()
        assert refused is None or isinstance(refused.__cause__, OSError)
        if not poisoned(store):
            judge(path, store, durability, (step, failed, seam.calls[-10:]))


def poisoned(store: Store) -> bool:
    try:
        value_of(store)
    except DBError:
        return True
    return False
