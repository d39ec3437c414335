"""Holding the global lock properly: busy mark, repair, poison check, applying what is durable.

``exclusive`` is the only way in.  It is a generator-based context manager on purpose: should
KeyboardInterrupt strike between the end of its body and its own clean-up, the generator is dropped
with the traceback and the clean-up runs then.

Invariant: ``BUSY`` is set from before the first thing a holder does until after the last.  It is
cleared last thing before the lock is freed, unless the holder was interrupted inside a step that
the next one must finish (``core.critical``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from . import shared
from .apply import finish_apply
from .context import closing_contextmanager, once_more
from .core import Core
from .errors import CommittedNotApplied, DirectoryError, TransactionError
from .group import GroupCommit
from .repair import repair


@closing_contextmanager
def exclusive(core: Core, group: GroupCommit, timeout: float | None) -> Iterator[None]:
    """Hold the global lock, with the directory repaired and not poisoned; free inside it again.

    LockTimeout or PoisonedError leave everything as it was.
    """
    nested = core.lock.owned()
    if nested and not _needs_repair(core):
        try:
            core.inside = False
            yield
        finally:
            core.inside = False  # back in the block around this one
        return
    try:
        try:
            if not nested:
                core.lock.acquire(timeout)
            _enter(core, group)
        except CommittedNotApplied as error:
            raise DirectoryError(
                f"{core.directory.path}: nothing was done: an earlier, durable transaction cannot"
                f" be written to the table files ({error.__cause__})"
            ) from error
        except OSError as error:
            raise DirectoryError(f"{core.directory.path}: nothing was done: {error}") from error
        core.inside = False
        yield
        core.inside = True
        check_thread(core)
        _finish_what_became_durable(core)
    finally:
        if nested:
            core.inside = False  # as above
        else:
            try:
                leave(core)
            except BaseException:
                once_more(lambda: leave(core))  # an interrupt struck at its door or inside
                raise


def help_apply(core: Core, group: GroupCommit) -> bool:
    """Apply what is durable if the global lock is free now; whether it was."""
    try:
        if not core.lock.try_acquire():
            return False
        _enter(core, group)
        return True
    finally:
        try:
            leave(core)
        except BaseException:
            once_more(lambda: leave(core))  # as above
            raise


def leave(core: Core) -> None:
    """Free the lock, whatever of it this thread holds; may be called again after an interrupt."""
    if core.forked():
        return  # the lock is the parent's; our copy of its file is closed
    if core.lock.owned():
        core.inside = True
        if core.entered and not core.critical:
            core.words[shared.BUSY] = 0
        core.entered = False  # before the next line: an interrupt between them keeps BUSY set
        core.critical = False  # the next holder finds BUSY set and repairs
        core.lock.release()


def _enter(core: Core, group: GroupCommit) -> None:
    words = core.words
    core.check_poisoned()
    if words[shared.BUSY]:
        core.critical = True  # until it is repaired, BUSY stays set
        repair(core, group)
        core.critical = False
    core.entered = True
    words[shared.BUSY] = core.pid
    words[shared.BUSY_SINCE] = int(core.system.wall_time())
    if words[shared.GENERATION] != core.header.generation:
        core.load_generation()
    finish_apply(core)


def check_thread(core: Core) -> None:
    """TransactionError if a block is left in another thread than the one that entered it."""
    if not core.forked() and not core.lock.owned():
        raise TransactionError(
            "a transaction or lock must be left in the thread that entered it; nothing is committed"
        )


def _needs_repair(core: Core) -> bool:
    """Whether a step of this holder's was interrupted, or a sync failed, since it got the lock."""
    if core.forked():
        return False  # nothing of the parent's is ours to repair
    return bool(core.critical or core.words[shared.SEQUENCE] & 1 or core.words[shared.POISONED])


def _finish_what_became_durable(core: Core) -> None:
    """Spare those whose frames were synced while we held the lock from taking it themselves."""
    if not core.forked() and not core.critical and not core.words[shared.POISONED]:
        with suppress(CommittedNotApplied):  # theirs to hear; the next holder tries again
            finish_apply(core)
