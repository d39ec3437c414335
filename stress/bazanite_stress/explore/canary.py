"""The canary: a bug planted on purpose that every exploration must find.

A harness that stopped seeing would report success for ever.  So each run first explores an engine
whose log is never synced before a commit is acknowledged; if that is not found, the verdict is
"harness broken", whatever else came out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from bazanite_stress.simulation.disk import PROFILES
from bazanite_wal.log import Log

from .catalogue import WORKLOADS
from .explorer import Explorer, Limits


def canary_is_found() -> bool:
    """Whether an engine that does not sync its log is caught, in both profiles."""
    with _log_never_synced():
        return all(
            Explorer(
                WORKLOADS["rows"], profile, limits=Limits(exhaustive=100, sample=20, violations=1)
            )
            .explore()
            .violations
            for profile in PROFILES
        )


@contextmanager
def _log_never_synced() -> Iterator[None]:
    with mock.patch.object(Log, "sync", return_value=None):
        yield
