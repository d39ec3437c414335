"""Where a copy may not be made: in a database's directory, under the name of one of its files.

Whoever has that directory open keeps every data file open, and cannot open a directory as one: each
checkpoint would fail, and each opening, until somebody takes it away.
"""

from __future__ import annotations

from .errors import DirectoryError
from .frame import is_data_file_name
from .system import Directory, System


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
            if directory.identity == source.identity and is_data_file_name(name):
                raise DirectoryError(
                    f"{target}: in {source.path} a name like {name} is that of a table's file;"
                    " choose a place outside of it"
                )
            return
        finally:
            directory.close()
