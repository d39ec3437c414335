"""What a handle knows of its directory's catalog, for readers that do not take the lock."""

from __future__ import annotations

from dataclasses import dataclass

from .rules import Rules
from .specs import Catalog


class LayoutChanged(Exception):
    """Somebody may have changed what a reader without the lock goes by: look again, under it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a handle knows of the catalog, all of it of one moment.

    ``epoch`` is the store's layout number then; ``since`` the log position from which on the files
    are so: a catalog may be in the log and not yet applied.
    """

    data: bytes
    catalog: Catalog
    rules: Rules
    epoch: int
    since: int
