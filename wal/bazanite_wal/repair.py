"""Finishing what a dead holder of the global lock left.

The next holder finds ``BUSY`` set.  Where its predecessor may have stopped, and what is done:

- after writing the next generation's header, before publishing it: the header is synced (the
  checkpoint had everything else on disk by then) and published;
- after writing a frame, before moving ``END``: a whole frame that follows the chain is adopted;
  its author can no longer say whether it wanted it, so it stays a whole transaction;
- inside an apply: ``SEQUENCE`` is odd, and entering the lock finishes it;
- inside a sync of data files: the report of a failed write-back may have died with it, so the next
  checkpoint writes the whole generation again first.

The words are hints here: the log decides, read from the last place that this process knows
(``core.known``), or from its header on.  What stands before was verified, and will be again when
the next checkpoint redoes it.
"""

from __future__ import annotations

from . import shared
from .core import Core
from .errors import CorruptionError
from .frame import initial_chain
from .group import GroupCommit
from .scan import walk
from .telling import INFO, tell


def repair(core: Core, group: GroupCommit) -> None:
    """Bring shared words and log in step again.  Caller holds the global lock; BUSY stays set.

    PoisonedError if the log does not hold what was published.
    """
    words = core.words
    header = core.log.read_header()
    if header.generation == words[shared.GENERATION] + 1:
        group.write_header(header, durable=not core.unsafe)
        words[shared.GENERATION] = header.generation
    core.adopt_header(header)
    start, chain = header.base, initial_chain(header.salt)
    if core.known is not None and core.known[0] == header.generation:
        _, start, chain = core.known  # however long the log is: everybody waits
    scan = walk(core.log.read(header, start, header.base + core.log_size), header, start, chain)
    if header.generation != words[shared.GENERATION] or scan.end < words[shared.END]:
        try:
            raise CorruptionError(
                core.log.path,
                header.file_offset(header.align(scan.end)),
                f"generation {words[shared.GENERATION]} up to LSN {words[shared.END]}",
                f"generation {header.generation} up to LSN {scan.end}; {scan.detail}",
            )
        except CorruptionError as error:
            raise core.poison() from error
    words[shared.TAIL] = int(scan.chain, 16)
    words[shared.END] = scan.end
    core.known = (header.generation, scan.end, scan.chain)
    words[shared.REDO] = header.generation
    words[shared.CHECKPOINTING] = 0
    core.counts["repairs"] += 1
    left = (core.directory.path, words[shared.BUSY])
    tell(INFO, "repaired", "%s: pid %d died, or was cut off, holding the lock: repaired", *left)
