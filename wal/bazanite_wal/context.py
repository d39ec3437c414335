"""Context managers that an interrupt cannot leave half entered.

``contextlib.contextmanager`` drives a generator from Python code of its own.  An interrupt that
strikes in that code leaves the generator suspended, and what it holds held, for as long as the
traceback lives: also while the program handles the interrupt.  Here the generator is closed at
once, so that its clean-up runs before anyone handles anything.  One door is left, the first
instruction of ``__exit__``: an interrupt there delays the clean-up until the traceback goes, or
until ``finish_interrupted`` finds it in the exception that is being handled.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class _Context(AbstractContextManager[T], Generic[T]):
    def __init__(self, manager: Any) -> None:
        self._manager = manager

    def __enter__(self) -> T:
        try:
            entered: T = self._manager.__enter__()
            return entered
        except BaseException:
            self.abandon()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        try:
            suppressed: bool | None = self._manager.__exit__(kind, error, trace)
            return suppressed
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Run the clean-up now, if it has not run; the body counts as failed."""
        self._manager.gen.close()


def closing_contextmanager(
    function: Callable[P, Iterator[T]],
) -> Callable[P, AbstractContextManager[T]]:
    """Like ``contextlib.contextmanager``; see the module's text."""
    make = contextmanager(function)

    @wraps(function)
    def helper(*args: P.args, **kwargs: P.kwargs) -> AbstractContextManager[T]:
        return _Context(make(*args, **kwargs))

    return helper


def once_more(step: Callable[[], object]) -> None:
    """Run a clean-up again that an interrupt cut short, until it has run to its end.

    People press Ctrl-C twice, and a parent may forward what the terminal has sent already.
    """
    try:
        step()
    except KeyboardInterrupt:
        once_more(step)
        raise


def finish_interrupted() -> None:
    """Clean up after an interrupt that struck at the door of an ``__exit__`` and is being handled.

    Called before a block is taken for one inside another that is still open.
    """
    error = sys.exc_info()[1]
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            # the exception has left this call for good, so nothing can still be under way in it
            if trace.tb_frame.f_code is _Context.__exit__.__code__:
                trace.tb_frame.f_locals["self"].abandon()
            trace = trace.tb_next
        error = error.__context__
