"""A record that an index points at, read without the lock and in as few steps as possible.

``Store.quick_read`` does the same for any reading, and is what remains to be done whenever there is
no answer here.  The rules are the same: what was read counts only if the apply sequence was even
before and is unchanged after, nothing was poisoned, the files are not older than the overlay that
``durability="normal"`` reads from, nor than what somebody was told ahead of them (TOLD_AHEAD), and
nobody has changed how they are laid out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .errors import DBError
from .registry import Attachment
from .shared import APPLIED, DURABILITY, DURABLE, LAYOUT, POISONED, SEQUENCE, TOLD_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from .store import Store


class Indexed(NamedTuple):
    """Where records are, and how they are found.

    Entry ``n``, ``width`` bytes in file ``entries``, is in decimal digits the number of a record of
    ``size`` bytes in file ``records``.
    """

    entries: str
    width: int
    records: str
    size: int


class Glance:
    """Reads records of one file for one handle; any thread may use it.

    All that it needs is bound when it is made: the words and the open files, which stay the same as
    long as the process is attached.
    """

    __slots__ = (
        "_incarnation", "_layout", "_mine", "_owned", "_read_index", "_read_record", "_size",
        "_store", "_token", "_width", "_words",
    )  # fmt: skip

    def __init__(self, store: Store, attachment: Attachment, where: Indexed, layout: int) -> None:
        core = attachment.core
        self._layout = layout
        self._store = store
        self._token = attachment.token  # not itself: interrupts may take all of its handles
        self._words = core.words
        self._incarnation = core.system.incarnation
        self._mine = core.system.incarnation()
        self._width = where.width
        self._size = where.size
        self._owned: Callable[[], bool] = _always
        try:
            if not core.system.ordered_memory() or core.words[DURABILITY] == 2:
                return  # neither changes while the process is attached
            self._read_index = core.files.require(where.entries).read_at
            self._read_record = core.files.require(where.records).read_at
        except (DBError, OSError, ValueError):
            return  # whoever reads with care finds out what that means
        self._owned = core.lock.owned

    @property
    def is_stale(self) -> bool:
        """Whether the handle is no longer attached as it was when this was made."""
        used = self._store._attachment
        try:
            return (
                used is None
                or used.token is not self._token
                or self._mine != self._incarnation()
                or self._words[LAYOUT] != self._layout
            )
        except ValueError:
            return True  # another thread closed the database: the words are gone

    def record(self, number: int) -> bytes | None:
        """The record that entry ``number`` points at; None whenever that is not so simple.

        It may be shorter than it should be, and the entry's digits were not looked at closely: the
        caller makes sure that it is the record that it wanted.
        """
        used = self._store._attachment
        if (
            used is None
            or used.token is not self._token
            or self._owned()
            or self._mine != self._incarnation()
        ):
            return None
        words, size = self._words, self._size
        try:
            before = words[SEQUENCE]
            slot = int(self._read_index(self._width, number * self._width))
            data = self._read_record(size, slot * size)
            lsn = words[APPLIED]
            if before & 1 or words[SEQUENCE] != before or words[POISONED]:
                return None
            if words[LAYOUT] != self._layout or (words[TOLD_AHEAD] and lsn < words[DURABLE]):
                return None
        except (ValueError, OSError, OverflowError):
            return None  # no such entry, no such place, or another thread closed the database
        self._store._seen.lsn = lsn
        return data


def _always() -> bool:
    """Stands for a lock that is always held: then nothing is read without it."""
    return True
