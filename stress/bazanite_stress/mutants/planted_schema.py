"""Planted bugs in changes of the schema, and in indexes that are built beside others' work."""

from __future__ import annotations

from .bug import Bug, Patch

_MIGRATOR, _BUILDING = "bazanite.migrator", "bazanite.building"

BUGS = (
    Bug(
        68,
        "index that is being built not kept for rows that it has already",
        "C",
        (
            Patch(
                "bazanite.keyed",
                "        return self.spec.built is None or slot < self.spec.built\n",
                "        return __planted__(self.spec.built is None)\n",
            ),
        ),
        programs=("index built beside writers",),
    ),
    Bug(
        69,
        "mark of how far an index is built moved in a frame before its entries",
        "P",
        (
            Patch(
                _BUILDING,
                "    new.save(tables.writes)\n",
                "    tables.later = __planted__(new)\n",
            ),
            Patch(
                _BUILDING,
                "                tables.catalog = recorded(tables.catalog)\n"
                "            tables.finish()\n",
                "                tables.catalog = recorded(tables.catalog)\n"
                "            tables.finish()\n"
                "        with store.transaction() as tx:\n"
                "            tables.later.save(tx)\n",
            ),
        ),
        workloads=("one migration", "index built"),
    ),
    Bug(
        70,
        "layout's number not moved: others read the new files in the old way",
        "C",
        (
            Patch(
                "bazanite.tables",
                "            self._store.layout_changed()\n",
                "            __planted__(self._store)\n",
            ),
        ),
        programs=("columns change beside finds",),
    ),
    Bug(
        71,
        "layout's number believed while the change is in the log only",
        "C",
        (
            Patch(
                "bazanite.storage",
                "        return store.word(LAYOUT) if store.word(APPLIED) == store.word(END) else",
                "        return __planted__(store.word(LAYOUT)) if True else",
            ),
        ),
        programs=("columns change beside finds",),
    ),
    Bug(
        72,
        "record of a migration's steps in a frame behind them",
        "P",
        (
            Patch(
                _MIGRATOR,
                "                tables.catalog = _recorded(migration, done, tables.catalog)\n"
                "            tables.finish()\n",
                "                recorded = partial(_recorded, migration, done)\n"
                "            tables.finish()\n"
                "        if not isinstance(step, AddIndex):\n"
                "            with store.transaction() as tx:\n"
                "                data = __planted__(read_catalog_bytes(tx))\n"
                "                tables = Tables(store, tx, directory, decode(data, directory))\n"
                "                tables.catalog = recorded(tables.catalog)\n"
                "                tables.finish()\n",
            ),
        ),
        workloads=("one migration", "tables changed"),
    ),
)
