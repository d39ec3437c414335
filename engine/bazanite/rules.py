"""What the catalog demands of each table: its indexes, and who refers to it.

One ``Rules`` is made of each catalog that a handle meets, so that it follows what other programs
change.  Tables that the handle did not open are known by their catalog entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from bazanite_wal.layer import View

from .codec import Layout
from .fields import KEEP
from .files import TableFiles
from .keyed import TableKeys
from .referrers import Reference, referring, refused
from .specs import Catalog
from .stored_schema import layout_of


class TableRules:
    """What is demanded of one table."""

    def __init__(self, rules: Rules, name: str, layout: Layout | None) -> None:
        self._rules = rules
        self._given = layout
        self.name = name
        self.spec = rules.catalog.tables[name]
        self.referrers = [
            Reference(other, field.name, field.on_delete)
            for other, spec in rules.catalog.tables.items()
            for field in spec.fields
            if field.table == name and field.on_delete not in (None, KEEP)
        ]

    @cached_property
    def layout(self) -> Layout:
        """Where its bytes stand: as the program declared it, or else as the catalog says."""
        if self._given is not None:
            return self._given
        files = TableFiles(self._rules.directory, self.name)
        return layout_of(files, self.spec, self._rules.catalog.int_width)

    @cached_property
    def keys(self) -> TableKeys:
        """Its indexes."""
        return TableKeys(self.layout, self.spec.indexes)

    def refuse_referred(self, view: View, pk: int) -> None:
        """IntegrityError if a row refers to this one by a reference that is looked after."""
        for reference in self.referrers:
            others = self._rules.table(reference.table)
            ids = [row["id"] for row in referring(view, others, reference.field, [pk])]
            if ids:
                raise refused(reference, pk, ids)


class Rules:
    """Those of all tables of one catalog; ``opened`` are the layouts of the handle's own tables."""

    def __init__(self, directory: str, catalog: Catalog, opened: Mapping[str, Layout]) -> None:
        self.directory = directory
        self.catalog = catalog
        self._opened = opened
        self._tables: dict[str, TableRules] = {}

    def table(self, name: str) -> TableRules:
        """The rules of one table; KeyError if the catalog has none of this name."""
        found = self._tables.get(name)
        if found is None:
            found = self._tables[name] = TableRules(self, name, self._opened.get(name))
        return found
