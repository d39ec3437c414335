"""Whose a file in the directory is: modes that follow the directory's, and names of other people's.

A file that was just made gets what its directory grants, whatever the umask: who may use the
directory must be able to use the database in it, and nobody else.  What an access list of the
directory says is left to the kernel.

A second name (a hard link) of a file that is not the directory owner's was put there so that
somebody else who opens the directory, such as root, writes into that file: it is refused.

With ``posix``, the only code that talks to the operating system.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

_ACCESS_LISTS = ("system.posix_acl_default", "system.posix_acl_access")


def file_mode(directory_mode: int, *, same_group: bool = True) -> int:
    """What a directory of this mode grants: reading and writing, and never execution.

    Who may not enter the directory is granted nothing.  In another group than the directory's are
    others, so they are granted no more than these.
    """
    mode = 0o600  # whoever makes it writes it
    if directory_mode & stat.S_IXGRP:
        mode |= directory_mode & 0o060
    if directory_mode & stat.S_IXOTH:
        mode |= directory_mode & 0o006
    return mode if same_group else mode & (0o606 | (directory_mode & 0o006) << 3)


def follow_directory(file: int, directory: int) -> None:
    """Give a file that was just made the group, mode and, as root, the owner of its directory.

    What this process may not give stays as it is.  A sticky directory is everybody's, so that files
    in it are as the umask wants them.
    """
    wanted, made = os.fstat(directory), os.fstat(file)
    owner = wanted.st_uid if os.geteuid() == 0 else made.st_uid
    if (owner, wanted.st_gid) != (made.st_uid, made.st_gid):
        with suppress(OSError):  # a user who is not of that group
            os.fchown(file, owner, wanted.st_gid)
            made = os.fstat(file)
    if wanted.st_mode & stat.S_ISVTX or any(_has(directory, name) for name in _ACCESS_LISTS):
        return
    mode = file_mode(wanted.st_mode, same_group=made.st_gid == wanted.st_gid)
    if stat.S_IMODE(made.st_mode) != mode:
        with suppress(OSError):  # a file system without modes
            os.fchmod(file, mode)


def _has(directory: int, attribute: str) -> bool:
    try:
        return bool(os.getxattr(directory, attribute))
    except (OSError, AttributeError):  # none, or no such thing on this system
        return False


def refuse_foreign(file: int, directory: int, path: str) -> None:
    """OSError unless it is a regular file that belongs into this directory."""
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)
    if status.st_nlink > 1 and status.st_uid != os.fstat(directory).st_uid:
        raise OSError(
            errno.EMLINK,
            "it has several names (hard links) and does not belong to the directory's owner: it may"
            " be another program's file. If it is not, put a copy in its place",
            path,
        )
