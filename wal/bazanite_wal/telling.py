"""What is told to the logger ``bazanite``, for the person who runs the program.

Each record has an ``event``, by which it can be counted or filtered; docs/api.md lists them.  No
handler is installed here.  Records hold texts and not exceptions, whose tracebacks would keep files
open and locked for as long as somebody keeps the record; but for those of ``PUT_OFF``.
"""

from __future__ import annotations

import logging
from contextlib import suppress

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
SLOW_SECONDS = 3.0
"""Longer than that nobody should wait for a lock, hold it, or sync."""

PUT_OFF = frozenset(
    {"checkpoint put off", "archive failed", "frame dropped", "log rewritten", "segment kept"}
)
"""Errors that no caller hears of, as what he asked for was done."""

_logger = logging.getLogger("bazanite")


def tell(level: int, event: str, message: str, *arguments: object) -> None:
    """Log it.  What a program's own filter or handler raises is no error of the database's."""
    with suppress(Exception):
        _logger.log(level, message, *arguments, extra={"event": event})
