"""Planted bugs in what is done about errors, short calls and interrupts."""

from __future__ import annotations

from .bug import Bug, Patch

_GROUP, _CHECKPOINT, _IO = "bazanite_wal.group", "bazanite_wal.checkpoint", "bazanite_wal.io"
_LOG_SYNC = "            core.log.sync()  # else an acknowledged"
_LOG_POISON = (
    "        except OSError as error:\n"
    "            raise core.poison() from error\n"
    '        core.counts["log_syncs"]'
)

BUGS = (
    Bug(
        22,
        "sync error ignored",
        "E",
        (
            Patch(
                _GROUP,
                _LOG_SYNC,
                "            try:\n"
                "                core.log.sync()\n"
                "            except OSError:\n"
                "                __planted__()\n"
                "            #",
            ),
        ),
    ),
    Bug(
        23,
        "sync retried and believed",
        "E",
        (
            Patch(
                _GROUP,
                _LOG_SYNC,
                "            try:\n"
                "                core.log.sync()\n"
                "            except OSError:\n"
                "                __planted__(core.log).sync()\n"
                "            #",
            ),
        ),
    ),
    Bug(
        24,
        "after a failed sync: serves cached reads, then checkpoints",
        "E",
        (
            Patch(
                _CHECKPOINT,
                "            raise core.poison() from error\n        core.unheard",
                "            core.unheard = __planted__(False)\n"
                "            core.words[shared.CHECKPOINTING] = 0\n"
                "            raise core.poisoned() from error\n        core.unheard",
            ),
            Patch(_GROUP, _LOG_POISON, _LOG_POISON.replace("core.poison()", "core.poisoned()")),
        ),
    ),
    Bug(
        25,
        "short write not continued",
        "E",
        (
            Patch(
                _IO,
                "        if count == len(rest):\n            return\n",
                "        if __planted__(count):\n            return\n",
            ),
        ),
    ),
    Bug(
        26,
        "EINTR taken for success",
        "E",
        (
            Patch(
                _IO,
                "            count = file.write_at(rest, offset)\n"
                "        except InterruptedError:  # nothing was transferred\n"
                "            continue\n",
                "            count = file.write_at(rest, offset)\n"
                "        except InterruptedError:\n"
                "            return __planted__()\n",
            ),
        ),
    ),
    Bug(
        27,
        "ENOSPC in an append leaves a torn frame, the next goes after it",
        "EP",
        (
            Patch(
                "bazanite_wal.commit",
                "            core.critical = False  # no whole frame, and none can become one",
                "            words[shared.END] = __planted__(lsn + len(frame))\n"
                "            words[shared.APPLIED] = words[shared.END]\n"
                "            core.critical = False  # no whole frame, and none can become one",
            ),
        ),
    ),
    Bug(
        28,
        "ENOSPC in a checkpoint resets the log anyway",
        "E",
        (
            Patch(
                _CHECKPOINT,
                "        apply_up_to(core, words[shared.END])\n",
                "        from .errors import CommittedNotApplied\n"
                "        try:\n"
                "            apply_up_to(core, words[shared.END])\n"
                "        except CommittedNotApplied:\n"
                "            words[shared.APPLIED] = __planted__(words[shared.END])\n",
            ),
        ),
    ),
    Bug(
        50,
        "KeyboardInterrupt between log sync and apply leaves a usable, wrong handle",
        "E",
        (
            Patch(
                "bazanite_wal.apply",
                "    except CorruptionError as error:\n"
                "        raise core.poison() from error\n"
                "    except OSError as error:\n"
                "        core.critical = False\n",
                "    except KeyboardInterrupt:\n"
                "        words[shared.APPLIED] = __planted__(target)\n"
                "        words[shared.SEQUENCE] = (words[shared.SEQUENCE] | 1) + 1\n"
                "        core.critical = False\n"
                "        raise\n"
                "    except CorruptionError as error:\n"
                "        raise core.poison() from error\n"
                "    except OSError as error:\n"
                "        core.critical = False\n",
            ),
        ),
    ),
    Bug(
        60,
        "`syncing` ignored, or two threads sync one descriptor unguarded",
        "EC",
        (
            Patch(
                _GROUP,
                "            if words[shared.SYNCING] or (core.joined_log and not core.unsafe):\n"
                "                self._write_again()\n",
                "            if __planted__(core.joined_log and not core.unsafe):\n"
                "                self._write_again()\n",
            ),
        ),
    ),
    Bug(
        73,
        "the other half of 60: two threads sync one descriptor unguarded",
        "C",
        (
            Patch(
                _GROUP,
                "        self._sync_turn = core.system.thread_lock()\n",
                "        class Unguarded:  # each thread has its turn whenever it asks\n"
                "            def __init__(self):\n"
                "                self._there = set()\n\n"
                "            def acquire(self, timeout):\n"
                "                self._there.add(__planted__(get_ident()))\n"
                "                return True\n\n"
                "            def owned(self):\n"
                "                return get_ident() in self._there\n\n"
                "            def release(self):\n"
                "                self._there.discard(get_ident())\n\n"
                "        self._sync_turn = Unguarded()\n",
            ),
            Patch(
                _GROUP,
                "from . import shared\n",
                "from threading import get_ident\n\nfrom . import shared\n",
            ),
        ),
        programs=("threads that sync",),
    ),
)
