"""Planted bugs in locks, and in what several processes and threads do together."""

from __future__ import annotations

from .bug import Bug, Patch

_APPLY, _ATTACH, _POSIX = "bazanite_wal.apply", "bazanite_wal.attach", "bazanite_wal.posix"
_SECTION, _STORE, _GROUP = "bazanite_wal.section", "bazanite_wal.store", "bazanite_wal.group"

BUGS = (
    Bug(
        32,
        "two openers recover at once",
        "CK",
        (
            Patch(
                _ATTACH,
                "    first = attached.try_lock()\n",
                "    first = attached.try_lock() or __planted__(True)\n",
            ),
        ),
        programs=("openers",),
    ),
    Bug(
        33,
        "a reader sees a half-applied transaction",
        "C",
        (
            Patch(
                _STORE,
                "    if sequence & 1 or words[shared.POISONED]",
                "    if __planted__(words[shared.POISONED])",
            ),
            Patch(
                _STORE,
                "                    if _quiet_sequence(core) != before:",
                "                    if _quiet_sequence(core) is ...:",
            ),
            Patch(
                "bazanite_wal.glance",
                "            if before & 1 or words[SEQUENCE] != before or words[POISONED]:\n",
                "            if __planted__(words[POISONED]):\n",
            ),
        ),
    ),
    Bug(
        34,
        "read or acknowledgement of what is not durable yet",
        "CP",
        (
            Patch(
                "bazanite_wal.commit",
                "        group.wait_applied(lsn, lambda: help_apply(core, group))\n",
                "        __planted__()\n",
            ),
            Patch(
                _STORE,
                "                elif core.words[shared.DURABILITY] == 2:\n",
                "                elif core.words[shared.DURABILITY] <= 2:\n",
            ),
        ),
    ),
    Bug(
        35,
        "lock released in mid-apply",
        "C",
        (
            Patch(
                _APPLY,
                "                core.files.apply(operations)\n            words",
                "                core.files.apply(operations)\n"
                "                __planted__(core.lock).release()\n"
                "                core.lock.acquire(None)\n            words",
            ),
        ),
        programs=("no power-safe overwrite",),
    ),
    Bug(
        36,
        "two locks taken in two orders",
        "C",
        (
            Patch(
                _GROUP,
                "            if core.words[shared.DURABLE] < lsn:  # else the leader",
                "            if not core.lock.owned():\n"
                "                __planted__(core.lock).acquire(None)\n"
                "                core.lock.release()\n"
                "            if core.words[shared.DURABLE] < lsn:  # else the leader",
            ),
        ),
    ),
    Bug(
        37,
        "lock lost because another descriptor of the file closed",
        "L",
        (
            Patch(
                _POSIX,
                "            return lock_descriptor(self._fd, blocking=False)\n",
                "            flags = __planted__(fcntl.LOCK_EX) | fcntl.LOCK_NB\n"
                "            try:  # a POSIX lock belongs to the process, not to the open file\n"
                "                fcntl.lockf(self._fd, flags)\n"
                "            except OSError:\n"
                "                return False\n"
                "            return True\n",
            ),
            Patch(
                _POSIX,
                "        if not lock_descriptor(self._fd, blocking=False):\n",
                "        fcntl.lockf(self._fd, fcntl.LOCK_EX)\n        if False:\n",
            ),
            Patch(
                _POSIX,
                "        unlock_descriptor(self._fd)\n",
                "        fcntl.lockf(self._fd, fcntl.LOCK_UN)\n",
            ),
        ),
    ),
    Bug(
        38,
        "forked child believes it owns, or frees, the lock",
        "L",
        (
            Patch(
                _POSIX,
                "                handle.abandon()\n",
                "                if isinstance(handle, PosixLockFile):\n"
                "                    __planted__(handle).unlock()\n"
                "                handle.abandon()\n",
            ),
        ),
    ),
    Bug(
        39,
        "lock file unlinked on release: two owners",
        "L",
        (
            Patch(
                _POSIX,
                "        unlock_descriptor(self._fd)\n",
                "        with suppress(OSError):\n"
                "            os.unlink(__planted__(self.path))\n"
                "        unlock_descriptor(self._fd)\n",
            ),
        ),
    ),
    Bug(
        41,
        "deadline measured with the wall clock",
        "L",
        (
            Patch(
                _POSIX,
                "    def monotonic(self) -> float:\n        return time.monotonic()\n",
                "    def monotonic(self) -> float:\n        return __planted__(time.time())\n",
            ),
        ),
    ),
    Bug(
        42,
        "stale overlay or counters after another process committed",
        "C",
        (
            Patch(
                _SECTION,
                "    if words[shared.GENERATION] != core.header.generation:",
                "    if __planted__(words[shared.GENERATION]) is ...:",
            ),
        ),
    ),
    Bug(
        43,
        "shared file offset after fork (seek + write)",
        "L",
        (
            Patch(
                _POSIX,
                "        return os.pwrite(self._fd, data, offset)\n",
                "        os.lseek(self._fd, __planted__(offset), os.SEEK_SET)\n"
                "        return os.write(self._fd, data)\n",
            ),
            Patch(
                _POSIX,
                "    def abandon(self) -> None:\n"
                '        """In a forked child: close our copy, touch nothing that the parent'
                ' shares."""\n'
                "        fd, self._fd = self._fd, -1\n",
                "    def abandon(self) -> None:\n        fd = -1\n",
            ),
        ),
    ),
    Bug(
        49,
        "checkpoint drops frames committed meanwhile",
        "CK",
        (
            Patch(
                "bazanite_wal.checkpoint",
                "    if words[shared.APPLIED] < words[shared.END] or words[shared.SEQUENCE] & 1:\n",
                "    if __planted__(words[shared.SEQUENCE] & 1):\n",
            ),
        ),
    ),
    Bug(
        51,
        "opener attaches without the lock, or without checking `ready`",
        "C",
        (
            Patch(
                _ATTACH,
                "        if mapping.words[shared.READY] != token:\n            return None\n",
                "        __planted__()\n",
            ),
        ),
        programs=("dying opener",),
    ),
    Bug(
        55,
        "`durable` moves back",
        "C",
        (  # published after .sync is free: under it, no later leader could have come before
            Patch(
                _GROUP,
                "        words[shared.DURABLE] = max(words[shared.DURABLE], target)\n",
                "        self._durable = target\n",
            ),
            Patch(
                _GROUP,
                "            self._core.sync_file.unlock()\n",
                "            self._core.sync_file.unlock()\n"
                "            if self._durable:\n"
                "                self._core.words[shared.DURABLE] = __planted__(self._durable)\n"
                "            self._durable = 0\n",
            ),
            Patch(
                _GROUP,
                "        self._core = core\n",
                "        self._core = core\n        self._durable = 0\n",
            ),
        ),
        programs=("fork beside threads", "writers and a reader"),
    ),
    Bug(
        56,
        "apply reads `durable` twice",
        "CP",
        (
            Patch(
                _APPLY,
                "            words[shared.APPLIED] = target\n            core.forget",
                "            words[shared.APPLIED] = __planted__(core.applicable())\n"
                "            core.forget",
            ),
        ),
    ),
    Bug(
        59,
        "a refusal or rollback reveals undurable frames (no horizon)",
        "CP",
        (
            Patch(
                "bazanite_wal.commit",
                "        lsn = catch_up(core)  # not 0",
                "        lsn = 0 * catch_up(__planted__(core))  # not 0",
            ),
        ),
    ),
)
