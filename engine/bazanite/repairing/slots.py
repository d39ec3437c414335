"""One slot of a damaged table: a row that is whole, a deleted one, or neither; and which version.

A slot is a row if every field's bytes are exactly what its value would be stored as, its id can be
one, and each long value can be read; nothing is completed or guessed.  The files and the log may
have different versions of it.  One that checksums prove is taken; else the file's if it is whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bazanite_wal.layer import View

from ..check_layout import parse_number
from ..check_text import LENGTH_SIZE, parse_length
from ..codec import Layout
from ..errors import ValidationError
from ..fields import FieldType, LongType
from ..files import TableFiles
from ..kinds import NUMBERS
from ..specs import TableSpec
from ..stored_schema import layout_of
from .proof import Proof
from .source import Source

_MOST_STARS = 0.75
"""A slot with more stars was deleted: no row has so many, beginning with one."""


@dataclass(frozen=True, slots=True)
class Long:
    """A long value: where its offset stands in the row, and where the value can be read."""

    start: int
    view: View
    offset: int
    length: int


@dataclass(slots=True)
class Slot:
    """What stands in a slot.

    ``id`` is 0 unless it is a row (of a broken one what its id seems to be); ``why`` it is broken.
    ``proven`` by checksums, all of it.  ``doubts`` are what speaks against a row; ``other`` are the
    bytes of another version that could be meant.
    """

    raw: bytes
    kind: Literal["row", "deleted", "broken"]
    id: int = 0
    why: str = ""
    proven: bool = False
    longs: tuple[Long, ...] = ()
    doubts: tuple[str, ...] = ()
    other: bytes | None = None
    from_log: bool = False


class SlotReader:
    """Reads the slots of one table."""

    def __init__(self, source: Source, table: str, spec: TableSpec, int_width: int) -> None:
        self.spec = spec
        self.source = source
        self.files = TableFiles(source.path, table)
        self.layout: Layout = layout_of(self.files, spec, int_width)
        self.size = self.layout.row_size
        self._fields: list[tuple[str, FieldType, int, int, _Reading]] = []
        for name, kind in self.layout.schema.schema:
            start = self.layout.codec.offsets[name]
            self._fields.append((name, kind, start, start + kind.size, _reading(kind)))
        views = [source.view] if source.other is None else [source.view, source.other]
        self.proofs = [Proof(view, self.files, spec) for view in views] if spec.checksums else []
        self.views = views
        self._stale = source.files if source.log.lost and source.log.pending else None

    @property
    def count(self) -> int:
        """How many whole slots the longest version of the file has, no more than can be named."""
        longest = max(view.size(self.files.rows) for view in self.views)
        most: int = 10**self.layout.int_width
        return min(longest // self.size, most)

    def raw(self, first: int, count: int) -> list[bytes]:
        """The bytes of these slots, in each view; shorter where the file ends."""
        name, size = self.files.rows, self.size
        return [view.read(name, first * size, count * size) for view in self.views]

    def slot(self, number: int, versions: list[bytes]) -> Slot:
        """What is to be taken for this slot, of these versions of its bytes."""
        first = self._first(number, versions)
        lost = self.source.log.lost
        if any(long.view is not self.views[0] for long in first.longs):
            return self._from_log(first, None, lost=lost)
        if len(versions) == 1 or first.proven:
            return first
        second = self._judged(number, versions[1], 1)
        if first.kind == second.kind and versions[0] == versions[1] and self._same(first, second):
            return second if second.proven else first
        # Where frames are lost, the log may well prove a state that was true once.
        proven = second.proven and not lost
        if proven or (first.kind == "broken" and second.kind != "broken"):
            return self._from_log(second, first.raw, lost=lost)
        if first.kind != "broken" and second.kind != "broken":
            first.other = second.raw
            first.doubts += ("the log has another version of it, which may be the newer one",)
        return first

    def _first(self, number: int, versions: list[bytes]) -> Slot:
        """The slot as the first view has it; in doubt if a frame made it before lost ones."""
        slot = self._judged(number, versions[0], 0)
        if self._stale is not None:
            raw = self._stale.read(self.files.rows, number * self.size, self.size)
            if raw != slot.raw and slot.kind != "broken":
                return self._from_log(slot, raw, lost=True)
        return slot

    def _from_log(self, slot: Slot, other: bytes | None, *, lost: bool) -> Slot:
        slot.from_log, slot.other = True, other
        if lost and slot.kind == "row":
            slot.doubts += ("it is from the log, of which later changes of it may be lost",)
        return slot

    def _same(self, first: Slot, second: Slot) -> bool:
        """Whether two slots of the same bytes have the same long values as well."""
        return [value_bytes(self.files, long) for long in first.longs] == [
            value_bytes(self.files, long) for long in second.longs
        ]

    def readable(self, raw: bytes) -> dict[str, Any]:
        """Those fields of a broken slot that can be read, long ones too, for a person."""
        result: dict[str, Any] = {}
        for name, kind, start, end, _reads in self._fields:
            try:
                value, _ = kind.deserialize(raw[start:end], 0)
                if isinstance(kind, LongType) and value is not None:
                    found = self._long(kind, value, start, 0)
                    if isinstance(found, str):
                        continue
                    value = kind.from_text(_bytes_of(self.files, found))
                result[name] = value
            except Exception:  # noqa: BLE001, S112  a type may raise anything
                continue
        return result

    def _judged(self, number: int, raw: bytes, view: int) -> Slot:
        size = self.size
        if len(raw) != size:
            return Slot(raw, "broken", why="the file of the rows ends in or before its slot")
        start = number * size
        proven = bool(self.proofs) and self.proofs[view].holds(self.files.rows, start, start + size)
        if raw[:1] == b"*":
            if raw == b"*" * (size - 1) + b"\n":
                return Slot(raw, "deleted", proven=proven)
            if raw.count(b"*") >= _MOST_STARS * (size - 1):
                return Slot(raw, "deleted", why="damaged")
            return Slot(raw, "broken", why="it begins like a deleted slot and is none")
        found = self._parsed(raw, view)
        if isinstance(found, str):
            return Slot(raw, "broken", self._id_of(raw), found)
        row_id, longs, doubts = found
        if self.proofs:
            proven = proven and all(self._is_proven(long) for long in longs)
            doubts = () if proven else (*doubts, "its checksums do not confirm it")
        return Slot(raw, "row", row_id, proven=proven, longs=longs, doubts=doubts)

    def _is_proven(self, long: Long) -> bool:
        proof = self.proofs[self.views.index(long.view)]
        end = long.offset + LENGTH_SIZE + long.length
        return proof.holds(self.files.text, long.offset, end)

    def _parsed(self, raw: bytes, view: int) -> tuple[int, tuple[Long, ...], tuple[str, ...]] | str:
        """A row's id, the long values of a row and what is odd with them; why it is none."""
        if raw[-1:] != b"\n":
            return "it does not end in a newline"
        longs: list[Long] = []
        doubts: list[str] = []
        row_id = 0
        for name, kind, start, end, reads in self._fields:
            try:
                value = reads(raw[start:end])
                if name == "id":
                    row_id = value
                    right = 0 < row_id < self.layout.id_limit
                else:
                    right = True
            except (ValueError, ValidationError, OverflowError):
                right = False
            if not right:
                return f"'{name}' is no {type(kind).__name__}"
            if value is not None and isinstance(kind, LongType):
                found = self._long(kind, value, start, view)
                if isinstance(found, str):
                    return f"the value of '{name}' {found}"
                longs.append(found)
                if not self._ends_well(found):
                    doubts.append(f"what stands behind the value of '{name}' is no other value")
        return row_id, tuple(longs), tuple(doubts)

    def _long(self, kind: LongType, offset: int, start: int, view: int) -> Long | str:
        """Where a long value can be read, first as this view has it; else what is wrong."""
        why = ""
        for source in (self.views[view], *self.views[view + 1 :]):
            length = parse_length(source.read(self.files.text, offset, LENGTH_SIZE))
            end = source.size(self.files.text)
            if length is None or offset + LENGTH_SIZE + length > end:
                why = why or ("has no length" if length is None else "ends behind the file")
                continue
            found = Long(start, source, offset, length)
            try:
                kind.from_text(_bytes_of(self.files, found))
            except (ValueError, RecursionError):
                why = why or f"is no {type(kind).__name__}"
                continue
            return found
        return why

    def _ends_well(self, long: Long) -> bool:
        """Whether behind a value comes another one, a deleted one, or nothing."""
        end = long.offset + LENGTH_SIZE + long.length
        data = long.view.read(self.files.text, end, LENGTH_SIZE)
        return not data or data[:1] == b"#" or parse_length(data) is not None

    def _id_of(self, raw: bytes) -> int:
        for name, kind, start, end, _ in self._fields:
            if name == "id":
                try:
                    value, _ = kind.deserialize(raw[start:end], 0)
                except ValueError:
                    return 0
                return value if 0 < value < self.layout.id_limit else 0
        return 0


_Reading = Callable[[bytes], Any]
"""From a field's bytes to its value; ValueError unless they are what would be stored for it."""


def _reading(kind: FieldType) -> _Reading:
    if type(kind) in NUMBERS or isinstance(kind, LongType):
        null = b"#" * kind.size if kind.null else b""
        least = 0 if isinstance(kind, LongType) else None

        def number(column: bytes) -> int | None:
            value = parse_number(column)
            if value is None and column != null:
                raise ValueError(column)
            if value is not None and least is not None and value < least:
                raise ValueError(column)
            return value

        return number

    def any_other(column: bytes) -> Any:
        value, _ = kind.deserialize(column, 0)
        if kind.serialize(value) != column:
            raise ValueError(column)
        return value

    return any_other


def _bytes_of(files: TableFiles, long: Long) -> bytes:
    return long.view.read(files.text, long.offset + LENGTH_SIZE, long.length)


def value_bytes(files: TableFiles, long: Long) -> bytes:
    """A long value as it stands in the text file, its length included."""
    return long.view.read(files.text, long.offset, LENGTH_SIZE + long.length)
