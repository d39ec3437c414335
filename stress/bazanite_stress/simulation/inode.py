"""One simulated file: what processes see, what is durable, and the versions in between.

A sector (of ``sector`` bytes) is dirty from its first write until a sync.  Its *chain* lists what
it held since: the durable content first, then its content after each write.  A power cut leaves any
version of the chain, whatever the other sectors do.  Size changes form a list of their own.

A sync that failed leaves sectors clean that never reached the medium (``stale``): reads see them,
later syncs do not write them, and the machine may drop them at any time (``evict``).  ``failures``
counts those whose error each open file has yet to hear once (``SimulatedFile``); ``untold`` is one
that whichever of them is synced first hears of alone.

Invariant: ``data`` is what a read returns; ``durable`` and ``durable_size`` are what the medium
holds for certain.  After a sync of everything they are equal, stale sectors excepted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

SyncFate = Literal["lost", "kept", "evicted later"]


@dataclass(frozen=True, slots=True)
class Version:
    """A sector's whole content after the operation with number ``event``.

    ``written`` is the range within the sector that this write covered: the power may go in its
    middle.
    """

    event: int
    data: bytes
    written: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Chain:
    """Versions of one dirty sector, oldest first.

    ``fresh``: the medium never held this sector as part of the file, so that a persisted size may
    show garbage there.  ``cuts`` are the truncations that removed the sector or its tail; once one
    of them is durable nothing older can come back (in a journalling file system).
    """

    versions: list[Version]
    fresh: bool
    cuts: list[int] = field(default_factory=list)


class Heard:
    """How many of its file's failed write-backs an open file has reported; a fork shares it."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __deepcopy__(self, _memory: dict[int, object]) -> Heard:
        return self


