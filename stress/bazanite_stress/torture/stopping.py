"""Ctrl-C and SIGTERM, noticed at chosen points only.

A KeyboardInterrupt that arrives inside one of Python's own callbacks (around a fork, for instance)
is printed and forgotten. So the handler only takes note, and the supervisor's loops ask.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self


class Stopping:
    """While entered, the first signal is remembered; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise KeyboardInterrupt if we were asked to stop."""
        if self._asked:
            raise KeyboardInterrupt

    def _note(self, number: int, _: FrameType | None) -> None:
        if self._asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked = True
