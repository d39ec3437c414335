"""Planted bugs in the log archive: what leaves the log is not kept, or not yet."""

from __future__ import annotations

from .bug import Bug, Patch

BUGS = (
    Bug(
        74,
        "header written before the archive is synced",
        "P",
        (
            Patch(
                "bazanite_wal.archive",
                "    sync(file)\n    return Place(place.first,",
                "    __planted__()\n    return Place(place.first,",
            ),
        ),
        workloads=("archive, rows",),
    ),
    Bug(
        75,
        "recovery replaces the log without archiving it",
        "P",
        (
            Patch(
                "bazanite_wal.recovery",
                "    archive(scan.header, max(base, scan.end))  # else",
                "    __planted__()  # else",
            ),
        ),
        workloads=("archive, rows",),
    ),
    Bug(
        76,
        "name of a new archive segment not synced",
        "P",
        (
            Patch(
                "bazanite_wal.archive",
                "    sync(directory)\n    return Place(first, HEAD_SIZE",
                "    __planted__()\n    return Place(first, HEAD_SIZE",
            ),
        ),
        workloads=("archive, segments",),
    ),
)
