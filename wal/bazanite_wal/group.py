"""Group commit: one sync of the log for all frames that were waiting for one.

Whoever gets ``.sync`` is the leader: it syncs the log for every frame up to the end it read, says
so in ``DURABLE``, and lets go.  The others nap, look, and mostly find their frame durable already.
Threads of one process wait for their own leader on a thread lock, not on files.

Invariants: every log sync of an attached process, and every header write, happens under ``.sync``;
``.lock`` then ``.sync`` is allowed, ``.sync`` then ``.lock`` never; ``DURABLE`` and ``SYNCING`` are
written under ``.sync`` only; the first failed sync poisons, and nothing syncs again after it.
``SYNCING`` found set means that the last syncer died or failed, perhaps of an error that nobody
heard: the kernel may think those pages clean, so they are written again before they are synced.
So they are by who joined when they were not durable yet: of an error before that only those hear
who had the log open (``joined_log``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import shared
from .context import closing_contextmanager, once_more
from .core import Core
from .errors import CommittedNotApplied, CommitUncertain, CorruptionError
from .header import Header
from .lock import let_go, nap_lengths
from .telling import INFO, SLOW_SECONDS, WARNING, tell

_FOLLOWER_WAIT_SECONDS = 0.05


class GroupCommit:
    """The log's syncs for one process.  Thread-safe."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._leader_turn = core.system.thread_lock()
        # One at a time in this process: two threads share the descriptor, on which the flock would
        # not keep them apart and a failed sync is reported only once.
        self._sync_turn = core.system.thread_lock()

    def sync_held(self) -> None:
        """Make the log durable up to its end.  Caller holds the global lock."""
        with self.right_to_sync():
            self._sync()

    @closing_contextmanager
    def right_to_sync(self) -> Iterator[None]:
        """Hold ``.sync``; CommitUncertain if its holder does not let go for ``commit_timeout``."""
        core = self._core
        deadline = core.system.monotonic() + core.options.commit_timeout
        nap = nap_lengths()
        try:
            if not self._sync_turn.acquire(core.options.commit_timeout):
                raise self._uncertain(0)
            while not core.sync_file.try_lock():
                if core.system.monotonic() > deadline:
                    raise self._uncertain(0)
                core.system.sleep(nap())
            yield
        finally:
            try:
                self._let_go()
            except BaseException:
                once_more(self._let_go)  # an interrupt struck at its door: finish first
                raise

    def write_header(self, header: Header, *, durable: bool) -> None:
        """Write the next generation's header and sync it.  Caller holds the global lock.

        An OSError may leave the slot half written: caller is ``critical``, so the next holder reads
        which header is the newest.
        """
        core = self._core
        with self.right_to_sync():
            core.check_poisoned()
            if core.words[shared.SYNCING]:
                self._sync()  # the newest slot first, and alone: never both slots under one sync
            core.log.write_header(header)
            if durable:
                self._sync()  # else frames of the new generation could outlive its header

    def wait_applied(self, lsn: int, help_apply: Callable[[], bool]) -> None:
        """Return once every frame below ``lsn`` is durable and in the data files.

        ``help_apply`` tries to take the global lock and to apply.  PoisonedError, CommitUncertain
        or CommittedNotApplied say how far it came; the frames stay what they are.
        """
        words = self._core.words
        deadline = self._core.system.monotonic() + self._core.options.commit_timeout
        while words[shared.APPLIED] < lsn:
            self._core.check_poisoned()
            if self._core.system.monotonic() > deadline:
                raise self._uncertain(lsn)
            try:
                if self._leader_turn.acquire(_FOLLOWER_WAIT_SECONDS):
                    self._lead(lsn, deadline, help_apply)
            finally:
                try:
                    let_go(self._leader_turn)
                except BaseException:
                    once_more(lambda: let_go(self._leader_turn))  # as above
                    raise

    def wait_durable(self, lsn: int) -> None:
        """Sync the log unless every frame below ``lsn`` is durable already."""
        while self._core.words[shared.DURABLE] < lsn:
            self.sync_held()

    def _lead(self, lsn: int, deadline: float, help_apply: Callable[[], bool]) -> None:
        """Compete with other processes' leaders until ``lsn`` is applied."""
        core, words = self._core, self._core.words
        nap = nap_lengths()
        while words[shared.APPLIED] < lsn:
            core.check_poisoned()
            if words[shared.DURABLE] >= lsn:
                progress = help_apply()
            else:
                progress = self._try_sync(lsn)
            if progress:
                continue
            if core.system.monotonic() > deadline:
                raise self._uncertain(lsn)
            core.system.sleep(nap())

    def _try_sync(self, lsn: int) -> bool:
        """Sync as leader if ``.sync`` is free; False if someone else is at it."""
        core = self._core
        try:
            if not self._sync_turn.acquire(0) or not core.sync_file.try_lock():
                return False
            if core.words[shared.DURABLE] < lsn:  # else the leader before us did it
                self._sync()
            return True
        finally:
            try:
                self._let_go()
            except BaseException:
                once_more(self._let_go)  # as above
                raise

    def _let_go(self) -> None:
        """Free ``.sync`` and this process's turn, whichever of them this thread holds."""
        if self._sync_turn.owned():
            self._core.sync_file.unlock()
            let_go(self._sync_turn)

    def _sync(self) -> None:
        """Sync the log and publish how far it is durable.  Caller holds ``.sync``."""
        core, words = self._core, self._core.words
        core.check_poisoned()
        try:
            if words[shared.SYNCING] or (core.joined_log and not core.unsafe):
                self._write_again()
        except CorruptionError as error:  # an OSError poisons nobody: SYNCING stays set
            raise core.poison() from error
        words[shared.SYNCING] = core.pid
        began = core.system.monotonic()
        target = words[shared.END]
        try:
            core.log.sync()  # else an acknowledged frame could be lost, or applied and then lost
        except OSError as error:
            raise core.poison() from error
        core.counts["log_syncs"] += 1
        core.joined_log = False
        words[shared.DURABLE] = max(words[shared.DURABLE], target)
        now = core.system.monotonic()
        words[shared.SYNCED_AT] = int(now * 1000)
        words[shared.SYNCING] = 0
        if now - began >= SLOW_SECONDS:
            tell(WARNING, "slow sync", "%s: a sync took %.1f s", core.log.path, now - began)

    def _write_again(self) -> None:
        """Make what is not durable of frames and header dirty again, after verifying it.

        Where a torn write damages whole sectors (``sector`` above 1), none that holds a durable
        frame or the only header is touched: the frames have sectors of their own, and a header that
        was published was durable before.
        """
        core = self._core
        if core.words[shared.SYNCING]:
            died = (core.log.path, core.words[shared.SYNCING])
            tell(INFO, "written again", "%s: pid %d died in a sync, or it failed", *died)
        header = core.log.read_header()
        published = header.generation == core.words[shared.GENERATION]
        if header.sector > 1 and header.unsafe:
            raise CorruptionError(
                core.log.path,
                header.slot_offset,
                "a header that is durable",
                'one that durability="off" never synced; recovery makes a new log instead',
            )
        start, end = header.align(core.words[shared.DURABLE]), core.words[shared.END]
        if published and start < end:
            core.log.frames(header, start, end)
            core.log.write(header, start, core.log.read(header, start, end))
        if header.sector > 1:
            if not published:  # the other one is durable and leads to the same state
                core.log.write_header(header)
            return
        core.log.write_header_again(header)

    def _uncertain(self, lsn: int) -> CommitUncertain | CommittedNotApplied:
        core = self._core
        path, seconds = core.directory.path, core.options.commit_timeout
        if lsn and core.words[shared.DURABLE] >= lsn:
            core.words[shared.TOLD_AHEAD] = 1  # before anybody is
            return CommittedNotApplied(
                f"{path}: the transaction is durable in the log, but the global lock was not free"
                f" for {seconds} seconds to write it to its table files (held by"
                f" {core.lock.holder() or 'another thread or process'})"
            )
        pid = core.words[shared.SYNCING]
        command = core.system.process_command(pid) if pid else ""
        who = f"pid {pid} ({command})" if command else f"unknown, one of pids {core.living_pids()}"
        return CommitUncertain(
            f"{path}: nobody confirmed for {seconds} seconds that the log is on disk; the process"
            f" that syncs it is {who}. The outcome"
            " of this transaction is unknown until the database is used again"
        )
