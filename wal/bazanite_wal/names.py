"""The directory's names: remembering that a sync of them failed, and making them anew.

A sync of a directory that failed may leave names that every process sees and a power cut takes
away, and the next sync says that all is well.  So whoever meets that leaves word in ``.shared``,
and whoever syncs them says so before, as the kernel may report the failure to one that is killed.
As long as the machine runs, the next first opener then gives each file's name to a new copy of it:
that is a change that no sync has answered for yet.

The directory's own name cannot be made anew.  Its sync comes before there is a log, so if it fails
nothing was acknowledged, and the directory is refused until the machine was started anew.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import Any, cast

from . import shared
from .backup import copy_content
from .datafiles import DataFiles
from .errors import DirectoryError
from .log import NEW_LOG_NAME
from .system import Directory, Words

_FAILED_SYNC = frozenset({errno.EIO, errno.ENOSPC, errno.EDQUOT})
"""What a sync may end in; of a directory above, anything else comes from opening it."""


class _Remembering:
    """A Directory that leaves word of a failed sync, and passes everything else on.

    Names are synced by one at a time: the first opener, or who holds the global lock.
    """

    def __init__(self, directory: Directory, words: Words, token: int) -> None:
        self._directory = directory
        self._words = words
        self._token = token

    def __getattr__(self, name: str) -> Any:
        if name == "_directory":
            raise AttributeError(name)  # of a copy that is only being made
        return getattr(self._directory, name)

    def sync(self) -> None:
        words, before = self._words, self._words[shared.NAMES_SYNCING]
        words[shared.NAMES_SYNCING] = self._token  # stays if this process dies: nobody heard then
        try:
            self._directory.sync()
        except BaseException:  # an interrupt may have swallowed the error
            words[shared.NAMES] = self._token
            raise
        words[shared.NAMES_SYNCING] = before

    def sync_name(self) -> None:
        try:
            self._directory.sync_name()
        except OSError as error:
            if error.errno in _FAILED_SYNC:
                self._words[shared.OWN_NAME] = self._token
            raise


def remembering(directory: Directory, words: Words, token: int) -> Directory:
    """This directory, but its failed syncs are remembered in the shared words."""
    return cast("Directory", _Remembering(directory, words, token))


def refuse_unsure_own_name(directory: Directory, words: Words, token: int) -> None:
    """DirectoryError if this boot's sync of the directory's own name failed."""
    if words[shared.OWN_NAME] == token:
        raise DirectoryError(
            f"{directory.path}: the sync that was to make its own name durable failed, and"
            " while the machine runs no other would tell the truth. Nothing was stored here since:"
            " use a new directory (with a copy of what was in this one), or restart the machine"
        )


def make_names_anew(directory: Directory, files: DataFiles) -> None:
    """Give every data file's name to a copy of it; all but the names is durable on return.

    The caller syncs the directory.  Interrupted anywhere, each name means the file or its copy.
    DirectoryError if one cannot be copied.
    """
    name = ""
    try:
        if directory.exists(NEW_LOG_NAME):
            directory.remove(NEW_LOG_NAME)
        for name in files.names():
            copy = directory.create_successor(NEW_LOG_NAME, name)
            try:
                copy_content(files, name, copy)
            finally:
                copy.close()
            directory.rename(NEW_LOG_NAME, name)
    except OSError as error:
        with suppress(OSError):
            directory.remove(NEW_LOG_NAME)  # give back what there was not enough of
        raise cannot_make_anew(directory, name, error) from error
    files.close()
    files.open_all()


def cannot_make_anew(directory: Directory, name: str, error: OSError) -> DirectoryError:
    """The error for a file that had to be copied and could not be."""
    return DirectoryError(
        f"{directory.path}/{name}: a sync of the directory failed, and only copies of its files can"
        f" be made sure to be there after a power cut, but they cannot be made: {error}. No"
        " transaction is lost as long as the machine runs; the next one to open it tries again"
    )
