"""What a directory's log archive holds, for a person: from where to where, and whether it is whole.

Reads only.  The caller holds the global lock, or takes what it is told for advice.
"""

from __future__ import annotations

from dataclasses import dataclass

from .archive import Place, kept_bytes, read_head, read_section
from .archive_format import ARCHIVE_NAME, SECTION_SIZE, Section, segment_name, segments_in
from .errors import ArchiveError, CorruptionError
from .frame import initial_chain
from .io import read_up_to
from .scan import walk
from .system import Directory, File


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: it tells of log positions from ``first`` up to ``end``."""

    name: str
    first: int
    end: int
    size: int
    generations: int


@dataclass(frozen=True, slots=True)
class Survey:
    """The archive of a directory; ``keep`` is None if it is off.

    ``start`` is the position from which on nothing is missing up to the log's base; None if
    something is missing right before that.  ``problems`` are (file, offset, what).
    """

    keep: int | None
    segments: tuple[Segment, ...]
    start: int | None
    problems: tuple[tuple[str, int, str], ...]

    @property
    def size(self) -> int:
        """How many bytes all segments have."""
        return sum(segment.size for segment in self.segments)


def survey(directory: Directory, base: int, *, verify: bool = False) -> Survey:
    """Look at the archive of a log that begins at ``base``; ``verify``: at each frame, too."""
    problems: list[tuple[str, int, str]] = []
    keep = None
    try:
        keep = kept_bytes(directory)
    except ArchiveError:
        problems.append((ARCHIVE_NAME, 0, "does not say how much of the log is to be kept"))
    except OSError as error:
        problems.append((ARCHIVE_NAME, 0, f"cannot be read: {error.strerror}"))
    found: list[Segment] = []
    for first in segments_in(directory.list()):
        if first > base:
            continue  # an attempt, which the next checkpoint takes away
        name = segment_name(first)
        try:
            file = directory.open(name, write=False)
            try:
                found.append(_segment(directory, file, first, base, problems, verify=verify))
            finally:
                file.close()
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append((name, 0, f"cannot be read: {error.strerror}"))
    start, wanted = None, base
    for segment in reversed(found):
        if segment.end < wanted:
            break
        start = wanted = segment.first
    if keep is not None and start is None:
        leads = f"leads up to LSN {found[-1].end}" if found else "is empty"
        problems.append((ARCHIVE_NAME, 0, f"the archive {leads}, and the log begins at LSN {base}"))
    return Survey(keep, tuple(found), start, tuple(problems))


def first_segment(directory: Directory, start: int | None, base: int) -> int | None:
    """The segment to begin with; None if the archive has nothing of what is wanted.

    Without a start it is the first one from which on nothing is missing up to the log.
    """
    firsts = segments_in(directory.list())
    if start is not None:
        return max((first for first in firsts if first <= start), default=None)
    begin, wanted = None, base
    for first in reversed(firsts):
        if first > wanted:
            continue
        try:
            leads_up_to = _end_of(directory, first)
        except CorruptionError:
            break  # as if it were not there
        if leads_up_to < wanted:
            break
        begin = wanted = first
    return begin


def _end_of(directory: Directory, first: int) -> int:
    """Up to which log position a segment leads."""
    file = directory.open(segment_name(first), write=False)
    try:
        place = Place(first, read_head(directory, file, first)[0].size, first)
        while (section := read_section(file, place.offset)) is not None:
            if section.header.base != place.lsn:
                break
            place = Place(first, place.offset + section.size, section.following)
        return place.lsn
    finally:
        file.close()


def _segment(
    directory: Directory,
    file: File,
    first: int,
    base: int,
    problems: list[tuple[str, int, str]],
    *,
    verify: bool,
) -> Segment:
    name, size = segment_name(first), file.size()
    try:
        offset = read_head(directory, file, first)[0].size
    except CorruptionError as error:
        problems.append((name, error.offset, f"expected {error.expected}, found {error.found}"))
        return Segment(name, first, first, size, 0)
    end, generations = first, 0
    while end < base:
        section = read_section(file, offset)
        if section is None or section.header.base != end:
            if size > offset:
                problems.append((name, offset, f"no generation of the log from LSN {end} on"))
            break
        if verify:
            _verify(file, name, offset, section, problems)
        offset += section.size
        end, generations = section.following, generations + 1
    return Segment(name, first, end, size, generations)


def _verify(
    file: File, name: str, offset: int, section: Section, problems: list[tuple[str, int, str]]
) -> None:
    header = section.header
    area = read_up_to(file, section.end - header.base, offset + SECTION_SIZE)
    walked = walk(area, header, header.base, initial_chain(header.salt))
    if walked.end != section.end:
        place = offset + SECTION_SIZE + walked.end - header.base
        problems.append((name, place, f"the frame of LSN {walked.end}: {walked.detail}"))
