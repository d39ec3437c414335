"""Planted bugs in what the catalog demands of rows: unique values, references, indexes."""

from __future__ import annotations

from .bug import Bug, Patch

_TABLE, _KEYED = "bazanite.table", "bazanite.keyed"
_PAYLOAD = "    payload = encode_operations(operations)\n"
_RUN_BATCH = (
    "            finish(writes)\n            return result\n\n"
    "        return storage.store.run(write)\n\n    def update_by_id"
)


def _past_the_log(names: str) -> Patch:
    """Changes of these files reach them at once, and no frame tells of them."""
    return Patch(
        "bazanite_wal.commit",
        _PAYLOAD,
        f"    past = [one for one in operations if one.name.endswith({names!r})]\n"
        "    if past:\n"
        "        __planted__(core.files).apply(past)\n"
        "        operations = [one for one in operations if one not in past]\n" + _PAYLOAD,
    )


def _before_the_lock(gather: str) -> Patch:
    """An insert looks before it has the lock; ``gather`` keeps what it sees of ``view``."""
    return Patch(
        _TABLE,
        "        storage = self._storage\n\n        def write(tx: Transaction) -> T:\n",
        "        storage = self._storage\n"
        "        with storage.store.reading() as view:\n"
        f"            {gather}\n\n"
        "        def write(tx: Transaction) -> T:\n",
    )


BUGS = (
    Bug(
        61,
        "index changed in a frame of its own, behind the row's",
        "P",
        (
            Patch(
                "bazanite.insert",
                "        self._keys.save(tx)\n        self._free.save(tx)\n",
                "        self._free.save(tx)\n",
            ),
            Patch(
                _TABLE,
                "            batch.save()\n",
                "            batch.save()\n            self._later = __planted__(batch._keys)\n",
            ),
            Patch(
                _TABLE,
                _RUN_BATCH,
                "            finish(writes)\n            return result\n\n"
                "        def index(tx):\n"
                "            writes = storage.writes(tx, self)\n"
                "            self._later.save(writes)\n"
                "            finish(writes)\n\n"
                "        result = storage.store.run(write)\n"
                "        storage.store.run(index)\n"
                "        return result\n\n    def update_by_id",
            ),
        ),
        workloads=("unique", "cascade delete"),
    ),
    Bug(
        62,
        "index written to its file directly, past the log",
        "P",
        (_past_the_log(".index.dat"),),
        workloads=("unique", "indexed"),
    ),
    Bug(
        63,
        "cascade in two frames: first those that refer, then the row",
        "P",
        (
            Patch(
                "bazanite.deleting",
                "    def run(self, table: str, ids: Sequence[int]) -> None:\n",
                "    def run(self, table: str, ids: Sequence[int], last: bool | None = None):\n",
            ),
            Patch(
                "bazanite.deleting",
                "        for name, doomed in self._doomed.items():\n"
                "            self._delete(self._rules.table(name), doomed.values())\n",
                "        for name, doomed in self._doomed.items():\n"
                "            if last is not None and (name == table) is not last:\n"
                "                __planted__()\n"
                "                continue\n"
                "            self._delete(self._rules.table(name), doomed.values())\n",
            ),
            Patch(
                _TABLE,
                ".run(self.name, [pk])\n            finish(writes)\n\n"
                "        storage.store.run(write)\n",
                ".run(self.name, [pk], last)\n            finish(writes)\n\n"
                "        for last in (False, True):\n"
                "            storage.store.run(write)\n",
            ),
        ),
        workloads=("cascade delete",),
    ),
    Bug(
        64,
        "a reference set to NULL stays in its index",
        "P",
        (
            Patch(
                "bazanite.change",
                "        keys.change(tx, slot, before, {**before, **dict.fromkeys(names)})\n",
                "        __planted__(before)\n",
            ),
        ),
        workloads=("cascade delete",),
    ),
    Bug(
        65,
        "unique values looked for before the lock is held",
        "C",
        (
            _before_the_lock(
                "rules = storage.rules.table(self.name)\n"
                "            self.layout.codec.early = {\n"
                "                index.spec.name: {\n"
                "                    index.values(row): row\n"
                "                    for _, row in self.layout.codec.slot_rows(view)\n"
                "                }\n"
                "                for index in rules.keys.unique\n"
                "            }"
            ),
            Patch(
                _KEYED,
                "            other = index.twin(self._view, row, values, slot)\n",
                "            early = __planted__(index.layout.codec).early\n"
                "            other = early[index.spec.name].get(values)\n",
            ),
        ),
        programs=("unique inserts",),
    ),
    Bug(
        66,
        "a row that is referred to looked for before the lock is held",
        "C",
        (
            _before_the_lock(
                "storage.early = {\n"
                "                (target, pk)\n"
                "                for _, target in self.schema.foreign\n"
                "                for pk, _ in storage.tables[target].layout.index.entries(view)\n"
                "            }"
            ),
            Patch(
                "bazanite.foreign",
                "        self._found: set[tuple[str, int]] = set()\n",
                "        self._found = set(__planted__(storage).early)\n",
            ),
            Patch(
                _TABLE,
                "            foreign, rules = storage.foreign_keys(self),",
                "            storage.early = ()\n"
                "            foreign, rules = storage.foreign_keys(self),",
            ),
        ),
        programs=("delete beside a child",),
    ),
    Bug(
        67,
        "catalog written to its file directly, past the log",
        "P",
        (_past_the_log("schema.json"),),
        workloads=("second table", "creation"),
    ),
)
