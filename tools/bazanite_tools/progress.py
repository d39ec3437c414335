"""What a person sees of a long command on stderr while it runs.

On a terminal one line that changes every second, so that nobody wonders whether anything happens;
elsewhere a line every ten seconds, every minute once five have passed.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

_TERMINAL_SECONDS = 1.0
_FIRST_SECONDS, _LATER_SECONDS = 10.0, 60.0
_LATER_AFTER_SECONDS = 300.0


class Progress:
    """``line`` is asked for the present line, given the seconds so far, in a thread of its own.

    ``always``: also where there is no terminal.
    """

    def __init__(
        self, line: Callable[[float], str], *, always: bool = True, stream: TextIO | None = None
    ) -> None:
        self._line = line
        self._stream = stream or sys.stderr
        self._tty = self._stream.isatty()
        self._silent = not (self._tty or always)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        if not self._silent:
            self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        """Leave the terminal's line; nothing is written from here on."""
        self._stopped.set()
        if not self._silent:
            self._thread.join()
        self._write("")

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._started

    def tell(self, text: str) -> None:
        """A line of its own, which stays."""
        self._write(text, stays=True)

    def now(self) -> None:
        """The present line, without waiting for its time."""
        if not self._silent:
            self._write(self._line(self.seconds))

    def _tick(self) -> None:
        while not self._stopped.wait(self._pause()):
            self._write(self._line(self.seconds))

    def _pause(self) -> float:
        if self._tty:
            return _TERMINAL_SECONDS
        return _FIRST_SECONDS if self.seconds < _LATER_AFTER_SECONDS else _LATER_SECONDS

    def _write(self, text: str, *, stays: bool = False) -> None:
        if self._tty:
            if not stays:
                text = text[: shutil.get_terminal_size().columns - 1]
            text = f"\r\x1b[K{text}" + "\n" * stays
        elif text:
            text += "\n"
        with self._lock:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError:  # whoever read it is gone: the work goes on
                self._stopped.set()
