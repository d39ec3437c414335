"""Tasks carried out in several processes, in any order: what the campaigns have in common."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from multiprocessing import resource_tracker
from typing import Protocol, TypeVar

CANARY: dict[bool | None, str] = {
    True: "found",
    False: "NOT FOUND: this harness sees nothing",
    None: "not looked for yet",
}
"""Whether the planted bug was found, for a person."""

T = TypeVar("T")
R = TypeVar("R")


class Counted(Protocol[R]):
    """A campaign under way; ``parts`` are the results of its tasks so far, of ``planned`` ones.

    ``canary`` tells whether the planted bug was found, None: nobody looked.
    """

    parts: list[R]
    canary: bool | None
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
    if campaign.canary is None:
        return "not measured"
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
    with ExitStack() as stack:
        with interrupts_wait():
            pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(jobs))
        yield from pool.imap_unordered(carry_out, tasks)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """A Ctrl-C meanwhile arrives at the end, and processes started meanwhile never hear of any."""
    # Starting the tracker of resources unblocks signals, so it is started before they are blocked.
    resource_tracker.ensure_running()
    asked: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # children inherit this
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if asked:  # another thread, which does not block it, took it
        raise KeyboardInterrupt
