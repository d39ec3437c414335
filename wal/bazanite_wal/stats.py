"""The figures of one directory and one process, for whoever watches them.

Read without the lock, so that they can be had while somebody keeps it: each is right by itself, and
they may be of moments that differ a little.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import Any

from . import shared
from .archive_format import segment_name, segments_in
from .core import Core
from .errors import DirectoryError
from .lock import lock_holder
from .recovery import RecoveryReport
from .system import Directory, System, Words

Figures = dict[str, Any]

COUNTED = (
    "commits", "log_syncs", "log_bytes", "data_syncs", "checkpoints", "checkpoints_put_off",
    "repairs",
)  # fmt: skip
"""What is counted in each process."""


def figures(core: Core, report: RecoveryReport | None) -> Figures:
    """Counts of this process, and what all processes share; docs/api.md explains each.

    The data files are those that this process has open, with their ``sizes`` as they are on the
    disk.  DirectoryError if that cannot be told.
    """
    words, files = core.words, core.files
    try:
        sizes = {name: files.size(name) for name in files.names()}
        return {name: core.counts[name] for name in COUNTED} | {
            "longest_lock_wait_seconds": core.lock.longest_wait,
            "recovery": None if report is None else asdict(report),
            "generation": words[shared.GENERATION],
            "end_lsn": words[shared.END],
            "durable_lsn": words[shared.DURABLE],
            "applied_lsn": words[shared.APPLIED],
            "log_used_bytes": words[shared.END] - core.header.base,
            "log_file_bytes": core.log.size(),
            "attached_processes": len(list(shared.attached_pids(words))),
            **around_the_log(core.system, core.directory, words, sizes),
        }
    except OSError as error:
        raise DirectoryError(f"{core.directory.path}: cannot be looked at: {error}") from error


def around_the_log(
    system: System, directory: Directory, words: Words | None, sizes: dict[str, int]
) -> Figures:
    """What is told of files, archive and lock; ``words`` are None where nobody is attached."""
    segments = _segments(directory)
    waits: list[float] = []
    age, level, poisoned, holder = None, 0, False, None
    if words is not None:
        now = system.monotonic()
        waits = [now - mark / 1000 for _, mark in shared.waiting_marks(words)]
        age = max(0.0, now - words[shared.CHECKPOINTED_AT] / 1000)
        level, poisoned = words[shared.DURABILITY], bool(words[shared.POISONED])
        holder = lock_holder(system, words)
    return {
        "checkpoint_age_seconds": age,
        "archive_files": len(segments),
        "archive_bytes": sum(segments.values()),
        "sizes": sizes,
        "data_files": len(sizes),
        "data_bytes": sum(sizes.values()),
        "durability": shared.LEVELS[level - 1] if 1 <= level <= len(shared.LEVELS) else None,
        "poisoned": poisoned,
        "lock_holder": None if holder is None else asdict(holder),
        "waiting_processes": len(waits),
        "longest_waiting_seconds": max([0.0, *waits]),
    }


def _segments(directory: Directory) -> dict[str, int]:
    """The size of each file of the log archive."""
    found: dict[str, int] = {}
    for first in segments_in(directory.list()):
        with suppress(OSError):  # it was removed just now, or is no file
            file = directory.open(segment_name(first), write=False)
            try:
                found[segment_name(first)] = file.size()
            finally:
                file.close()
    return found
