"""For programs written for Bazoola: the same names, and deletes that look at nobody.

``from bazanite.bazoola import DB, FK, ...`` instead of ``from bazoola import ...``, and the program
runs as it did, crash-safe.  What is different from ``bazanite`` itself: a new table's FK has
``on_delete="keep"``, so that a deleted row leaves those that refer to it dangling.
"""

from __future__ import annotations

from typing import Unpack

import bazanite

from . import *  # noqa: F403 - whatever a program can import
from .declared import Options
from .fields import KEEP

__all__ = bazanite.__all__


def _keeping(
    rel_name: str,
    null: bool = False,
    *,
    on_delete: str | None = KEEP,
    **options: Unpack[Options],
) -> bazanite.FK:
    """The id of a row of another table, which must exist when it is stored; see ``bazanite.FK``."""
    return bazanite.FK(rel_name, null, on_delete=on_delete, **options)


globals()["FK"] = _keeping
