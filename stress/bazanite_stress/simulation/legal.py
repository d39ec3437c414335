"""Which disks a power cut may leave, at one moment of a simulated machine.

The state of a disk is a product of independent *units*: a dirty sector is at one of its versions, a
size or a name at one of its values.  With a journal, names and sizes are one sequence of which a
prefix survives: then there is one product for each prefix.  So the number of legal disks is known
without listing them, each has an address (an option for each unit), and equal disks, which differ
only in what no file shows, are merged with their multiplicity.

Rules R1 to R7 and R16 of docs/crash-model.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod

from .disk import Disk, Folder, Image
from .inode import Chain, Inode, Version

Choice = tuple[int, ...]
"""The address of a legal disk within its space: an option for each unit."""

ABSENT: int = -1
"""The inode that no name means."""

NOTHING: int = -1
"""The prefix of the space in which not even the directory survived."""


@dataclass(frozen=True, slots=True)
class Tearing:
    """What a write that the power cut off may leave of its sector (R16).

    ``torn``: a mixture of old and new bytes within the range that was written, or garbage there.
    ``neighbours``: garbage in the sector's other bytes too (no power-safe overwrite).
    """

    torn: bool = False
    neighbours: bool = False


NO_TEARING = Tearing()


@dataclass(frozen=True, slots=True)
class Unit:
    """One independent part: ``options`` are what it may be, ``events`` since when.

    ``kind`` is "name", "size" or "sector"; ``where`` tells a person what it is; ``key`` is the
    name, or the inode's number, or that and the sector's index.  The options from number ``whole``
    on are what a write that was torn may leave.
    """

    kind: str
    where: str
    key: tuple[int | str, ...]
    options: tuple[bytes | int, ...]
    events: tuple[int, ...]
    whole: int


@dataclass(frozen=True, slots=True)
class Legal:
    """One legal disk: how many addresses share it, one of them, and the image itself."""

    image: Image | None
    multiplicity: int
    choice: Choice


class Space:
    """A product of units, over what is certain.  ``prefix`` says how much of a journal survived."""

    def __init__(
        self, files: dict[int, Inode], names: dict[str, int], sizes: dict[int, int], prefix: int
    ) -> None:
        self._files = files
        self._names = names
        self._sizes = sizes
        self.prefix = prefix
        self.units: list[Unit] = []
        self.exists = True
        """Whether the directory's own name survived."""
        self.undone: tuple[str, ...] = ()
        """Names and sizes that changed after the prefix, for a person."""

    @property
    def count(self) -> int:
        """How many addresses there are."""
        return prod(len(unit.options) for unit in self.units) if self.exists else 1

    def image(self, choice: Choice) -> Image | None:
        """The disk of this address."""
        if not self.exists:
            return None
        names, sizes = dict(self._names), dict(self._sizes)
        sectors: dict[int, list[tuple[int, bytes]]] = {}
        for unit, option in zip(self.units, choice, strict=True):
            value = unit.options[option]
            if unit.kind == "name":
                names[str(unit.key[0])] = int(value)
            elif unit.kind == "size":
                sizes[int(unit.key[0])] = int(value)
            else:
                assert isinstance(value, bytes)
                sectors.setdefault(int(unit.key[0]), []).append((int(unit.key[1]), value))
        return {
            name: _content(self._files[number], sizes[number], sectors.get(number, []))
            for name, number in names.items()
            if number != ABSENT
        }

    def merged(self, limit: int) -> Iterator[Legal] | None:
        """Every legal disk once, with its multiplicity; None if they are too many to list.

        ``limit`` bounds the different contents of one file and the different disks in all.
        """
        if not self.exists:
            return iter([Legal(None, 1, ())])
        named = [i for i, unit in enumerate(self.units) if unit.kind == "name"]
        numbers = sorted({*self._names.values()} - {ABSENT})
        for i in named:
            numbers = sorted({*numbers, *(int(v) for v in self.units[i].options)} - {ABSENT})
        contents: dict[int, list[tuple[bytes, int, dict[int, int]]]] = {}
        for number in numbers:
            found = self._contents(number, limit)
            if found is None:
                return None
            contents[number] = found
        total = prod(len(self.units[i].options) for i in named)
        total *= prod(len(found) for found in contents.values())
        return self._list(named, contents) if total <= limit else None

    def _list(
        self, named: list[int], contents: dict[int, list[tuple[bytes, int, dict[int, int]]]]
    ) -> Iterator[Legal]:
        raw = {n: sum(count for _, count, _ in found) for n, found in contents.items()}
        ranges = [range(len(self.units[i].options)) for i in named]
        for options in product(*ranges):
            names = dict(self._names)
            for i, option in zip(named, options, strict=True):
                names[str(self.units[i].key[0])] = int(self.units[i].options[option])
            used = sorted({number for number in names.values() if number != ABSENT})
            hidden = prod(count for number, count in raw.items() if number not in used)
            for combination in product(*(contents[number] for number in used)):
                choice = [0] * len(self.units)
                for i, option in zip(named, options, strict=True):
                    choice[i] = option
                multiplicity = hidden
                by_number: dict[int, bytes] = {}
                for number, (content, count, address) in zip(used, combination, strict=True):
                    by_number[number] = content
                    multiplicity *= count
                    for i, option in address.items():
                        choice[i] = option
                image = {n: by_number[number] for n, number in names.items() if number != ABSENT}
                yield Legal(image, multiplicity, tuple(choice))

    def _contents(self, number: int, limit: int) -> list[tuple[bytes, int, dict[int, int]]] | None:
        """Each content this file may have: bytes, how many addresses give it, one of them."""
        inode = self._files[number]
        of_size = next(
            (i for i, u in enumerate(self.units) if u.kind == "size" and u.key[0] == number), None
        )
        sectors = [
            (i, u) for i, u in enumerate(self.units) if u.kind == "sector" and u.key[0] == number
        ]
        sizes = [(0, self._sizes[number])]
        if of_size is not None:
            sizes = [(option, int(v)) for option, v in enumerate(self.units[of_size].options)]
        found: dict[bytes, tuple[int, dict[int, int]]] = {}
        for size_option, size in sizes:
            shown = [(i, u) for i, u in sectors if int(u.key[1]) * inode.sector < size]
            hidden = prod(len(u.options) for i, u in sectors if (i, u) not in shown)
            if prod(len(u.options) for _, u in shown) > limit:
                return None
            for options in product(*(range(len(unit.options)) for _, unit in shown)):
                pairs: list[tuple[int, bytes]] = []
                for (_, unit), option in zip(shown, options, strict=True):
                    data = unit.options[option]
                    assert isinstance(data, bytes)
                    pairs.append((int(unit.key[1]), data))
                content = _content(inode, size, pairs)
                if content in found:
                    count, address = found[content]
                    found[content] = (count + hidden, address)
                    continue
                address = {i: option for (i, _), option in zip(shown, options, strict=True)}
                if of_size is not None:
                    address[of_size] = size_option
                found[content] = (hidden, address)
        return [(content, count, address) for content, (count, address) in found.items()]


