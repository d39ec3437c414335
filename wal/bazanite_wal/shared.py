"""The shared, volatile words: what attached processes tell each other without system calls.

One file, ``.shared``, of 512 words, mapped by every attached process.  All of it may be lost or
stale after a crash: the log and the data files alone decide (recovery rebuilds the words from
them; what they may do is witness that a frame was durable, see WITNESS).  Each word is one
aligned 64-bit load or store.

Who may write: ``DURABLE`` and ``SYNCING`` only under ``.sync``; ``POISONED`` and ``TOLD_AHEAD``
anybody, never back to zero; a process's own slot that process; all others only under the global
lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import NamedTuple

from .system import SharedWords, Words

WORD_COUNT = 512

READY = 0
"""The boot's token once the words are initialised; anything else: do not believe them."""
END = 1
"""Log position after the last whole frame."""
DURABLE = 2
"""Every frame below this position is on disk.  Never moves back within an attachment."""
APPLIED = 3
"""Every frame below this position is in the data files."""
SEQUENCE = 4
"""Odd while data files are being changed; readers without a lock check it before and after."""
GENERATION = 5
"""The log generation in use."""
POISONED = 6
"""Non-zero once a sync failed: the process id of who saw it, or NAMES_FAILED."""
BUSY = 7
"""The process id of the global lock's holder; found set by the next holder: it died inside."""
SYNCING = 8
"""The process id of who syncs the log; found set under .sync: it died or failed inside."""
TAIL = 9
"""The checksum of the last whole frame (or the salt), as a number: what the next frame names."""
REDO = 10
"""A generation whose frames must all be written again before data files are synced."""
DURABILITY = 11
"""The directory's durability level while anyone is attached: index into LEVELS."""
BUSY_SINCE = 12
"""When the holder took the global lock, in seconds of wall time; advice."""
SYNCED_AT = 13
"""When the log was last synced, in milliseconds of monotonic time; advice."""
LOG_SIZE = 14
"""The log's standard size in bytes, as the first opener asked."""
CHECKPOINTING = 15
"""The process id of who syncs data files ahead of a checkpoint; advice."""
WATERMARK = 16
"""Every transaction below this position is covered by the durable watermark of some frame."""

WITNESS = 17
"""The boot's token while GENERATION and DURABLE are those of the last attachment in this boot."""

NAMES = 18
"""The boot's token once a sync of the directory failed: names in it may not be on disk."""
OWN_NAME = 19
"""The boot's token once the sync of the directory's own name failed."""
LOCK_FILE = 20
"""Which file ``.lock`` is while anyone is attached: who finds another one there has no lock."""
SYNC_FILE = 21
"""Which file ``.sync`` is, in the same way."""

NAMES_SYNCING = 22
"""The boot's token while the directory is synced; found set by a first opener: nobody heard of it.
"""
LAYOUT = 23
"""Moves up when it changes how the data files are laid out: what was known before no longer holds.
It does so before the change is in the log, and readers without the lock look at it last.  The first
opener begins with a log position, so that nobody meets a number again that it knew long ago."""
HOLD = 24
"""Not zero while somebody may hold the log (``hold``): no checkpoint may empty it then."""

CHECKPOINTED_AT = 25
"""When the log was last emptied, in milliseconds of monotonic time; advice."""
LAYOUT_AT = 26
"""Who reads the files of this log position, or a later one, reads them as of LAYOUT; LAYOUT_PENDING
from when LAYOUT moved until the next frame is made, which is the one that changes them."""
TOLD_AHEAD = 27
"""Not zero once somebody was told of frames that are durable and in no data file yet: from then on
who reads without the lock must find everything there that is durable."""

NAMES_FAILED = (1 << 64) - 1
"""Stands in POISONED if nothing failed but a sync of the directory."""

LAYOUT_PENDING = (1 << 64) - 1
"""Stands in LAYOUT_AT; no log position is as high."""

_SLOTS_START = 64
_SLOT_SIZE = 2
FREED = (1 << 64) - 1
"""Stands in a slot that was let go."""

LEVELS = ("full", "normal", "off")


def boot_token(boot_id: str) -> int:
    """What READY holds in this boot."""
    return int.from_bytes(blake2b(boot_id.encode(), digest_size=8).digest(), "little") | 1


def files_are_behind(words: Words) -> bool:
    """Whether somebody may know of a state that the data files do not have yet."""
    return bool(words[TOLD_AHEAD]) and words[APPLIED] < words[DURABLE]


class Witness(NamedTuple):
    """Up to where the log was durable, and written, in which generation, as an earlier process of
    this boot said.

    In a later generation all of an earlier one was, as its LSNs lie below.  It can prove damage,
    and nothing else: the words may be lost at any time.
    """

    generation: int = 0
    durable: int = 0
    end: int = 0


def witness(words: Words, token: int) -> Witness:
    """What these words witness; nothing in a boot in which nobody wrote them."""
    if words[WITNESS] != token:
        return Witness()
    return Witness(words[GENERATION], words[DURABLE], words[END])


def clear_words(mapping: SharedWords) -> None:
    """Forget everything of an earlier attachment; READY first, so that nobody believes the rest."""
    words = mapping.words
    words[READY] = 0
    for index in range(1, _SLOTS_START):
        words[index] = 0
    mapping.clear_from(_SLOTS_START)


def move_layout(words: Words) -> None:
    """Say that the next frame changes the layout."""
    words[LAYOUT_AT] = LAYOUT_PENDING
    words[LAYOUT] += 1


def claim_slot(words: Words, pid: int, is_alive: Callable[[int], bool]) -> int | None:
    """The index of a slot for this process: its id, then its waiting mark.  Under the lock.

    None if all are taken; slots are advice (who is attached, who waits), so that is no error.
    """
    for index in range(_SLOTS_START, WORD_COUNT, _SLOT_SIZE):
        owner = words[index]
        if owner in (0, pid, FREED) or not is_alive(owner):
            words[index + 1] = 0
            words[index] = pid
            return index
    return None


def free_slot(words: Words, index: int) -> None:
    """Let go of a slot; the list of slots ends at the first one never used."""
    words[index + 1] = 0
    words[index] = FREED


def is_alone(words: Words, own: int | None) -> bool:
    """Whether no other process has a slot; who has none itself cannot tell."""
    if own is None:
        return False
    for index in range(_SLOTS_START, WORD_COUNT, _SLOT_SIZE):
        pid = words[index]
        if pid == 0:
            return True
        if pid != FREED and index != own:
            return False
    return True


def waiting_marks(words: Words) -> list[tuple[int, int]]:
    """(slot index, mark) of every slot whose process waits for the global lock."""
    found: list[tuple[int, int]] = []
    for index in range(_SLOTS_START, WORD_COUNT, _SLOT_SIZE):
        if not words[index]:
            break
        if mark := words[index + 1]:
            found.append((index, mark))
    return found


def attached_pids(words: Words) -> Iterator[tuple[int, int]]:
    """(slot index, process id) of every process that claimed a slot, dead ones included."""
    for index in range(_SLOTS_START, WORD_COUNT, _SLOT_SIZE):
        pid = words[index]
        if pid == 0:
            return
        if pid != FREED:
            yield index, pid
