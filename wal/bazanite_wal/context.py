"""Context managers that an interrupt cannot leave half entered.

A context is a generator here, as with ``contextlib.contextmanager``, which drives it from Python
code of its own: an interrupt that strikes in that code leaves the generator suspended, and what it
holds held, for as long as the traceback lives, also while the program handles the interrupt.  Here
the generator is closed at once, so that its clean-up runs before anyone handles anything.  One door
is left, the first instruction of ``__exit__``: an interrupt there delays the clean-up until the
traceback goes, or until ``finish_interrupted`` finds it in the exception that is being handled.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from functools import wraps
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


class _Context(AbstractContextManager[T], Generic[T]):
    """What ``contextlib`` makes of a generator, in fewer steps."""

    def __init__(self, steps: Iterator[T]) -> None:
        self._steps = cast("Generator[T, None, None]", steps)

    def __enter__(self) -> T:
        try:
            return next(self._steps)
        except BaseException:
            self.abandon()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        try:
            if error is None:
                _run_to_the_end(self._steps)
                return False
            try:
                self._steps.throw(error)
            except StopIteration:
                return True
            except BaseException as raised:
                # a generator cannot raise StopIteration, so Python wraps the body's
                if raised is not error and (
                    raised.__cause__ is not error or not isinstance(error, StopIteration)
                ):
                    raise
                error.__traceback__ = trace  # as if it had not been here
                return False
            raise RuntimeError("the generator goes on after its body failed")
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Run the clean-up now, if it has not run; the body counts as failed."""
        self._steps.close()


def closing_contextmanager(
    function: Callable[P, Iterator[T]],
) -> Callable[P, AbstractContextManager[T]]:
    """Like ``contextlib.contextmanager``; see the module's text."""

    @wraps(function)
    def helper(*args: P.args, **kwargs: P.kwargs) -> AbstractContextManager[T]:
        return _Context(function(*args, **kwargs))

    return helper


def within(context: AbstractContextManager[T], body: Callable[[T], R]) -> R:
    """What ``body`` returns, called inside a context of this module's: ``with``, in fewer steps."""
    manager = cast("_Context[T]", context)
    try:
        result = body(next(manager._steps))
        _run_to_the_end(manager._steps)
        return result
    except BaseException as error:
        if not manager.__exit__(type(error), error, error.__traceback__):
            raise
        raise RuntimeError("the context kept its body's error to itself") from error
    finally:
        manager.abandon()


def _run_to_the_end(steps: Generator[T, None, None]) -> None:
    for _ in steps:
        raise RuntimeError("the generator goes on after its body ended")


def once_more(step: Callable[[], object]) -> None:
    """Run a clean-up again that an interrupt cut short, until it has run to its end.

    People press Ctrl-C twice, and a parent may forward what the terminal has sent already.
    """
    try:
        step()
    except KeyboardInterrupt:
        once_more(step)
        raise


def _abandon_if_left(context: _Context[object]) -> None:
    """Clean up, unless that is what is under way: this thread may stand within it.

    So it does in a signal handler, or a handler of log records, that uses a database itself.
    """
    steps: Any = context._steps
    if not steps.gi_running:
        context.abandon()


def finish_interrupted() -> None:
    """Clean up after an interrupt that struck at the door of an ``__exit__`` and is being handled.

    Called before a block is taken for one inside another that is still open.
    """
    error = sys.exc_info()[1]
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code is _Context.__exit__.__code__:
                _abandon_if_left(trace.tb_frame.f_locals["self"])
            elif trace.tb_frame.f_code is within.__code__:
                _abandon_if_left(trace.tb_frame.f_locals["manager"])
            trace = trace.tb_next
        error = error.__context__
