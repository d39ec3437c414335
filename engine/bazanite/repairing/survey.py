"""Deciding for one table which slots are saved: a first reading of all of them, and the witnesses.

Memory: eight bytes a slot, a hundred for each row's id while ids are compared, one bit a byte of
the text file, and what is told of each slot that is not as it should be.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace

from ..check_reader import BitSet
from ..files import CHUNK_SIZE_BYTES
from .quarantine import Quarantine
from .report import NotSaved, RepairReport
from .slots import Slot, SlotReader
from .witnesses import Stray, Witnesses, claims, entry_of, hear, in_order

_BROKEN = -1
_REJECTED = -2
_OFFSETS = 10**9


class Survey:
    """What is to become of each slot of one table.

    ``ids`` has by slot the id of the row that is saved, 0 for a deleted slot, less for others.
    ``doubts`` are by slot what the report says of a row that is saved.
    """

    def __init__(
        self, reader: SlotReader, report: RepairReport, quarantine: Quarantine,
        progress: Callable[[int], object],
    ) -> None:  # fmt: skip
        self.reader = reader
        self.table = reader.files.table
        self.ids = array("q", bytes(8 * reader.count))
        self.doubts: dict[int, list[str]] = {}
        self.twice_referred: set[int] = set()
        self._report = report
        self._quarantine = quarantine
        self._progress = progress
        self._broken: dict[int, tuple[str, int]] = {}
        self._claimed: dict[int, int] = {}
        self._proven = BitSet(len(self.ids)) if reader.proofs else None
        self._referred = BitSet(min(max(v.size(reader.files.text) for v in reader.views), _OFFSETS))

    def run(self, sequence: int | None) -> None:
        """Read all slots, hear the witnesses, decide; what is not saved is reported."""
        for number, slot in self.slots():
            self._note(number, slot)
        heard = hear(self.reader, self.ids, sequence)
        for what in heard.told:
            self._report.damage(what)
        self._settle_claims(heard)
        self._settle_unnamed(heard)
        self._settle_strays(heard)
        self._settle_broken(heard)
        if not heard.whole or self._report_log_lost():
            self._report.tables[self.table].complete = False

    def slots(self) -> Iterator[tuple[int, Slot]]:
        """Every slot in order, judged."""
        reader = self.reader
        step = max(1, CHUNK_SIZE_BYTES // reader.size)
        for first in range(0, len(self.ids), step):
            count = min(step, len(self.ids) - first)
            chunks = reader.raw(first, count)
            for place in range(count):
                start, end = place * reader.size, (place + 1) * reader.size
                yield first + place, reader.slot(first + place, [c[start:end] for c in chunks])
            self._progress(count)

    def _report_log_lost(self) -> bool:
        return self.reader.source.log.lost

    def _note(self, number: int, slot: Slot) -> None:
        if slot.kind == "row":
            self.ids[number] = slot.id
            if slot.doubts:
                self.doubts[number] = list(slot.doubts)
            if self._proven is not None and slot.proven:
                self._proven.add(number)
            for long in slot.longs:
                if long.offset in self._referred:
                    self.twice_referred.add(long.offset)
                else:
                    self._referred.add(long.offset)
        elif slot.why and slot.kind == "deleted":
            self._report.damage(f"{self.reader.files.rows} has damaged deleted slots")
        elif slot.kind == "broken":
            self.ids[number] = _BROKEN
            self._broken[number] = slot.why, slot.id

    def _settle_claims(self, heard: Witnesses) -> None:
        """Of several slots with one id one is saved."""
        twice = claims(self.ids)
        for row_id, slots in twice.items():
            best = max(slots, key=lambda slot: (
                self._is_proven(slot),
                slot in heard.named,
                slot not in heard.freed,
                in_order(self.ids, slot, twice),
                -slot,
            ))  # fmt: skip
            if not (self._is_proven(best) or best in heard.named):
                self._doubt(best, f"slots {', '.join(map(str, slots))} have this id")
            for slot in slots:
                if slot != best:
                    self._reject(slot, f"slot {best} has the row of this id", row_id)

    def _settle_unnamed(self, heard: Witnesses) -> None:
        """Rows that the index does not have: saved, unless it and the stack say deleted."""
        reader = self.reader
        if reader.files.index not in reader.source.files.names():
            return
        gone = b"#" * reader.layout.int_width
        for slot, row_id in enumerate(self.ids):
            if row_id <= 0 or slot in heard.named or self._is_proven(slot):
                continue
            entry = entry_of(reader, row_id)
            if entry == gone and slot in heard.freed:
                why = "the id index and the free stack say that it was deleted"
                self._reject(slot, why, row_id)
            else:
                self._doubt(slot, f"the id index has {entry!r} for this id")
                heard.whole = False

    def _settle_strays(self, heard: Witnesses) -> None:
        """Ids of which the index says that they have a row, where there is none."""
        if not heard.strays:
            return
        saved = {row_id for row_id in self.ids if row_id > 0}
        lost: list[NotSaved] = []
        broken: list[NotSaved] = []
        for stray in heard.strays:
            if stray.id in saved:
                continue
            slot = stray.slot
            if slot >= len(self.ids):
                why = "the file of the rows ends before its slot"
            elif slot in self._broken:
                why, found = self._broken.pop(slot)
                certain = found == stray.id or self._has_proven_entry(stray)
                self._keep(slot, why, stray.id)
                broken.append(NotSaved(self.table, stray.id, slot, why, certain))
                continue
            elif self.ids[slot] == 0:
                if slot in heard.freed:
                    self._report.damage(
                        f"{self.reader.files.index} has entries that name deleted slots"
                    )
                    continue
                why = "the id index names a slot that is deleted"
                heard.whole = False
            else:
                why = "the id index names a slot in which another row stands"
                heard.whole = False
            lost.append(NotSaved(self.table, stray.id, slot, why))
        # An index in which all else is right is right of these, too.
        for row in [*lost, *(replace(row, certain=row.certain or heard.whole) for row in broken)]:
            self._report.lose(row)

    def _has_proven_entry(self, stray: Stray) -> bool:
        reader, width = self.reader, self.reader.layout.int_width
        start = (stray.id - 1) * width
        return bool(reader.proofs) and reader.proofs[0].holds(
            reader.files.index, start, start + width
        )

    def _settle_broken(self, heard: Witnesses) -> None:
        """Slots that are no rows, and of which the index says nothing."""
        for slot, (why, row_id) in self._broken.items():
            self._keep(slot, why, row_id or self._claimed.get(slot))
            if slot in heard.freed:
                self.ids[slot] = 0
                self._report.damage(f"{self.reader.files.rows} has damaged deleted slots")
            else:
                row = NotSaved(self.table, row_id or None, slot, why)
                self._report.lose(row)
        self._report_tail()

    def _report_tail(self) -> None:
        reader = self.reader
        size = reader.views[0].size(reader.files.rows)
        start = size // reader.size * reader.size
        if size > start:
            data = reader.views[0].read(reader.files.rows, start, size - start)
            why = "the file ends in the middle of a slot"
            self._quarantine.put(self.table, reader.files.rows, start, data, why)
            self._report.damage(f"{reader.files.rows} ends in the middle of a slot")

    def _is_proven(self, slot: int) -> bool:
        return self._proven is not None and slot in self._proven

    def _doubt(self, slot: int, why: str) -> None:
        self.doubts.setdefault(slot, []).append(why)

    def _reject(self, slot: int, why: str, row_id: int) -> None:
        """Do not save a slot's row; whose slot it was, the index may tell."""
        self.doubts.pop(slot, None)
        self.ids[slot] = _REJECTED
        self._broken[slot] = why, 0
        self._claimed[slot] = row_id

    def _keep(self, slot: int, why: str, row_id: int | None) -> None:
        reader = self.reader
        raw = next((data for data in reader.raw(slot, 1) if data), b"")
        fields = reader.readable(raw) if len(raw) == reader.size else {}
        self._quarantine.put(
            self.table, reader.files.rows, slot * reader.size, raw, why,
            slot=slot, id=row_id, fields=fields,
        )  # fmt: skip
