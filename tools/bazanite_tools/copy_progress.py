"""What a person sees while a directory is copied, and how the copy is told of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .output import plural, size_text
from .progress import Progress


@contextmanager
def copying() -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how far a copy has come; gives what is to be told of it."""
    done = total = 0

    def tell(bytes_done: int, bytes_total: int) -> None:
        nonlocal done, total
        done, total = bytes_done, bytes_total

    def line(seconds: float) -> str:
        if not total:
            return f"waiting for the lock ... {seconds:.0f} s"
        if done >= total:
            return f"{size_text(done)} copied, checking ... {seconds:.0f} s"
        return f"{size_text(done)} of {size_text(total)} copied ... {seconds:.0f} s"

    with Progress(line, always=False):
        yield tell


def copy_text(files: int, size: int, *, verified: bool) -> str:
    """How large a copy is, and whether it was looked at."""
    checked = "checked" if verified else "not checked"
    return f"{plural(files, 'file')}, {size_text(size)}, {checked}"
