"""C: calls of several processes interleaved within a call.  Filled in below."""

from __future__ import annotations

from .session import Count


def look(count: Count, workloads: tuple[str, ...]) -> None:
    """Caught if processes that run at the same time disturb each other."""
    del count, workloads