def spaces(disk: Disk, folder: Folder, tearing: Tearing = NO_TEARING) -> list[Space]:
    """All legal disks, as seen in this directory, which lies in the root."""
    if disk.profile == "journal":
        return _journal_spaces(disk, folder, tearing)
    return _hostile_spaces(disk, folder, tearing)


def certain_image(disk: Disk, folder: Folder) -> Image:
    """What processes see in this directory: the disk if the machine runs on."""
    return {name: bytes(disk.files[number].data) for name, number in folder.names.items()}


def least_image(disk: Disk, folder: Folder) -> Image:
    """The disk if nothing survives but what is durable for certain."""
    files = {name: disk.files[number] for name, number in folder.durable.items()}
    return {name: _content(inode, inode.durable_size, []) for name, inode in files.items()}


def _hostile_spaces(disk: Disk, folder: Folder, tearing: Tearing) -> list[Space]:
    files = _inodes(disk, folder)
    result = Space(files, dict(folder.durable), {n: f.durable_size for n, f in files.items()}, 0)
    by_name: dict[str, list[tuple[int, int]]] = {}
    for change in folder.changes:
        start = [(0, folder.durable.get(change.name, ABSENT))]
        options = by_name.setdefault(change.name, start)
        options.append((change.event, ABSENT if change.inode is None else change.inode))
    for name, found in sorted(by_name.items()):
        result.units.append(_unit("name", f"the name {name}", (name,), found))
    for number, inode in sorted(files.items()):
        label = _label(folder, number)
        if inode.sizes:
            sizes = [(0, inode.durable_size), *inode.sizes]
            result.units.append(_unit("size", f"the size of {label}", (number,), sizes))
        for index, chain in sorted(inode.chains.items()):
            result.units.append(
                _sector_unit(label, number, index, chain, tearing, garbage=chain.fresh)
            )
    result.units = [unit for unit in result.units if len(unit.options) > 1]
    root, name = disk.folders[0], _name_of(disk, folder)
    if root.durable.get(name) == folder.number:
        return [result]
    lost = Space({}, {}, {}, NOTHING)
    lost.exists = False
    return [lost, result] if name in root.changed() else [lost]


