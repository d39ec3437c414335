"""The log archive: what the log is about to forget is kept in segments beside it.

Off unless ``wal.archive`` is in the directory.  Then whoever starts a new generation of the log (a
checkpoint, a last close, recovery) first puts the whole old one into the newest segment, and only
then writes the new header.  All of it happens under the global lock, or as the first opener.

Invariants: archive and log together have every frame since the archive began, wherever a process
or the machine stops; only frames that are durable in the log are archived (but for
``durability="off"``); what a generation has in the archive is believed only once a later one is in
the log: until then it is cut off and written anew, as nobody knows whether it was synced, nor what
its failed write-back told whom.  So a torn end needs no repair, and no sync is repeated.

A segment that is full gets its successor at once, because only now do the data files show the
catalog as it is where that begins.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from .archive_format import (
    ARCHIVE_NAME,
    HEAD_SIZE,
    NEW_ARCHIVE_NAME,
    SECTION_SIZE,
    SETTINGS_SIZE,
    Head,
    Section,
    decode_head,
    decode_section,
    decode_settings,
    encode_head,
    encode_section,
    encode_settings,
    segment_name,
    segments_in,
)
from .datafiles import LARGEST_CATALOG
from .errors import ArchiveError, CorruptionError
from .header import Header
from .io import read_up_to, write_all
from .system import Directory, File
from .telling import INFO, WARNING, tell

_LARGEST_SEGMENT = 32 << 20
_LEAST_SEGMENT = 4096
_PARTS = 8
"""In so many segments, or more, what is to be kept is spread, so that little is removed at once."""
_OFF = "Or turn the archive off (`bazanite wal archive DIR --off`), and on again to begin a new one"

Sync = Callable[[File | Directory], None]
"""Makes a file, or the directory's names, durable; what it raises is passed on as it is."""


class Place(NamedTuple):
    """In this segment, at this file offset, a section of log position ``lsn`` begins."""

    first: int
    offset: int
    lsn: int


@dataclass(frozen=True, slots=True)
class Ending:
    """What a generation leaves behind: its header, its frames' bytes up to ``end``, the catalog.

    ``following`` is the base of the next one.
    """

    header: Header
    area: bytes
    end: int
    following: int
    catalog: bytes


def kept_bytes(directory: Directory) -> int | None:
    """How many bytes of archive the directory keeps; None if it keeps none.

    ArchiveError if its settings are damaged: nobody may guess that there is no archive.
    """
    if not directory.exists(ARCHIVE_NAME):
        return None
    file = directory.open(ARCHIVE_NAME, write=False)
    try:
        data = read_up_to(file, SETTINGS_SIZE + 1, 0)
    finally:
        file.close()
    keep = decode_settings(data)
    if keep is None:
        raise ArchiveError(
            f"{directory.path}/{ARCHIVE_NAME}: damaged: it does not say how much of the log is to"
            f" be kept, so the log keeps what it has. {_OFF}"
        )
    return keep


def archive_generation(
    directory: Directory, keep: int, ending: Ending, sync: Sync, known: Place | None = None
) -> Place:
    """Put a whole generation into the archive; durable on return.  Returns where the next begins.

    ``known`` is what this returned before, if this process archived an earlier generation.
    ArchiveError if that cannot be done, or if the archive is not the one of this log: nothing is
    lost then, as long as the log keeps the generation.  What ``sync`` raises leaves it so too.
    """
    try:
        firsts = _without_leftovers(directory, ending.header)
        if not firsts:
            raise _broken(directory, "has no segment", ending.header.base)
        file = directory.open(segment_name(firsts[-1]))
        try:
            place = _place_for(directory, file, firsts[-1], ending.header, known)
            end = _append(file, place, ending, sync)
        finally:
            file.close()
        if end.offset < _segment_bytes(keep):
            return end
        successor = start_segment(directory, ending.following, ending.catalog, sync)
        _remove_oldest(directory, keep)
        return successor
    except OSError as error:
        raise ArchiveError(
            f"{directory.path}: the log cannot be archived, and keeps what it has: {error}. Make"
            f" room. {_OFF}"
        ) from error
    except CorruptionError as error:
        raise ArchiveError(f"{error.message}. The log keeps what it has. {_OFF}") from error


def start_segment(directory: Directory, first: int, catalog: bytes, sync: Sync) -> Place:
    """A new segment, empty yet, that begins at this log position; durable on return.

    Whatever stops this, under its name there is a whole one or none.
    """
    _write_new(directory, encode_head(first, catalog), sync)
    directory.rename(NEW_ARCHIVE_NAME, segment_name(first))
    sync(directory)
    return Place(first, HEAD_SIZE + len(catalog), first)


def turn_on(
    directory: Directory, keep_bytes: int, header: Header, catalog: bytes, sync: Sync
) -> None:
    """Archive from this generation on, of which the log has no frames yet; durable on return.

    An archive that ends right here goes on; else a new segment begins.
    """
    firsts = _without_leftovers(directory, header)
    if not firsts or not _goes_on(directory, firsts[-1], header):
        start_segment(directory, header.base, catalog, sync)
    _write_new(directory, encode_settings(keep_bytes), sync)
    directory.rename(NEW_ARCHIVE_NAME, ARCHIVE_NAME)
    sync(directory)
    _remove_oldest(directory, keep_bytes)


