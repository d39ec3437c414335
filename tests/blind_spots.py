"""Bugs that the explorer once did not see, each planted in a process of its own.

    python tests/blind_spots.py NAME

prints what the exploration that must see it says.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass

from bazanite_stress.mutants.bug import Bug, Patch
from bazanite_stress.mutants.planting import plant

W, E = "bazanite_wal.", "bazanite."
_SHRINK = """    core.critical = True
    if durable and core.log_size > words[shared.LOG_SIZE]:
        core.log.shrink(__planted__(words[shared.LOG_SIZE]))
    header = next_generation("""
_ONE_BY_ONE = """        return [
            self._write_batch(lambda batch, values=values: __planted__(batch).add(values))
            for values in given
        ]
"""
_ALL_AT_ONCE = "        return self._write_batch(lambda batch: batch.add_all(given))\n"

_TARGET = "        target = words[shared.END]\n"
_LOG_SYNC = """        try:
            core.log.sync()  # else an acknowledged frame could be lost, or applied and then lost
        except OSError as error:
            raise core.poison() from error
"""


@dataclass(frozen=True, slots=True)
class BlindSpot:
    """A bug, the workload that shows it, and how ("damage": the workload is a scenario's name)."""

    way: str
    workload: str
    patches: tuple[Patch, ...]


def _spot(way: str, workload: str, module: str, old: str, new: str) -> BlindSpot:
    return BlindSpot(way, workload, (Patch(module, old, new),))


SPOTS: dict[str, BlindSpot] = {
    # a log position that was told is given out again
    "a grown log is not synced": _spot(
        "power cut",
        "normal, grown log",
        W + "room",
        "        group.sync_held()  # else a lost size could",
        "        __planted__()  #",
    ),
    "the next generation leaves no room for what was dropped": _spot(
        "power cut",
        "normal",
        W + "recovery",
        "max(base, scan.end), settings)",
        "__planted__(scan.end), settings)",
    ),
    "the log is cut before the next header is written": _spot(
        "power cut",
        "grown log",
        W + "checkpoint",
        "    core.critical = True\n    header = next_generation(",
        _SHRINK,
    ),
    # "normal" and "off"
    "a held lock makes nothing durable": _spot(
        "power cut",
        "normal, locked",
        W + "commit",
        "    try:\n        sync_and_apply_locked(core, group)\n    except (Comm",
        "    try:\n        __planted__()\n    except (Comm",
    ),
    "an empty log stays unsafe when it is closed": _spot(
        "power cut",
        "off",
        W + "checkpoint",
        "words[shared.END] == header.base and settings ==",
        "__planted__(words[shared.END]) == header.base or settings == None and settings ==",
    ),
    "the last close syncs no data": _spot(
        "power cut",
        "off",
        W + "checkpoint",
        "    durable = not (core.unsafe and settings == core.settings)\n",
        "    durable = __planted__(not core.unsafe)\n",
    ),
    # gaps, and what no row shows
    "a gap is not cut before it is skipped": _spot(
        "power cut",
        "far",
        W + "transaction",
        "        if start > size:\n            self._last",
        "        if __planted__(start > size) and False:\n            self._last",
    ),
    "a text that became NULL is not erased": _spot(
        "power cut",
        "emptied and filled",
        E + "change",
        "            self._erased.append(old)\n",
        "            if __planted__(data) is not None:\n                self._erased.append(old)\n",
    ),
    "an erased text keeps its length": _spot(
        "power cut",
        "three",
        E + "textfile",
        'offset, ord("#"), TEXT_WIDTH + length)',
        'offset + TEXT_WIDTH, ord("#"), __planted__(length))',
    ),
    # calls that no workload made
    "a write behind a truncate is merged into one before it": _spot(
        "power cut",
        "emptied and filled",
        W + "transaction",
        "        super().truncate(name, size)\n        self._last.pop(name, None)\n",
        "        super().truncate(name, size)\n        __planted__()\n",
    ),
    "a shorter sequence is not cut": _spot(
        "power cut",
        "many rows",
        E + "sequence",
        "    if tx.size(files.sequence) > len(digits):",
        "    if __planted__(False):",
    ),
    "the entry of an id that changed stays": _spot(
        "power cut",
        "many rows",
        E + "change",
        "        layout.index.erase(tx, pk)\n        layout.index.put(",
        "        __planted__(layout).index.put(",
    ),
    "many rows are many transactions": _spot(
        "power cut", "many rows", E + "table", _ALL_AT_ONCE, _ONE_BY_ONE
    ),
    "an id is taken twice by one batch": _spot(
        "power cut",
        "many rows",
        E + "insert",
        "        return pk in self._slots or self._layout",
        "        return __planted__(False) or self._layout",
    ),
    "freed slots outlive a truncate": _spot(
        "power cut",
        "many rows",
        E + "emptying",
        "        if name != files.sequence and tx.size(name):",
        "        if name not in (files.sequence, files.free) and __planted__(tx.size(name)):",
    ),
    "a cascade ends after one table": _spot(
        "power cut",
        "cascade",
        E + "emptying",
        "    for target in result:\n",
        "    for target in __planted__([table]):\n",
    ),
    "a long text is read in part": _spot(
        "power cut",
        "grown log",
        E + "textfile",
        "            return self._view.read(self._files.text, offset, size)\n",
        "            return self._view.read(self._files.text, offset, __planted__(_WINDOW_SIZE))\n",
    ),
    # what an opening makes of a directory
    "a shorter catalog is not cut": _spot(
        "power cut",
        "no checksums",
        E + "catalog_file",
        "    tx.truncate(CATALOG_NAME, len(data))\n",
        "    __planted__()\n",
    ),
    "checksums in a transaction of their own": _spot(
        "power cut",
        "checksums",
        E + "table",
        "            Deletion(writes, storage.rules).run(self.name, [pk])\n"
        "            finish(writes)\n\n        storage",
        "            Deletion(__planted__(writes), storage.rules).run(self.name, [pk])\n"
        "            return writes\n\n"
        "        writes = storage.store.run(write)\n"
        "        def write(tx):\n"
        "            if hasattr(writes, '_tx'):\n"
        "                writes._tx = writes._view = tx\n"
        "            finish(writes)\n"
        "        storage",
    ),
    "an adopted table counts from 0": _spot(
        "power cut",
        "adopted",
        E + "adopt",
        "    if not tx.size(files.sequence):\n        sequence.write",
        "    if __planted__(True):\n        sequence.write",
    ),
    # two processes
    "how far the log is durable is read behind the sync": _spot(
        "beside",
        "rows",
        W + "group",
        _TARGET + _LOG_SYNC,
        _LOG_SYNC + _TARGET.replace("words[shared.END]", "__planted__(words[shared.END])"),
    ),
    "an overlay is never dropped": _spot(
        "beside",
        "rows",
        W + "apply",
        "        core.drop_overlay()\n    if end",
        "        core.position = __planted__(applied)\n    if end",
    ),
    "what a dead process heard is not redone": _spot(
        "beside",
        "three",
        W + "checkpoint",
        "        if redo and core.needs_redo():",
        "        if redo and __planted__(core.needs_redo()) and False:",
    ),
    "a redo does not begin at the base": _spot(
        "beside",
        "three",
        W + "apply",
        "    core.words[shared.APPLIED] = core.header.base  # or",
        "    __planted__()  # or",
    ),
    "who joins later redoes nothing": _spot(
        "beside",
        "three",
        W + "core",
        "        self.joined_generation = header.generation\n",
        "        self.joined_generation = __planted__(0)\n",
    ),
    # damage
    "a block changed in part is not verified first": _spot(
        "damage",
        "closed, full, checksums",
        E + "verified",
        "            self.read(name, block * BLOCK_SIZE, BLOCK_SIZE)\n            change.dirty",
        "            __planted__()\n            change.dirty",
    ),
    "a file's size is never verified": _spot(
        "damage",
        "closed, full, checksums",
        E + "verified",
        "        if found != expected:\n            raise sums",
        "        if __planted__(found != expected) and False:\n            raise sums",
    ),
    "nobody is asked about a log that ends": _spot(
        "damage",
        "killed, full",
        W + "scan",
        '    if scan.tail == "clean" and not same:',
        '    if __planted__(scan.tail) == "clean":',
    ),
}


def violations(name: str) -> list[str]:
    """What the exploration says; the bug has to be planted before."""
    spot = SPOTS[name]
    tasks = importlib.import_module("bazanite_stress.explore.tasks")
    limits = tasks.Limits(exhaustive=100, sample=60, violations=1)
    found: list[str] = []
    for profile in ("journal", "hostile"):
        workload = tasks.WORKLOADS.get(spot.workload)
        task = tasks.Task(spot.workload, profile, 512, limits, workload, way=spot.way)
        part = tasks.carry_out(task)
        found += [violation.rule for violation in part.violations]
        if found or spot.way == "damage":
            break
    return found


def main(name: str) -> None:
    """Plant, explore, print."""
    planted = plant(Bug(0, name, "P", SPOTS[name].patches))
    json.dump({"violations": violations(name), "runs": planted.runs}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
