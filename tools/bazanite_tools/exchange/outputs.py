"""Files that appear whole: each is written beside its place, and put there when all are complete.

Invariant: until ``finish`` nothing is at the places; a failure, or Ctrl-C, before that leaves the
files there as they were, and none of our own.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO

from ..output import CommandError


class Outputs:
    """Some new files.  ``force``: they may replace files that are there.

    CommandError if one is there otherwise, or is no file, or cannot be written.
    """

    def __init__(self, *, force: bool) -> None:
        self._force = force
        self._made: list[str] = []
        self._files: list[tuple[str, str]] = []

    def directory(self, path: str) -> None:
        """Make this directory unless it is there."""
        try:
            os.mkdir(path)
        except FileExistsError:
            if not os.path.isdir(path):
                raise CommandError(f"{path}: is there already, and no directory") from None
        except OSError as error:
            raise cannot_write(path, error) from error
        else:
            self._made.append(path)

    def claim(self, path: str) -> str:
        """The path at which to write what will be at ``path``; nothing is there yet."""
        final = os.path.realpath(path)
        if os.path.lexists(final):
            if not stat.S_ISREG(os.lstat(final).st_mode):
                raise CommandError(f"{path}: is there already, and no file")
            if not self._force:
                raise CommandError(f"{path}: is there already; --force replaces it")
        folder, name = os.path.split(final)
        if not os.path.isdir(folder):
            raise CommandError(f"{path}: there is no directory {folder}")
        temporary = os.path.join(folder, f".{name[:40]}.{secrets.token_hex(4)}.part")
        self._files.append((temporary, final))
        return temporary

    def open(self, path: str, encoding: str = "utf-8") -> TextIO:
        """The file that will be at ``path``, to be written and closed by the caller."""
        temporary = self.claim(path)
        try:
            return open(temporary, "x", encoding=encoding, newline="")
        except OSError as error:
            raise cannot_write(path, error) from error

    def finish(self) -> None:
        """Put all files at their places, durably.  They are closed."""
        for temporary, final in self._files:
            try:
                sync(temporary)
                self._place(temporary, final)
            except OSError as error:
                raise cannot_write(final, error) from error
        for folder in {os.path.dirname(final) for _, final in self._files}:
            sync(folder)
        for folder in self._made:
            sync(os.path.dirname(os.path.abspath(folder)))
        self._files.clear()
        self._made.clear()

    def _place(self, temporary: str, final: str) -> None:
        if self._force:
            with suppress(FileNotFoundError):
                shutil.copymode(final, temporary)  # whoever may not read it still may not
            os.replace(temporary, final)
            return
        try:
            os.link(temporary, final)  # which fails, unlike a rename, if something came there
        except FileExistsError as error:
            raise CommandError(f"{final}: came into being meanwhile") from error
        except OSError:  # a file system without links
            os.rename(temporary, final)
        else:
            os.unlink(temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        for temporary, _final in self._files:
            with suppress(OSError):
                os.unlink(temporary)
        for folder in self._made:
            with suppress(OSError):  # somebody else put something there
                os.rmdir(folder)


def sync(path: str) -> None:
    """Make a file, or the names in a directory, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cannot_write(path: str, error: OSError) -> CommandError:
    """How a command tells that."""
    return CommandError(f"{path}: cannot be written: {error.strerror or error}")
