"""What a process sees of a directory beside those who are attached to it.

``Shown`` is what was found under the lock.  ``Sight`` is what reads without the lock go by, with
durability "full": the files as they are, while SEQUENCE is even and unchanged.  An attached process
keeps first openers away, who replace files; this one does not.  But they clear READY before they
touch anything, and set it again behind a new GENERATION: so READY, and then GENERATION, read behind
the bytes, tell that none came between.  The words and the log are still those of the directory if
their names lead to the same files.
"""

from __future__ import annotations

from typing import NamedTuple

from . import shared
from .attach import SHARED_NAME
from .datafiles import DataFiles
from .layer import View
from .log import LOG_NAME
from .system import Directory, SharedWords, Words

_FULL = shared.LEVELS.index("full") + 1


class Shown(NamedTuple):
    """One state of the directory, as found under the lock.

    ``lsn`` is its log position.  ``end`` is larger if the log has, or may have, frames that are not
    in it.  ``layout`` changes whenever the files are laid out in another way.  ``attached`` is how
    many processes are, 0 if nobody is.
    """

    view: View
    lsn: int
    end: int
    layout: int
    generation: int
    attached: int


class Sight(NamedTuple):
    """What was open when the lock was held; ``token`` is the boot's.

    ``mapping`` is what keeps ``words`` alive.
    """

    directory: Directory
    token: int
    mapping: SharedWords
    words: Words
    files: DataFiles
    generation: int
    words_file: int
    log_file: int

    def quiet(self, floor: int) -> tuple[int, int] | None:
        """The apply sequence and the position of what the files hold, if they may be believed.

        They may not if their state is before the position ``floor``, nor if more is durable: under
        the lock other readers are shown that once the writers are dead.
        """
        words = self.words
        if words[shared.READY] != self.token or words[shared.GENERATION] != self.generation:
            return None
        sequence = words[shared.SEQUENCE]
        if sequence & 1 or words[shared.POISONED] or words[shared.DURABILITY] != _FULL:
            return None
        lsn = words[shared.APPLIED]
        return None if lsn < floor or lsn < words[shared.DURABLE] else (sequence, lsn)

    def unchanged(self, sequence: int) -> bool:
        """Whether what was read since ``quiet`` was of one state, and of this directory's files."""
        words = self.words
        return (
            words[shared.SEQUENCE] == sequence
            and not words[shared.POISONED]
            # in this order: who is ready again has another generation by then
            and words[shared.READY] == self.token
            and words[shared.GENERATION] == self.generation
            and self.directory.identity_of(SHARED_NAME) == self.words_file
            and self.directory.identity_of(LOG_NAME) == self.log_file
        )