class Inode:
    """See the module's text.  ``number`` identifies it; ``kind`` is "file" or "directory"."""

    __slots__ = (
        "chains", "data", "durable", "durable_size", "failures", "number", "sector", "sizes",
        "stale", "untold",
    )  # fmt: skip

    def __init__(self, number: int, sector: int, content: bytes = b"") -> None:
        self.number = number
        self.sector = sector
        self.data = bytearray(content)
        self.durable = bytes(content)
        self.durable_size = len(content)
        self.chains: dict[int, Chain] = {}
        self.sizes: list[tuple[int, int]] = []
        self.stale: set[int] = set()
        self.failures = 0
        self.untold = False

    @property
    def pending(self) -> bool:
        """Whether a power cut could leave anything but what processes see."""
        return bool(self.chains or self.sizes)

    def clone(self) -> Inode:
        """An equal inode that shares nothing mutable."""
        twin = Inode(self.number, self.sector)
        twin.data = bytearray(self.data)
        twin.durable = self.durable
        twin.durable_size = self.durable_size
        twin.chains = {
            index: Chain(list(chain.versions), chain.fresh, list(chain.cuts))
            for index, chain in self.chains.items()
        }
        twin.sizes = list(self.sizes)
        twin.stale = set(self.stale)
        twin.failures, twin.untold = self.failures, self.untold
        return twin

    def write(self, data: bytes | memoryview, offset: int, event: int) -> None:
        """Put bytes into the page cache; a gap before them reads as zeros."""
        end = offset + len(data)
        if not data:
            return
        if end > len(self.data):
            self._grow(max(offset, len(self.data)), event)
            self.data.extend(bytes(end - len(self.data)))
            self.sizes.append((event, end))
        first, last = offset // self.sector, (end - 1) // self.sector
        for index in range(first, last + 1):
            self._dirty(index)
        self.data[offset:end] = data
        for index in range(first, last + 1):
            chain = self.chains[index]
            start = index * self.sector
            written = (max(offset - start, 0), min(end - start, self.sector))
            chain.versions.append(Version(event, self._sector(index), written))

    def truncate(self, size: int, event: int) -> None:
        """Cut or grow the file; what is cut off reads as zeros should the file grow again."""
        old = len(self.data)
        if size == old:
            return
        self.sizes.append((event, size))
        if size > old:
            self._grow(size, event)
            return
        last = max(old, self.durable_size)
        touched = range(size // self.sector, -(-last // self.sector))
        for index in touched:
            self._dirty(index)
        del self.data[size:]
        for index in touched:
            chain = self.chains[index]
            chain.versions.append(Version(event, self._sector(index)))
            chain.cuts.append(event)

    def sync(self) -> None:
        """Make content and size durable."""
        self.durable = self._reached()
        self.durable_size = len(self.data)
        self.chains.clear()
        self.sizes.clear()

    def sync_data(self) -> None:
        """Make content durable, and the size if the file grew; a cut stays pending (R9).

        If it grew after a cut, the cut alone is no state any more: it would lose what was synced.
        """
        size = len(self.data)
        if size >= self.durable_size:
            self.sync()
            return
        self.sizes = [(event, pending) for event, pending in self.sizes if pending >= size]
        content = bytearray(self.durable)
        content[:size] = self._reached()
        self.durable = bytes(content)
        for index in list(self.chains):
            start = index * self.sector
            if start + self.sector <= size:
                del self.chains[index]
            elif start < size:  # what stands before the cut is durable now
                chain = self.chains[index]
                base = self.durable[start : start + self.sector].ljust(self.sector, b"\0")
                chain.versions = [Version(0, base), Version(chain.cuts[-1], self._sector(index))]

    def sync_sizes(self, event: int) -> None:
        """Make the size changes up to this event durable, but no data (a journal's commit)."""
        done = [size for number, size in self.sizes if number <= event]
        if not done:
            return
        self.sizes = [(number, size) for number, size in self.sizes if number > event]
        size = done[-1]
        for index, chain in self.chains.items():
            made = [number for number in chain.cuts if number <= event]
            if made:
                chain.versions = [v for v in chain.versions if v.event >= made[-1]]
                chain.cuts = [number for number in chain.cuts if number > event]
                start = index * self.sector
                content = bytearray(self.durable)
                content[start : start + self.sector] = chain.versions[0].data
                self.durable = bytes(content)
        self.durable = self.durable[:size].ljust(size, b"\0")
        self.durable_size = size

    def fail_sync(self, fates: dict[int, SyncFate], default: SyncFate) -> None:
        """A sync that failed: each dirty sector reached the medium or not, and all are clean (R13).

        "lost": it did not, and the page is gone too; "kept": it did; "evicted later": it did not,
        but reads still see it until the machine stops.
        """
        size = len(self.data)
        content = bytearray(self.durable.ljust(size, b"\0"))
        for index in list(self.chains):
            fate = fates.get(index, default)
            start = index * self.sector
            stop = min(start + self.sector, size)
            if start >= size:
                continue
            if fate == "kept":
                content[start:stop] = self.data[start:stop]
            elif fate == "lost":
                self.data[start:stop] = content[start:stop]
            else:
                self.stale.add(index)
        self.durable = bytes(content)
        self.chains.clear()  # the size is metadata: it stays pending

    def fail_write_back(self, fate: SyncFate, *, once: bool = False) -> None:
        """The kernel cannot write what is dirty: each open file hears of it, or with ``once`` one.

        Linux before 4.13 told the next sync of all, and no other.
        """
        self.fail_sync({}, fate)
        self.untold = self.untold or once
        self.failures += not once

    def evict(self) -> None:
        """Drop clean pages: what a failed sync did not write is gone now."""
        medium = self.durable.ljust(len(self.data), b"\0")
        for index in self.stale:
            start = index * self.sector
            stop = min(start + self.sector, len(self.data))
            self.data[start:stop] = medium[start:stop]
        self.stale.clear()

    def _reached(self) -> bytes:
        """What is on the medium once all dirty sectors are written."""
        if not self.stale:
            return bytes(self.data)
        content, medium = bytearray(self.data), self.durable.ljust(len(self.data), b"\0")
        for index in self.stale:
            start = index * self.sector
            stop = min(start + self.sector, len(content))
            content[start:stop] = medium[start:stop]
        return bytes(content)

    def _grow(self, size: int, event: int) -> None:
        """Make the file longer by zeros that nobody writes: the medium need not have them (R2)."""
        old = len(self.data)
        self.data.extend(bytes(size - old))
        for index in range(-(-old // self.sector), -(-size // self.sector)):
            self._dirty(index)
            self.chains[index].versions.append(Version(event, bytes(self.sector)))

    def _dirty(self, index: int) -> None:
        self.stale.discard(index)  # the whole sector is written again, with what reads see of it
        if index not in self.chains:
            start = index * self.sector
            base = self.durable[start : start + self.sector].ljust(self.sector, b"\0")
            fresh = start >= self.durable_size
            self.chains[index] = Chain([Version(0, base)], fresh)

    def _sector(self, index: int) -> bytes:
        start = index * self.sector
        return bytes(self.data[start : start + self.sector]).ljust(self.sector, b"\0")
