"""Where a copy may not be made: in a database's directory, under the name of one of its files.

Whoever has that directory open keeps every data file open, and cannot open a directory as one: each
checkpoint would fail, and each opening, until somebody takes it away.  The same goes for what the
log and its archive are called, or are going to be.
"""

from __future__ import annotations

from .archive_format import ARCHIVE_NAME, NEW_ARCHIVE_NAME, segments_in
from .errors import DirectoryError
from .frame import is_data_file_name
from .log import LOG_NAME, NEW_LOG_NAME
from .system import Directory, System

_LOGS = (LOG_NAME, NEW_LOG_NAME, ARCHIVE_NAME, NEW_ARCHIVE_NAME)


def refuse_file_name(system: System, target: str, source: Directory) -> None:
    """DirectoryError if making ``target`` would make a directory that ``source`` takes for a file.

    Nothing is made here.
    """
    path, name = target if target.startswith("/") else f"./{target}", ""
    while path:
        try:
            directory = system.directory(path, create=False)
        except OSError:  # missing, most likely; else whoever makes it will tell
            path, _, name = path.rstrip("/").rpartition("/")
            continue
        try:
            kind = _kind(name) if directory.identity == source.identity else None
            if kind is not None:
                raise DirectoryError(
                    f"{target}: in {source.path} a name like {name} is that of {kind};"
                    " choose a place outside of it"
                )
            return
        finally:
            directory.close()


def _kind(name: str) -> str | None:
    """Which of a database's files may have this name; None if none may."""
    if is_data_file_name(name):
        return "a table's file"
    return "a file of the log" if name in _LOGS or segments_in([name]) else None
