"""Tasks carried out in several processes, in any order: what the campaigns have in common."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Counted(Protocol[R]):
    """A campaign under way; ``parts`` are the results of its tasks so far, of ``planned`` ones.

    ``canary`` tells whether the planted bug was found.
    """

    parts: list[R]
    canary: bool
    seconds: float
    jobs: int
    interrupted: bool
    planned: int


C = TypeVar("C", bound=Counted)  # type: ignore[type-arg]  # of whatever parts


def carry_on(
    campaign: C,
    canary_is_found: Callable[[], bool],
    carry_out: Callable[[T], R],
    tasks: Sequence[T],
    on_part: Callable[[C, R], None],
) -> C:
    """The canary, then all tasks; ``on_part`` hears of each part.  Ctrl-C ends it early."""
    campaign.planned = len(tasks)
    started = time.monotonic()
    try:
        campaign.canary = canary_is_found()
        with closing(in_parallel(carry_out, tasks, campaign.jobs)) as results:
            for part in results:
                campaign.parts.append(part)
                campaign.seconds = time.monotonic() - started
                on_part(campaign, part)
    except KeyboardInterrupt:
        campaign.interrupted = True
    campaign.seconds = time.monotonic() - started
    return campaign


def verdict_of(campaign: Counted[R], *, lost: bool, measured: bool) -> str:
    """It survived only if all was done, the canary was found, and nothing was lost."""
    if not campaign.canary:
        return "harness broken"
    if lost:
        return "lost"
    done = len(campaign.parts) == campaign.planned and measured
    return "survived" if done and not campaign.interrupted else "not measured"


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
