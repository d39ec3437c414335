"""A row as programs see it."""

from __future__ import annotations

from typing import Any


class Row(dict[str, Any]):
    """One row: field name to value, in schema order, and after a join its keys too."""
