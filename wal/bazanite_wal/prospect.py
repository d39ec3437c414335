"""What recovery would make of a directory, without making it: what is shown while nobody has it
open.

With "full" nothing is shown that no process of this boot knew to be durable: recovery would make it
so before it reveals it.
"""

from __future__ import annotations

from . import shared
from .datafiles import DataFiles
from .layer import PageLayer
from .log import Log, no_header
from .options import StoreOptions
from .recovery import refuse_after_failed_sync, refuse_what_cannot_be_trusted
from .scan import scan_log, with_size, with_witness
from .shared import Witness
from .sight import Shown
from .system import Directory, System, Words

UNKNOWN_LAYOUT = 1 << 63
"""Added to a number that stands for a layout: those that processes count are smaller."""
_FULL = shared.LEVELS.index("full") + 1


def what_words_prove(
    words: Words | None, token: int, directory: Directory, options: StoreOptions
) -> tuple[Witness, int | None]:
    """What they witness, and the position up to which frames are shown, None if all are.

    UnsafeShutdownError after a failed sync with "off".
    """
    if words is None:
        return Witness(), None
    poisoned = words[shared.POISONED] not in (0, shared.NAMES_FAILED)
    if token in (words[shared.READY], words[shared.WITNESS]) and poisoned:
        refuse_after_failed_sync(directory, options)
    witness = shared.witness(words, token)
    full = words[shared.WITNESS] == token and words[shared.DURABILITY] == _FULL
    return witness, witness.durable if full else None


def prospect(
    system: System,
    directory: Directory,
    options: StoreOptions,
    files: DataFiles,
    log: Log,
    witness: Witness,
    limit: int | None,
) -> Shown:
    """The files with the log's frames over them, up to ``limit`` if that is one of this log.

    Caller holds the global lock.  CorruptionError, UnsafeShutdownError or DirectoryError where
    recovery would raise it.
    """
    data = log.read_whole()
    scan = scan_log(data)
    if scan is None:
        raise no_header(log.path)
    scan = with_witness(with_size(scan, len(data)), witness)
    refuse_what_cannot_be_trusted(directory, system, options, scan)
    header, lsn = scan.header, scan.end
    if limit is not None and header.generation - witness.generation in (0, 1):
        lsn = max(header.base, min(lsn, limit))
    overlay = PageLayer(files)
    for frame in scan.frames:
        if frame.end <= lsn:
            operations = frame.operations()
            for name in sorted({operation.name for operation in operations}):
                files.require(name)
            overlay.apply(operations)
    layout = UNKNOWN_LAYOUT | (int.from_bytes(header.salt, "little") ^ lsn) % UNKNOWN_LAYOUT
    return Shown(overlay.beneath(), lsn, scan.end, layout, header.generation, 0)
