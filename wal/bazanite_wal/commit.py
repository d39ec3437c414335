"""The order of a commit.  Everything about it that matters for a crash can be read off here.

1. take the global lock, mark it busy, repair, catch up              ``exclusive``, ``catch_up``
2. run the transaction on files + overlay + its own write set        nothing touches a file
3. write one frame at the log's end, whole, then move the end        ``append``
4. free the lock; make the log durable, one sync for all waiting     ``GroupCommit.wait_applied``
5. take the lock; put the durable frames into the data files         ``finish_apply``
6. return: the frame, and every frame before it, is durable and applied

A failure before the end moves rolls back; after that the outcome is durable or unknown.  An answer
that was computed from frames not yet applied (a rollback, a refusal, a read-only transaction) waits
like a commit, so that nothing is revealed that a power cut could take back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from . import shared
from .apply import catch_up, finish_apply
from .context import T, closing_contextmanager, within
from .core import Core, Remembered
from .errors import (
    CommittedNotApplied,
    CommitUncertain,
    DirectoryError,
    PoisonedError,
    TransactionError,
)
from .frame import FRAME, MARK, Operation, encode_frame, encode_operations
from .group import GroupCommit
from .room import fits, make_room
from .section import check_thread, exclusive, help_apply
from .telling import ERROR, tell
from .transaction import Transaction

_IDLE_SECONDS = 1.0


@closing_contextmanager
def transaction(core: Core, group: GroupCommit, timeout: float | None) -> Iterator[Transaction]:
    """Run the body as one transaction; see the module's text for the order.

    On return it is durable and applied (as far as the durability level says).  Any exception from
    the body rolls it back and is raised again.  LockTimeout: nothing was done.
    """
    failure: BaseException | None = None
    nested = core.lock.owned()
    with exclusive(core, group, timeout):
        core.inside = True
        lsn = catch_up(core)  # not 0: what the body sees is not all durable
        tx = Transaction(core.overlay)
        try:
            core.inside = False
            yield tx
            core.inside = True
            tx.close()
            if core.forked():
                raise another_process()
            check_thread(core)
            tx.check_whole()
            core.check_poisoned()  # else a frame made from pages that are lost could be redone
            if tx.has_changes:
                _refuse_too_large(core, tx)
                lsn = append(core, group, FRAME, tx.after_images(core.header.sector))
                core.counts["commits"] += 1
            tx.lsn = lsn or core.position
        except (KeyboardInterrupt, GeneratorExit):
            raise  # at once: it tells nothing of what the body saw
        except BaseException as error:
            tx.close()
            if core.forked():
                raise
            check_thread(core)
            if core.words[shared.POISONED] and not isinstance(error, PoisonedError):
                raise core.poisoned() from error  # it may tell of lost pages, as a read may
            tx.refused_at = lsn or core.position
            core.inside = True
            failure = error
        committed = tx.has_changes and failure is None
        if core.unsafe:
            finish_apply(core)
        elif nested or (lsn and _is_alone(core)):
            or_explain(core, lambda: sync_and_apply_locked(core, group), committed=committed)
    if not nested:
        or_explain(core, lambda: settle(core, group, lsn), committed=committed)
    if failure is not None:
        raise failure


def run(
    core: Core, group: GroupCommit, timeout: float | None, body: Callable[[Transaction], T]
) -> T:
    """What ``body`` returns, run as one ``transaction``."""
    return within(transaction(core, group, timeout), body)


def _is_alone(core: Core) -> bool:
    """Whether nobody else seems to want the lock: then the log is synced and applied under it.

    That spares taking it a second time.  It is advice: who comes meanwhile waits for one sync.
    """
    return (
        core.words[shared.DURABILITY] == 1
        and not core.lock.wanted_lately()
        and shared.is_alone(core.words, core.lock.slot)
    )


def _refuse_too_large(core: Core, tx: Transaction) -> None:
    """DirectoryError if the files may not grow that far in this process, or on this disk.

    Once durable, such a frame could not be applied, and everyone would have to wait for it.  It is
    no ValidationError, as the same call may do elsewhere: like a full disk, not like a bad value.
    """
    size, name = tx.furthest
    largest = core.files.largest_size(name)
    if size > largest:
        raise DirectoryError(
            f"{core.directory.path}/{name}: the transaction is rolled back: it needs a file of"
            f" {size} bytes, and the limit is {largest} (of the file system, or of this process:"
            " RLIMIT_FSIZE, `ulimit -f`)"
        )


def another_process() -> TransactionError:
    """The error for a forked child that leaves its parent's transaction."""
    return TransactionError("this transaction began in another process, which alone can commit it")


