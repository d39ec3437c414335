"""The built-in field types, by what is to be known of them in common.

A type of a program's own is in none of these, whatever it is derived from.
"""

from __future__ import annotations

from .decimals import DECIMAL
from .documents import BLOB, JSON
from .fields import CHAR, FK, INT, PK, TEXT, FieldType
from .moments import BOOL, DATE, DATETIME

NUMBERS = (INT, PK, FK)
"""Types of which a plain chunk has only what ``int`` and NULL make of it."""
FIRST: dict[str, type[FieldType]] = {kind.__name__: kind for kind in (*NUMBERS, CHAR, TEXT)}
"""Those that every program knows, by the names that the catalog has for them."""
LATER: dict[str, type[FieldType]] = {
    kind.__name__: kind for kind in (BOOL, DATE, DATETIME, DECIMAL, BLOB, JSON)
}
"""Those that came later: a type of a program's own may have had the name before."""
LONG = ("TEXT", "BLOB", "JSON")
"""Names of those whose values stand in the text file."""
QUICK = frozenset({*FIRST.values(), *LATER.values()})
"""Types that can be encoded the quick way."""
