"""Copying a consistent state of a directory into a new one."""

from __future__ import annotations

from .datafiles import DataFiles
from .errors import DirectoryError
from .io import write_all
from .log import create_log
from .options import StoreOptions
from .system import Directory, System

_CHUNK = 1 << 20


def copy_to(
    system: System, path: str, files: DataFiles, target: str, options: StoreOptions
) -> None:
    """Copy all data files to ``target`` and give it an empty log; durable on return.

    Caller holds the global lock, with everything applied.  The log comes last, so that a copy which
    was interrupted is refused as one whose log is missing.
    """
    try:
        directory = system.directory(target, create=True)
        try:
            if directory.list():
                raise DirectoryError(f"{target}: a backup needs an empty or a new directory")
            files.open_all()  # other processes may have made some
            for name in files.names():
                _copy(files, name, directory)
            directory.sync()
            create_log(directory, system, options.file_size)
        finally:
            directory.close()
    except OSError as error:
        raise DirectoryError(f"cannot back {path} up to {target}: {error}") from error


def _copy(files: DataFiles, name: str, directory: Directory) -> None:
    file = directory.create(name)
    try:
        offset = 0
        while data := files.read(name, offset, _CHUNK):
            if data.strip(b"\0"):  # holes of a sparse index stay holes
                write_all(file, data, offset)
            offset += len(data)
        file.truncate(offset)
        file.sync()
    finally:
        file.close()