def or_explain(core: Core, step: Callable[[], None], *, committed: bool) -> None:
    """Take the last step of a call; an error says truly whether it has changed anything."""
    try:
        step()
    except CommittedNotApplied:
        if committed:
            raise
        # what it saw is durable: that may be revealed, and the next use applies it
    except (CommitUncertain, OSError) as error:
        if not committed:
            raise DirectoryError(
                f"{core.directory.path}: nothing was done, and no answer can be given yet: it"
                f" depends on transactions of others that nobody confirmed to be on disk ({error})"
            ) from error
        tell(ERROR, "commit uncertain", "%s: %s", core.directory.path, error)
        if isinstance(error, CommitUncertain):
            raise
        raise CommitUncertain(
            f"{core.directory.path}: the log could not be synced ({error}); the outcome of this"
            " transaction is unknown until the database is used again"
        ) from error


def settle(core: Core, group: GroupCommit, lsn: int) -> None:
    """Wait until ``lsn`` is as durable as the directory's level promises.  Lock not held."""
    words = core.words
    if words[shared.DURABILITY] == 1:
        group.wait_applied(lsn, lambda: help_apply(core, group))
    elif not core.unsafe:
        unsynced = words[shared.END] - words[shared.DURABLE]
        age = core.system.monotonic() - words[shared.SYNCED_AT] / 1000
        if unsynced >= core.options.sync_bytes or (unsynced and age >= core.options.sync_seconds):
            group.wait_durable(lsn)
            help_apply(core, group)


def sync_and_apply_locked(core: Core, group: GroupCommit) -> None:
    """Make everything in the log durable and applied.  Caller holds the global lock."""
    if not core.unsafe and core.words[shared.DURABLE] < core.words[shared.END]:
        group.sync_held()
    finish_apply(core)


def settle_held(core: Core, group: GroupCommit) -> None:
    """The same for a call that begins with it; DirectoryError if it cannot be: nothing was done."""
    try:
        sync_and_apply_locked(core, group)
    except (CommittedNotApplied, CommitUncertain, OSError) as error:
        raise DirectoryError(
            f"{core.directory.path}: nothing was done: earlier transactions cannot be made durable"
            f" and put into the table files ({error})"
        ) from error


def append(core: Core, group: GroupCommit, kind: bytes, operations: list[Operation]) -> int:
    """Write one frame at the end of the log and move the end; returns its commit LSN.

    Caller holds the global lock.  If this raises, the transaction is rolled back, except that a
    frame which stands whole in the log is committed even if an interrupt is raised after it.
    """
    payload = encode_operations(operations)
    try:
        make_room(core, group, len(payload))
    except OSError as error:
        raise DirectoryError(
            f"{core.log.path}: no room could be made, the transaction is rolled back: {error}"
        ) from error
    words, header = core.words, core.header
    before = words[shared.END]
    lsn = header.align(before)
    watermark = words[shared.DURABLE]
    previous = f"{words[shared.TAIL]:016x}"
    frame, checksum = encode_frame(kind, lsn, watermark, previous, header.salt, payload)
    if kind == FRAME and words[shared.LAYOUT_AT] == shared.LAYOUT_PENDING:
        words[shared.LAYOUT_AT] = lsn + len(frame)  # before others can see its end
    core.critical = True  # dying from here on may leave a whole frame that nobody counts yet
    try:
        core.log.write(header, lsn, frame)
    except BaseException as error:
        if core.log.read(header, lsn, lsn + len(frame)) != frame:
            core.critical = False  # no whole frame, and none can become one: rolled back
            if isinstance(error, OSError):
                raise DirectoryError(
                    f"{core.log.path}: cannot write to the log, the transaction is rolled back:"
                    f" {error}"
                ) from error
            raise
        _publish(core, lsn + len(frame), checksum)
        if not isinstance(error, OSError):
            raise
    else:
        _publish(core, lsn + len(frame), checksum)
    words[shared.WATERMARK] = lsn + len(frame) if kind == MARK else watermark
    core.counts["log_bytes"] += len(frame)
    core.remember(Remembered(before, lsn, frame, operations))
    return lsn + len(frame)


def mark_durable(core: Core, group: GroupCommit) -> None:
    """Say in the log that all of it is durable, so that later damage to it can be told.

    Caller holds the global lock.  Nothing happens if no transaction came since the last mark, or if
    the last one is not durable yet.
    """
    words = core.words
    if words[shared.WATERMARK] < words[shared.DURABLE] == words[shared.END] and fits(core, 0):
        append(core, group, MARK, [])


def mark_if_idle(core: Core, group: GroupCommit) -> None:
    """Mark a log that nobody has added to for a while; errors are the next writer's to meet."""
    if core.system.monotonic() - core.words[shared.SYNCED_AT] / 1000 > _IDLE_SECONDS:
        with suppress(DirectoryError):
            mark_durable(core, group)


def _publish(core: Core, end: int, checksum: str) -> None:
    core.words[shared.TAIL] = int(checksum, 16)
    core.words[shared.END] = end
    core.known = (core.header.generation, end, checksum)
    core.critical = False
