"""Making a directory aside, so that it is there whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from ..output import CommandError
from .outputs import cannot_write, keep_owner_and_mode, sync


def is_new(path: str) -> bool:
    """Whether there is nothing at the path, or an empty directory."""
    try:
        return not os.listdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False


@contextmanager
def directory_aside(path: str) -> Iterator[str]:
    """A path beside ``path`` for a directory that takes its place, durably, when all went well.

    What is in it must be durable by then.  If anything goes wrong it is removed; only a process
    that is killed leaves it, as ``.NAME.xxxxxxxx.part``.
    """
    final = os.path.realpath(path)
    parent, name = os.path.split(final)
    aside = os.path.join(parent, f".{name[:40]}.{secrets.token_hex(4)}.part")
    try:
        os.mkdir(aside)
        if os.path.isdir(final):
            keep_owner_and_mode(final, aside)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield aside
        try:
            os.rename(aside, final)  # over an empty directory only
            sync(parent)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}; nothing was changed there") from error
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
