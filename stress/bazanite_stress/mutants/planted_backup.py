"""Planted bugs in backups: a copy of no state that ever was, or one that a power cut takes."""

from __future__ import annotations

from .bug import Bug, Patch

_BACKUP = "bazanite_wal.backup"
_PROGRAMS = ("backup beside writers", "backups")

BUGS = (
    Bug(
        77,
        "checkpoint empties the log that a backup needs",
        "C",
        (
            Patch(
                "bazanite_wal.checkpoint",
                "    if log_is_held(core):\n        return\n",
                "    if __planted__(False):\n        return\n",
            ),
            Patch(
                _BACKUP,
                "    if core.header != held.header:\n",
                "    if __planted__(False):\n",
            ),
        ),
        programs=_PROGRAMS,
    ),
    Bug(
        78,
        "end of a backup's log read before its files are copied",
        "C",
        (
            Patch(
                _BACKUP,
                "            copy.take(core.files, progress)\n            with exclusive():\n"
                "                end = _end(core, held)\n",
                "            with exclusive():\n"
                "                end = __planted__(_end(core, held))\n"
                "            copy.take(core.files, progress)\n            with exclusive():\n",
            ),
        ),
        programs=_PROGRAMS,
    ),
    Bug(
        79,
        "backup's log named before its files are synced",
        "C",
        (
            Patch(
                _BACKUP,
                "            self._data.sync_all()\n"
                "            self.directory.sync()\n            first",
                "            __planted__()\n            first",
            ),
        ),
        programs=_PROGRAMS,
    ),
)
