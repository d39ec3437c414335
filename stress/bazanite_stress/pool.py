"""Tasks carried out in several processes, in any order: what the campaigns have in common."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(carry_out: Callable[[T], R], tasks: Sequence[T], jobs: int) -> Generator[R]:
    """The results as they come; closing the generator ends the processes.

    Ctrl-C is the parent's to hear.
    """
    if jobs == 1:
        yield from map(carry_out, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, initializer=_leave_interrupts_to_the_parent) as pool:
        yield from pool.imap_unordered(carry_out, tasks)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
