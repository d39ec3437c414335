"""Planted bugs in the order of a commit and of a checkpoint."""

from __future__ import annotations

from .bug import Bug, Patch

_LOG_SYNC = "            core.log.sync()  # else an acknowledged"
_DATA_SYNC = "        sync_data_files(core, redo=True)  # else"
_HEADER_WRITE = "    group.write_header(header, durable=durable)\n    words[shared.TAIL]"
_FRAME_WRITE = "        core.log.write(header, lsn, frame)\n"

BUGS = (
    Bug(
        1,
        "no log sync before in-place writes",
        "P",
        (
            Patch(
                "bazanite_wal.section",
                "        with suppress(CommittedNotApplied):  # theirs to hear",
                "        log, words = core.log, core.words\n"
                "        start, end = words[shared.APPLIED], words[shared.END]\n"
                "        for frame in __planted__(log.frames(core.header, start, end)):\n"
                "            core.files.apply(frame.operations())\n"
                "        with suppress(CommittedNotApplied):  # theirs to hear",
            ),
        ),
    ),
    Bug(
        2,
        "no log sync before the acknowledgement",
        "P",
        (Patch("bazanite_wal.group", _LOG_SYNC, "            __planted__()  #"),),
    ),
    Bug(
        3,
        "the wrong file synced",
        "PT",
        (
            Patch(
                "bazanite_wal.datafiles",
                "        for file in list(self._files.values()):\n            file.sync()",
                "        files = list(self._files.values())\n"
                "        for _ in files:\n"
                "            __planted__(files[0]).sync()",
            ),
        ),
    ),
    Bug(
        4,
        "in-place write before the log append",
        "PK",
        (
            Patch(
                "bazanite_wal.commit",
                _FRAME_WRITE,
                "        core.files.apply(__planted__(operations))\n" + _FRAME_WRITE,
            ),
        ),
    ),
    Bug(
        5,
        "no data sync before the log is reset",
        "P",
        (Patch("bazanite_wal.checkpoint", _DATA_SYNC, "        __planted__()  #"),),
        workloads=("equal frames", "normal"),
    ),
    Bug(
        6,
        "log reset first, data sync second",
        "P",
        (
            Patch("bazanite_wal.checkpoint", _DATA_SYNC, "        __planted__()  #"),
            Patch(
                "bazanite_wal.checkpoint",
                _HEADER_WRITE,
                "    group.write_header(header, durable=durable)\n"
                "    if durable:\n"
                "        sync_data_files(core)\n"
                "    words[shared.TAIL]",
            ),
        ),
        workloads=("equal frames", "normal"),
    ),
    Bug(
        7,
        "log reset not synced",
        "P",
        (
            Patch(
                "bazanite_wal.group",
                "                self._sync()  # else frames of the new generation",
                "                __planted__()  #",
            ),
        ),
        pairs=(9,),
        workloads=("equal frames",),
    ),
    Bug(
        13,
        "part of a transaction replays",
        "PK",
        (
            Patch(
                "bazanite_wal.commit",
                "                lsn = append(core, group, FRAME, tx.after_images("
                "core.header.sector))",
                "                for one in __planted__(tx.after_images(core.header.sector)):\n"
                "                    lsn = append(core, group, FRAME, [one])",
            ),
        ),
    ),
    Bug(
        14,
        "commit mark written apart, not covered by the checksum",
        "P",
        (
            Patch(
                "bazanite_wal.commit",
                _FRAME_WRITE,
                "        # the header line is the commit mark\n"
                "        from .frame import HEADER_SIZE\n"
                "        body = __planted__(frame[HEADER_SIZE:])\n"
                "        core.log.write(header, lsn + HEADER_SIZE, body)\n"
                "        core.log.write(header, lsn, frame[:HEADER_SIZE])\n",
            ),
            Patch(
                "bazanite_wal.frame",
                "    digest.update(header_check)\n    digest.update(payload)\n",
                "    digest.update(header_check)\n",
            ),
            Patch(
                "bazanite_wal.frame",
                "    digest.update(line[_CHECKED_SIZE:_COVERED_SIZE])\n"
                "    digest.update(payload)\n",
                "    digest.update(line[_CHECKED_SIZE:_COVERED_SIZE])\n",
            ),
        ),
        workloads=("long frames",),
    ),
    Bug(
        18,
        "old log removed before the data sync",
        "P",
        (
            Patch(
                "bazanite_wal.checkpoint",
                "    if durable:\n" + _DATA_SYNC,
                "    if durable:\n"
                "        from .log import Log, write_new_log\n"
                "        size = __planted__(core.log.size())\n"
                "        write_new_log(core.directory, core.header, b'', size)\n"
                "        core.log.close()\n"
                "        core.log = Log.open(core.directory)\n" + _DATA_SYNC,
            ),
        ),
        workloads=("equal frames", "normal"),
    ),
    Bug(
        45,
        "a rolled-back transaction's frame can replay",
        "PK",
        (
            Patch(
                "bazanite_wal.commit",
                "            core.inside = True\n            failure = error\n",
                "            core.inside = True\n"
                "            failure = error\n"
                "            if tx.has_changes:  # as if it had been logged before it failed\n"
                "                position = core.header.align(core.words[shared.END])\n"
                "                previous = f'{core.words[shared.TAIL]:016x}'\n"
                "                payload = encode_operations(tx.after_images(1))\n"
                "                frame, _ = encode_frame(\n"
                "                    FRAME, position, 0, previous, core.header.salt, payload)\n"
                "                core.log.write(core.header, position, __planted__(frame))\n",
            ),
        ),
        workloads=("rollback",),
    ),
    Bug(
        54,
        "checkpoint does not sync the log first",
        "P",
        (
            Patch(
                "bazanite_wal.checkpoint",
                "        group.sync_held()  # else applying",
                "        __planted__()  #",
            ),
        ),
        workloads=("normal",),
    ),
)
