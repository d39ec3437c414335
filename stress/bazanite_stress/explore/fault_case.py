"""One fault in one run of a workload: whether what came out of it is a legal answer; ``errors``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bazanite.errors import DBError
from bazanite_wal.errors import CommittedNotApplied, DirectoryError, LockTimeout, PoisonedError
from bazanite_wal.telling import PUT_OFF

from .aftermath import Aftermath, Wrong
from .faults import Fault
from .model import Model
from .runner import WrongAnswer

if TYPE_CHECKING:
    from .errors import Faulty

_ADVICE = frozenset({"write_text", "read_text"})
"""Calls that leave a name for a person: nobody needs to hear that they failed."""


class Log(logging.Handler):
    """What the engine logged: errors that it put off."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.logger = logging.getLogger("bazanite")
        self.told: list[object] = []

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", None) not in PUT_OFF:
            return
        self.told += record.args if isinstance(record.args, tuple) else [record.args]


class Case(Aftermath):
    """One fault in one run of the workload."""

    def __init__(self, errors: Faulty, fault: Fault, log: Log) -> None:
        super().__init__(errors, fault)
        self._log = log

    def judge(self) -> None:
        """The whole case; a violation is recorded."""
        try:
            surfaced = self._until_it_surfaces()
            self._right = self._states_after(surfaced)
            self._check_surfaced(surfaced)
            self._lossy = self._has_older_frames()
            if surfaced is not None:
                _forget_frames(surfaced)
            del surfaced
            self._cut("after the fault")
            self._opened_after_a_kill()
            self._goes_on()
            self._closes()
        except Wrong:
            pass
        finally:
            if self._process is not None:
                self._process.kill()

    def _until_it_surfaces(self) -> BaseException | None:
        try:
            self._errors.carry_out(self._run)
        except WrongAnswer as error:
            if error.__cause__ is None:
                self._wrong("a call's answer is not the model's", str(error))
            return error.__cause__
        except BaseException as error:  # noqa: BLE001  an interrupt is one of the faults
            return error
        return None

    def _check_surfaced(self, error: BaseException | None) -> None:
        """Whether this is a legal answer to the fault."""
        fault, injector = self._fault, self._injector
        if error is None:
            told = any(leads_to(told, injector.raised) for told in self._log.told)
            if injector.raised and injector.met not in _ADVICE and not told:
                self._wrong("a fault was swallowed", "no error, and nothing was logged")
            return
        shown = repr(error)
        if fault.kind == "KeyboardInterrupt":
            if error not in injector.raised:
                self._wrong("an interrupt came out as something else", shown)
            return
        if fault.kind == "MemoryError" and error in injector.raised:
            return
        if not isinstance(error, DBError):
            self._wrong("not a typed error", shown)
        poisoned_before = isinstance(error, PoisonedError) and bool(self._log.told)
        transparent = fault.kind == "EINTR" or (fault.kind == "short" and not injector.raised)
        if transparent and not (fault.detail == "0" and injector.met == "write_at"):
            self._wrong("what is harmless came out as an error", shown)
        if injector.raised and not leads_to(error, injector.raised) and not poisoned_before:
            self._wrong("the error does not lead to its cause", shown)

    def _states_after(self, error: BaseException | None) -> list[Model]:
        """The states that are right when the fault has come out as this error."""
        states = self._run.states
        right = states[self._acknowledged :]
        if self._level == "normal" and self._injector.failed_syncs:
            right = states[self._durable :]  # what was never synced may be gone
        if isinstance(error, CommittedNotApplied):
            return states[self._acknowledged + 1 :] or states[-1:]
        nothing_done = isinstance(error, DirectoryError | LockTimeout)
        if self._migrating():
            return right  # it is said of one of many transactions
        if nothing_done and len(states) - 1 > self._acknowledged:
            return right[:-1]  # what the step under way would have led to
        return right

    def _migrating(self) -> bool:
        steps = self._run.workload.steps[self._run.step :]
        return bool(steps) and steps[0][0] == "migrate"

    def _still_possible(self) -> list[Model]:
        return self._run.states[self._durable :]


def leads_to(error: object, injected: list[BaseException]) -> bool:
    """Whether one of the injected errors is this one, or stands in its chain of causes."""
    return any(link in injected for link in _causes(error))


def _causes(error: object) -> Iterator[object]:
    while isinstance(error, BaseException):
        yield error
        error = error.__cause__


def _forget_frames(error: BaseException | None) -> None:
    """Let go of the calls that the error left, as a program does that has handled it."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