def _write_new(directory: Directory, data: bytes, sync: Sync) -> None:
    """Put the data into a new file, which the caller renames; durable but for its name."""
    if directory.exists(NEW_ARCHIVE_NAME):
        directory.remove(NEW_ARCHIVE_NAME)
    file = directory.create(NEW_ARCHIVE_NAME)
    try:
        write_all(file, data, 0)
        sync(file)
    except BaseException:
        with suppress(OSError):
            directory.remove(NEW_ARCHIVE_NAME)  # give back what there was not enough of
        raise
    finally:
        file.close()


def turn_off(directory: Directory) -> None:
    """Archive nothing any more; the segments stay.  Caller holds the global lock."""
    if directory.exists(ARCHIVE_NAME):
        directory.remove(ARCHIVE_NAME)
        directory.sync()


def read_head(directory: Directory, file: File, first: int) -> tuple[Head, bytes]:
    """A segment's head and the catalog behind it; CorruptionError if it is damaged."""
    path = f"{directory.path}/{segment_name(first)}"
    head = decode_head(read_up_to(file, HEAD_SIZE, 0))
    if head is None or head.first != first or head.catalog_size > LARGEST_CATALOG:
        raise CorruptionError(path, 0, f"the head of an archive segment of LSN {first}", "none")
    catalog = read_up_to(file, head.catalog_size, HEAD_SIZE)
    if not head.holds(catalog):
        raise CorruptionError(path, HEAD_SIZE, "the catalog that the head tells of", "another")
    return head, catalog


def read_section(file: File, offset: int) -> Section | None:
    """The section whose line stands at this place of a segment; None if none does."""
    return decode_section(read_up_to(file, SECTION_SIZE, offset))


def _place_for(
    directory: Directory, file: File, first: int, header: Header, known: Place | None
) -> Place:
    """Where the section of this generation belongs; ArchiveError if the archive leads elsewhere."""
    if known is None or known.first != first or known.lsn > header.base:
        known = Place(first, read_head(directory, file, first)[0].size, first)
    place = known
    section = read_section(file, place.offset)
    while section is not None and section.header.base == place.lsn < header.base:
        place = Place(first, place.offset + section.size, section.following)
        section = read_section(file, place.offset)
    if place.lsn != header.base:
        raise _broken(directory, f"leads up to LSN {place.lsn}", header.base)
    if section is not None and section.header.salt != header.salt:
        raise _broken(directory, "goes on with another log's", header.base)
    return place


def _append(file: File, place: Place, ending: Ending, sync: Sync) -> Place:
    """Write the generation where it belongs, and nothing behind it."""
    header, offset = ending.header, place.offset
    section = Section(header, ending.end, ending.following)
    assert len(ending.area) == ending.end - header.base
    try:
        if file.size() > offset:
            file.truncate(offset)  # an attempt that nobody knows to be durable
        write_all(file, encode_section(section) + ending.area, offset)
    except OSError:
        with suppress(OSError):
            file.truncate(offset)
        raise
    sync(file)
    return Place(place.first, offset + section.size, ending.following)


def _without_leftovers(directory: Directory, header: Header) -> list[int]:
    """The segments that begin no later than the log; an unfinished attempt's successor goes.

    ArchiveError if there is a later one that has anything: it is another log's.
    """
    firsts = segments_in(directory.list())
    for first in [first for first in firsts if first > header.base]:
        name = segment_name(first)
        file = directory.open(name, write=False)
        try:
            head = decode_head(read_up_to(file, HEAD_SIZE, 0))
            if head is not None and file.size() > head.size:
                raise _broken(directory, f"has a segment of LSN {first}", header.base)
        finally:
            file.close()
        directory.remove(name)
        firsts.remove(first)
    return firsts


def _goes_on(directory: Directory, first: int, header: Header) -> bool:
    """Whether the newest segment leads right up to this generation."""
    file = directory.open(segment_name(first), write=False)
    try:
        _place_for(directory, file, first, header, None)
    except (ArchiveError, CorruptionError):
        return False
    finally:
        file.close()
    return True


def _segment_bytes(keep: int) -> int:
    return max(_LEAST_SEGMENT, min(_LARGEST_SEGMENT, keep // _PARTS))


def _remove_oldest(directory: Directory, keep: int) -> None:
    """Remove segments until no more than ``keep`` bytes are left, but never the newest."""
    sizes: dict[int, int] = {}
    for first in segments_in(directory.list()):
        file = directory.open(segment_name(first), write=False)
        sizes[first] = file.size()
        file.close()
    total = sum(sizes.values())
    for first in sorted(sizes)[:-1]:
        if total <= keep:
            break
        try:
            directory.remove(segment_name(first))  # coming back after a power cut does no harm
        except OSError as error:
            stays = (directory.path, segment_name(first), error)
            tell(WARNING, "segment kept", "%s/%s stays: %s", *stays)
            break
        total -= sizes[first]
        gone = (directory.path, segment_name(first), sizes[first], keep)
        tell(INFO, "segment removed", "%s/%s: removed %d bytes, as %d are kept", *gone)


def _broken(directory: Directory, what: str, base: int) -> ArchiveError:
    return ArchiveError(
        f"{directory.path}: the archive {what}, and the log begins at LSN {base}: it is another"
        f" log's archive, or damaged. The log keeps what it has. Put the right one there. {_OFF}"
    )
