"""For programs written for Bazoola: the same names, and deletes that look at nobody.

``from bazanite.bazoola import DB, FK, ...`` instead of ``from bazoola import ...``, and the program
runs as it did, crash-safe.  What is different from ``bazanite`` itself: a new table's FK has
``on_delete="keep"``, so that a deleted row leaves those that refer to it dangling.
"""

from __future__ import annotations

from . import *  # noqa: F403
from . import __all__ as _all
from . import fields as _fields

__all__ = [*_all]


def FK(rel_name: str, null: bool = False, *, on_delete: str | None = _fields.KEEP) -> _fields.FK:  # noqa: N802
    """The id of a row of another table, which must exist when it is stored; see ``bazanite.FK``."""
    return _fields.FK(rel_name, null, on_delete=on_delete)