def _journal_spaces(disk: Disk, folder: Folder, tearing: Tearing) -> list[Space]:
    files = _inodes(disk, folder)
    steps = {change.event: f"the name {change.name}" for change in folder.changes}
    steps |= {change.event: "the directory's name" for change in disk.folders[0].changes}
    for number, inode in files.items():
        size = f"the size of {_label(folder, number)}"
        steps |= dict.fromkeys((event for event, _ in inode.sizes), size)
    result: list[Space] = []
    for prefix in (0, *sorted(steps)):
        root, own = disk.folders[0].clone(), folder.clone()
        root.sync(prefix)
        own.sync(prefix)
        after = {number: inode.clone() for number, inode in files.items()}
        for inode in after.values():
            inode.sync_sizes(prefix)
        space = Space(after, own.durable, {n: f.durable_size for n, f in after.items()}, prefix)
        space.exists = root.durable.get(_name_of(disk, folder)) == folder.number
        undone = (steps[event] for event in sorted(steps) if event > prefix)
        space.undone = tuple(dict.fromkeys(undone))
        for number, inode in sorted(after.items()):
            if number not in own.durable.values():
                continue
            label = _label(folder, number)
            for index, chain in sorted(inode.chains.items()):
                unit = _sector_unit(label, number, index, chain, tearing, garbage=False)
                if len(unit.options) > 1:
                    space.units.append(unit)
        result.append(space)
    return result


def _inodes(disk: Disk, folder: Folder) -> dict[int, Inode]:
    numbers = {*folder.durable.values(), *folder.names.values()}
    numbers.update(c.inode for c in folder.changes if c.inode is not None)
    return {number: disk.files[number] for number in numbers}


def _name_of(disk: Disk, folder: Folder) -> str:
    return next(n for n, number in disk.folders[0].names.items() if number == folder.number)


def _label(folder: Folder, number: int) -> str:
    for name, known in [*folder.names.items(), *folder.durable.items()]:
        if known == number:
            return name
    return f"inode {number}"


def _unit(kind: str, where: str, key: tuple[int | str, ...], found: list[tuple[int, int]]) -> Unit:
    options: dict[int, int] = {}
    for event, value in found:
        options.setdefault(value, event)
    return Unit(kind, where, key, tuple(options), tuple(options.values()), len(options))


def _sector_unit(
    label: str, number: int, index: int, chain: Chain, tearing: Tearing, *, garbage: bool
) -> Unit:
    options: dict[bytes, int] = {}
    for version in chain.versions:
        options.setdefault(version.data, version.event)
    size = len(chain.versions[0].data)
    if garbage:
        options.setdefault(garbage_bytes(size, number, index), 0)
    whole = len(options)
    if tearing.torn:
        for old, new in pairwise(chain.versions):
            for data in _torn(old, new, tearing, garbage_bytes(size, number, index + 1)):
                options.setdefault(data, new.event)
    where = f"sector {index} of {label}"
    events = tuple(options.values())
    return Unit("sector", where, (number, index), tuple(options), events, whole)


def _torn(before: Version, after: Version, tearing: Tearing, garbage: bytes) -> list[bytes]:
    """What a sector may hold if the power went while ``after`` was written over ``before``."""
    old, new = before.data, after.data
    start, end = after.written
    if start == end:
        return []
    middle = (start + end) // 2
    result = [
        old[:middle] + new[middle:],
        new[:middle] + old[middle:],
        new[:start] + garbage[start:end] + new[end:],
    ]
    if tearing.neighbours:
        result += [garbage, garbage[:start] + new[start:end] + garbage[end:]]
    return result


def garbage_bytes(size: int, *seed: int) -> bytes:
    """Bytes that nobody wrote: pseudo-random, the same for the same seed."""
    return hashlib.shake_128(repr(seed).encode()).digest(size)


def _content(inode: Inode, size: int, sectors: list[tuple[int, bytes]]) -> bytes:
    if not sectors and size == len(inode.durable):
        return inode.durable
    content = bytearray(inode.durable[:size].ljust(size, b"\0"))
    for index, data in sectors:
        start = index * inode.sector
        if start < size:
            content[start : min(start + inode.sector, size)] = data[: size - start]
    return bytes(content)
