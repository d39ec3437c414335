"""Calls of a store under way: who is inside, and what may not be begun in there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .context import finish_interrupted
from .errors import TransactionError

if TYPE_CHECKING:
    from .registry import Attachment
    from .store import Store


class StoreCall:
    """A call under way: as long as it lives, the last handle's close waits with detaching."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.thread: object = None

    def __enter__(self) -> Attachment:
        self._used = used = self._store._use()
        if used.core.lock.owned():
            finish_interrupted()
            if used.core.lock.owned() and used.core.inside:
                raise TransactionError(
                    "the database was used by a signal handler, a finalizer, a field type or a"
                    " migration's function inside one of its own calls; nothing was done"
                )
        self.thread = used.here.me
        used.calls.add(self)
        if self._store._attachment is not used:
            used.calls.discard(self)
            raise TransactionError("the database is closed")
        return used

    def __exit__(self, *_exception: object) -> None:
        self._used.calls.discard(self)


def refuse_while_reading(used: Attachment) -> None:
    """TransactionError for a change by whoever is shown rows just now: they would not hold still.

    That is a condition, a join, a field type or a signal handler of this thread's.
    """
    if used.reading is not None and used.core.lock.owned():
        raise TransactionError(
            "the database cannot be changed by a condition, a join, a field type or a signal"
            " handler while it is being read; nothing was done"
        )
