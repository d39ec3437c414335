"""Copying a consistent state of a directory into a new one."""

from __future__ import annotations

from contextlib import suppress

from .datafiles import DataFiles
from .errors import DirectoryError
from .io import write_all
from .log import LOG_NAME, create_log
from .options import StoreOptions
from .system import Directory, File, System

_CHUNK = 1 << 16
"""Less than any gap that was left sparse: all zeros of such a gap are at an end of some chunk."""
_BLOCK = 4096


def copy_to(
    system: System, path: str, files: DataFiles, target: str, options: StoreOptions
) -> None:
    """Copy all data files to ``target`` and give it an empty log; durable on return.

    Caller holds the global lock, with everything applied.  The catalog comes first and the log
    last, so that a copy which was interrupted is refused as one whose log is missing; without the
    catalog it would be taken for Bazoola's.
    """
    try:
        directory = system.directory(target, create=True)
        try:
            if directory.list():
                raise DirectoryError(f"{target}: a backup needs an empty or a new directory")
            files.open_all()  # other processes may have made some
            names = files.names()
            for name in sorted(names, key=lambda name: name.endswith(".dat")):
                _copy(files, name, directory)
                if not name.endswith(".dat"):
                    directory.sync()  # else a power cut could take its name and leave the tables
            directory.sync()
            try:
                create_log(directory, system, options.file_size)
            except OSError:
                with suppress(OSError):  # with it a copy that was called failed could be opened
                    directory.remove(LOG_NAME)
                raise
        finally:
            directory.close()
    except OSError as error:
        raise DirectoryError(f"cannot back {path} up to {target}: {error}") from error


def _copy(files: DataFiles, name: str, directory: Directory) -> None:
    file = directory.create(name)
    try:
        copy_content(files, name, file)
    finally:
        file.close()


def copy_content(files: DataFiles, name: str, file: File) -> None:
    """Put all bytes of the data file of that name into ``file``, which is empty; durable on return.

    Its name is not.  What was a hole stays one.
    """
    size = files.size(name)
    offset: int | None = 0
    while offset is not None and (data := files.read(name, offset, _CHUNK)):
        start, end = _blocks_in_use(data)
        if start < end:
            write_all(file, data[start:end], offset + start)
        offset += len(data)
        if start == end:  # asked only where zeros were read: a dense file is read as it is
            offset = files.next_data(name, offset)
    file.truncate(size)
    file.sync()


def _blocks_in_use(data: bytes) -> tuple[int, int]:
    """From where to where ``data`` is more than zeros, in whole blocks: holes stay holes."""
    end = len(data.rstrip(b"\0"))
    if not end:
        return 0, 0
    start = len(data) - len(data.lstrip(b"\0"))
    return start - start % _BLOCK, min(len(data), end + -end % _BLOCK)
