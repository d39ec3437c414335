"""Files that appear whole: each is written beside its place, and put there when all are complete.

Invariant: until ``finish`` nothing is at the places; a failure, or Ctrl-C, before that leaves the
files there as they were, and none of our own.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        self._umask: int | None = None
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
            self._keep_as_secret(os.lstat(final).st_mode)
        folder, name = os.path.split(final)
        if not os.path.isdir(folder):
            raise CommandError(f"{path}: there is no directory {folder}")
        temporary = os.path.join(folder, f".{name[:40]}.{secrets.token_hex(4)}.part")
        self._files.append((temporary, final))
        return temporary

    def _keep_as_secret(self, mode: int) -> None:
        """Let nobody read what is being written who could not read what it replaces."""
        before = os.umask(0o077)
        os.umask(before | (~mode & 0o777))
        self._umask = before if self._umask is None else self._umask

    @contextmanager
    def open(self, path: str, encoding: str = "utf-8") -> Iterator[TextIO]:
        """The file that will be at ``path``, to be written in the block.

        An OSError in it is one of writing: a CommandError.
        """
        temporary = self.claim(path)
        try:
            with open(temporary, "x", encoding=encoding, newline="") as file:
                yield file
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
                keep_owner_and_mode(final, temporary)  # whoever may not read it still may not
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
        if self._umask is not None:
            os.umask(self._umask)
        for temporary, _final in self._files:
            with suppress(OSError):
                os.unlink(temporary)
        for folder in self._made:
            with suppress(OSError):  # somebody else put something there
                os.rmdir(folder)


def keep_owner_and_mode(old: str, new: str) -> None:
    """Let the new file or directory, which we made, be whose the old one is, as far as we may.

    Whoever else may write beside it could put a link there: what is not ours alone is left alone.
    """
    wanted = os.lstat(old)
    descriptor = os.open(new, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        linked = stat.S_ISREG(found.st_mode) and found.st_nlink > 1
        if linked or found.st_uid != os.geteuid() or stat.S_ISLNK(wanted.st_mode):
            return
        if (wanted.st_uid, wanted.st_gid) != (found.st_uid, found.st_gid):
            with suppress(OSError):  # only root may give files away
                os.fchown(descriptor, wanted.st_uid, wanted.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(wanted.st_mode))
    finally:
        os.close(descriptor)


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
