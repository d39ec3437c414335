"""Planted bugs in recovery, and in what the next holder of the lock does for a dead one."""

from __future__ import annotations

from .bug import Bug, Patch

_RECOVERY, _SECTION, _APPLY = (
    "bazanite_wal.recovery",
    "bazanite_wal.section",
    "bazanite_wal.apply",
)
_START = "        header = _start_generation(log, system, options, scan, len(data), archive)\n"
_DATA_SYNC = (
    "        files.sync_all()  # else the new generation would forget what no file has\n"
    "        directory.sync()\n"
)

BUGS = (
    Bug(
        11,
        "torn tail not cut: the next append revives old frames",
        "P",
        (
            Patch(
                _RECOVERY,
                _START,
                "        header = __planted__(scan.header)\n"
                "        if scan.frames or scan.tail != 'clean':\n"
                "            RESUMED[:] = [scan.end, scan.chain]\n"
                "        else:\n" + _START.replace("        header", "            header"),
            ),
            Patch(
                _RECOVERY,
                "    area = data[FRAMES_START : FRAMES_START + scan.end - header.base]\n",
                "    area = data[FRAMES_START:] if scan.frames else b''\n",
            ),
            Patch(
                _RECOVERY,
                'CATALOG_NAME = "schema.json"',
                'RESUMED = []\nCATALOG_NAME = "schema.json"',
            ),
            Patch(
                "bazanite_wal.attach",
                "        words[index] = header.base\n",
                "        words[index] = header.base\n"
                "    from .recovery import RESUMED\n"
                "    if RESUMED:\n"
                "        end, chain = RESUMED\n"
                "        for index in (\n"
                "            shared.END, shared.DURABLE, shared.APPLIED, shared.WATERMARK):\n"
                "            words[index] = end\n",
            ),
            Patch(
                "bazanite_wal.attach",
                "    words[shared.DURABILITY] = options.level\n",
                "    words[shared.DURABILITY] = options.level\n"
                "    if RESUMED:\n"
                "        words[shared.TAIL] = int(chain, 16)\n"
                "        RESUMED.clear()\n",
            ),
        ),
        workloads=("equal normal",),
    ),
    Bug(
        31,
        "recovery resets the log before syncing what it redid",
        "NP",
        (Patch(_RECOVERY, _DATA_SYNC + _START, _START + "        __planted__()\n" + _DATA_SYNC),),
    ),
    Bug(
        40,
        "holder died, next holder skips the redo",
        "KC",
        (
            Patch(
                _APPLY,
                "        if start < target:\n",
                "        words[shared.APPLIED] = __planted__(target)\n        if start < target:\n",
            ),
        ),
    ),
    Bug(
        46,
        "a second crash in recovery loses the last acknowledged frame",
        "N",
        (
            Patch(
                _RECOVERY,
                "        log = Log.open(directory)\n        for frame",
                "        log = Log.open(directory)\n"
                "        if scan.frames:  # as if it were taken from the log when it is redone\n"
                "            last = __planted__(scan.frames[-1])\n"
                "            log.write(scan.header, last.lsn, bytes(last.end - last.lsn))\n"
                "            log.sync()\n"
                "        for frame",
            ),
        ),
    ),
    Bug(
        52,
        "`busy` ignored: a died checkpointer's new header is not adopted",
        "CP",
        (
            Patch(
                _SECTION,
                "    if words[shared.BUSY]:\n        core.critical = True",
                "    if __planted__(words[shared.BUSY]) is ...:\n        core.critical = True",
            ),
        ),
    ),
    Bug(
        57,
        "`sequence += 1` where the last applier died odd",
        "C",
        (
            Patch(
                _APPLY,
                "    words[shared.SEQUENCE] |= 1  # not += 1",
                "    words[shared.SEQUENCE] += __planted__(1)  # not |= 1",
            ),
        ),
    ),
    Bug(
        58,
        "newest header slot not rewritten before the other",
        "EP",
        (
            Patch(
                _RECOVERY,
                "        log.write_header_again(header)\n        log.sync()",
                "        __planted__()\n        log.sync()",
            ),
            Patch(
                "bazanite_wal.group",
                "        core.log.write_header_again(header)\n\n    def _uncertain",
                "        __planted__()\n\n    def _uncertain",
            ),
            Patch(
                "bazanite_wal.group",
                "            if core.words[shared.SYNCING]:\n"
                "                self._sync()  # the newest",
                "            if core.words[shared.SYNCING] is __planted__(...):\n"
                "                self._sync()  # the newest",
            ),
        ),
    ),
)
