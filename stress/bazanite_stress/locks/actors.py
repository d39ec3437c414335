"""Real processes that are told through a pipe what to do, and answer through another.

A forked child runs one function, with a ``Wire`` to its director.  A line of JSON each way is all
there is to synchronise them; every wait has a deadline.  A child whose director is gone ends.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

SILENT_SECONDS = 15.0
"""An actor that says nothing for so long is stuck."""


class SilentError(Exception):
    """An actor did not answer: it is stuck, or it ended."""


class Wire:
    """One end of a connection: ``tell`` sends, ``hear`` waits for what the other end sends."""

    def __init__(self, reading: int, writing: int) -> None:
        self.descriptors = (reading, writing)
        self._rest = b""

    def tell(self, value: Any) -> None:
        """Send a value; nothing happens if the other end is gone."""
        try:
            os.write(self.descriptors[1], json.dumps(value).encode() + b"\n")
        except BrokenPipeError:
            pass

    def hear(self, seconds: float | None) -> Any:
        """The next value; EOFError if the other end is gone, SilentError after so long."""
        reading = self.descriptors[0]
        deadline = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._rest:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([reading], [], [], left)[0]:
                raise SilentError(f"nothing was said for {seconds:g} seconds")
            data = os.read(reading, 65536)
            if not data:
                raise EOFError
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def waits(self, seconds: float = 0.0) -> bool:
        """Whether the other end said something, or is gone; waits so long for it."""
        return b"\n" in self._rest or bool(select.select([self.descriptors[0]], [], [], seconds)[0])

    def close(self) -> None:
        """Close both descriptors."""
        for descriptor in self.descriptors:
            os.close(descriptor)


class Actor:
    """A forked child of this process; ``troupe`` lists those whose pipes it must not keep."""

    def __init__(self, role: Callable[[Wire], object], troupe: list[Actor]) -> None:
        to_child, from_us = os.pipe()
        from_child, to_us = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            _live(role, Wire(to_child, to_us), [from_us, from_child], troupe)
        os.close(to_child)
        os.close(to_us)
        self.wire = Wire(from_child, from_us)
        self.status: int | None = None
        troupe.append(self)

    def ask(self, *words: Any, seconds: float | None = None) -> Any:
        """Tell it something and hear the answer."""
        self.wire.tell(words)
        return self.hear(seconds)

    def hear(self, seconds: float | None = None) -> Any:
        """What it says next; SilentError if it does not within so long (SILENT_SECONDS)."""
        try:
            return self.wire.hear(SILENT_SECONDS if seconds is None else seconds)
        except EOFError:
            raise SilentError(f"the process ended ({self.end()})") from None

    def signal(self, number: int) -> None:
        """Send a signal; SIGSTOP returns when the process stands still."""
        os.kill(self.pid, number)
        if number == signal.SIGSTOP:
            os.waitpid(self.pid, os.WUNTRACED)

    def kill(self) -> int:
        """SIGKILL, if it still runs; its exit status as ``os.waitstatus_to_exitcode`` has it."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
        return self.end()

    def end(self) -> int:
        """Wait for its end; SilentError if that does not come."""
        deadline = time.monotonic() + SILENT_SECONDS
        pidfd = -1 if self.status is not None else os.pidfd_open(self.pid)
        try:
            if pidfd >= 0:
                left = max(0.0, deadline - time.monotonic())
                if not select.select([pidfd], [], [], left)[0]:
                    raise SilentError(f"the process did not end within {SILENT_SECONDS:g} seconds")
                self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        finally:
            if pidfd >= 0:
                os.close(pidfd)
        assert self.status is not None
        return self.status


def _live(
    role: Callable[[Wire], object], wire: Wire, others: list[int], troupe: list[Actor]
) -> None:
    """All of a child's life; nothing of it returns into its parent's code."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for descriptor in others:
            os.close(descriptor)
        for actor in troupe:
            if actor.wire.descriptors[0] >= 0:
                actor.wire.close()
        role(wire)
        status = 0
    except (EOFError, BrokenPipeError):
        status = 0  # the director is gone
    except BaseException:  # noqa: BLE001  its output and status tell
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)
