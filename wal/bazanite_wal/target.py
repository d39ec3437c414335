"""Where a copy may not be made: in a database's directory, under the name of one of its files.

Whoever has that directory open keeps every data file open, and cannot open a directory as one: each
checkpoint would fail, and each opening, until somebody takes it away.  So it is with the names that
the log and its archive have, or are to have.
"""

from __future__ import annotations

from .errors import DirectoryError
from .frame import is_data_file_name
from .system import Directory, System

_LOG_NAMES = ("wal.", ".lock", ".sync", ".attached", ".backup", ".shared")
"""So begins what is no table's; all of it is there, or comes and goes."""


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
            whose = "a table's file" if is_data_file_name(name) else "a file of its log"
            taken = is_data_file_name(name) or name.startswith(_LOG_NAMES)
            if directory.identity == source.identity and taken:
                raise DirectoryError(
                    f"{target}: in {source.path} a name like {name} is that of {whose};"
                    " choose a place outside of it"
                )
            return
        finally:
            directory.close()
